"""Time exact neighbours beside scikit-learn's: a home's vectors come in, seconds of each go out.

uv run python tests/benchmarks/neighbours.py HOME [--k 14] [--songs 50000]
"""

import argparse
import time
from pathlib import Path

import joblib
import numpy as np
from sklearn.neighbors import NearestNeighbors

from models.neighbours import Neighbours


def main() -> None:
    """Time each engine on the same vectors and compare the distances that they find."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--k", type=int, default=14)
    parser.add_argument("--songs", type=int, default=50_000)
    args = parser.parse_args()
    vectors = joblib.load(args.home / "current" / "models" / "vectors.joblib")[: args.songs]
    began = time.perf_counter()
    _, ours = Neighbours(vectors).nearest_others(args.k)
    print(f"{len(vectors)} x {vectors.shape[1]}, k={args.k}")
    print(f"  boxes     {time.perf_counter() - began:8.2f} s")
    for algorithm in ("brute", "kd_tree"):
        began = time.perf_counter()
        model = NearestNeighbors(n_neighbors=args.k, algorithm=algorithm, n_jobs=-1).fit(vectors)
        theirs, _ = model.kneighbors()
        took = time.perf_counter() - began
        worst = np.abs(np.sort(theirs, axis=1) - ours).max()
        print(f"  {algorithm:9s} {took:8.2f} s, distances differ by {worst:.1e} at most")


if __name__ == "__main__":
    main()
