"""Time exact neighbours beside scikit-learn's: a home's vectors come in, seconds of each go out.

uv run python tests/benchmarks/neighbours.py HOME [--k 14] [--songs 50000] [--alone]
"""

import argparse
import time
from pathlib import Path

import joblib
import numpy as np
from sklearn.neighbors import NearestNeighbors

from models.neighbours.boxes import Boxes


def main() -> None:
    """Time each engine on the same vectors and compare the distances that they find."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--k", type=int, default=14)
    parser.add_argument("--songs", type=int, default=50_000)
    parser.add_argument("--alone", action="store_true", help="leave scikit-learn out")
    args = parser.parse_args()
    vectors = joblib.load(args.home / "current" / "models" / "vectors.joblib")[: args.songs]
    began, worked = time.perf_counter(), time.process_time()
    search = Boxes(vectors)
    laid = time.perf_counter() - began
    _, ours = search.nearest_others(args.k)
    took, worked = time.perf_counter() - began, time.process_time() - worked
    print(f"{len(vectors)} x {vectors.shape[1]}, k={args.k}")
    print(f"  boxes     {took:8.2f} s, {worked:.2f} s of processors, {laid:.2f} s to lay out")
    for algorithm in () if args.alone else ("brute", "kd_tree"):
        began = time.perf_counter()
        model = NearestNeighbors(n_neighbors=args.k, algorithm=algorithm, n_jobs=-1).fit(vectors)
        theirs, _ = model.kneighbors()
        took = time.perf_counter() - began
        worst = np.abs(np.sort(theirs, axis=1) - ours).max()
        print(f"  {algorithm:9s} {took:8.2f} s, distances differ by {worst:.1e} at most")


if __name__ == "__main__":
    main()
