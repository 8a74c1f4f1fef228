"""Time a whole build beside a yardstick: a track file comes in, seconds and memory of both go out.

    uv run --with pandas python tests/benchmarks/build.py TRACKS [RECIPE] [--runs 3] [--prefect]

RECIPE is a script that is called as ``python RECIPE TRACKS OUT.db --algorithm brute|kd_tree``; by
default the notebook recipe beside the checkout. The commands take turns, each as a process of its
own, so that a machine that slows down slows all of them. Each figure is the median of the runs.
In a new home Prefect first makes its database; the next night it is there.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPE = Path(__file__).parents[3] / "shared" / "bench" / "notebook_recipe.py"
SEGUE = Path(sys.executable).with_name("segue")


def measured(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Run a command; return wall seconds, processor seconds and peak memory in 10^6 bytes."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{said.read().decode()}")
    took = time.perf_counter() - began
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tracks", type=Path)
    parser.add_argument("recipe", type=Path, nargs="?", default=RECIPE)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--prefect", action="store_true", help="also orchestrated by Prefect")
    return parser.parse_args()


def contenders(args: argparse.Namespace, home: Path, out: Path) -> dict[str, list[str]]:
    """Return the commands to time, by name; the first is the plain build."""
    build = [str(SEGUE), "build", "--tracks", str(args.tracks), "--home", str(home), "--force"]
    commands = {"segue build --direct": [*build, "--direct"]}
    if args.prefect:
        commands |= {"segue build, new home": build, "segue build, next night": build}
    if not args.recipe.exists():
        print(f"no yardstick at {args.recipe}: timing Segue alone")
        return commands
    recipe = [sys.executable, str(args.recipe), str(args.tracks), str(out), "--algorithm"]
    return commands | {f"notebook, {name}": [*recipe, name] for name in ("brute", "kd_tree")}


def main() -> None:
    """Run the commands in turn and print the table."""
    args = arguments()
    figures: dict[str, list[tuple[float, float, float]]] = {}
    stages: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as scratch:
        home, out = Path(scratch) / "home", Path(scratch) / "notebook.db"
        commands = contenders(args, home, out)
        for _ in range(args.runs):
            for name, command in commands.items():
                shutil.rmtree(home, ignore_errors=True)
                out.unlink(missing_ok=True)
                kept = {"PREFECT_HOME": f"{scratch}/prefect"} if "next night" in name else {}
                figures.setdefault(name, []).append(measured(command, {**os.environ, **kept}))
                if "--direct" in name:
                    manifest = home / "current" / "manifest.json"
                    stages.append(json.loads(manifest.read_text())["seconds"])
    print(f"{args.tracks.name}, median of {args.runs}: wall s, processor s, peak MB")
    for name, rows in figures.items():
        wall, cpu, peak = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"  {name:24s} {wall:8.1f} {cpu:8.1f} {peak:8.0f}")
    for stage in stages[0]:
        print(f"    {stage:22s} {statistics.median(run[stage] for run in stages):8.2f}")


if __name__ == "__main__":
    main()
