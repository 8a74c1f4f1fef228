"""Time each stage of a build: files come in, wall and processor seconds and peak memory go out.

    uv run python tests/benchmarks/stages.py TRACKS --home DIR [--genres FILE] [--playlists FILE]
        [--neighbours 5] [--dask local] [--engine ivf]

The build is made and published in DIR as `segue build --direct --force` would. The peak of a stage
is its own: Linux lets a process begin the count anew (proc(5), `clear_refs`). It does not hold the
memory of other processes, such as the workers of a cluster; neither do the processor seconds.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.nightly.plan import planned
from flows.nightly.progress import Advance, Progress
from flows.nightly.run import STEPS, refresh
from flows.settings import settings


def memory(name: str) -> float:
    """Return an amount of memory of this process in 10^6 bytes: VmHWM, the peak, or VmRSS."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(name))


class Meter(Progress):
    """Prints what each stage took as it ends."""

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "rows") -> Iterator[Advance]:
        """Measure the body as one stage."""
        Path("/proc/self/clear_refs").write_text("5")
        wall, worked = time.perf_counter(), time.process_time()
        with super().stage(name, total, unit) as advance:
            yield advance
        wall, worked = time.perf_counter() - wall, time.process_time() - worked
        row = f"{wall:8.1f} {worked:8.1f} {memory('VmHWM'):8.0f} {memory('VmRSS'):8.0f}"
        print(f"  {name:12s} {row}", flush=True)


def main() -> None:
    """Make the build and print a line for each stage."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tracks", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--genres", type=Path, action="append")
    parser.add_argument("--playlists", type=Path, action="append")
    parser.add_argument("--neighbours", type=int)
    parser.add_argument("--dask")
    parser.add_argument("--engine")
    given = vars(parser.parse_args())
    given["tracks"] = (given["tracks"],)
    print("  stage          wall s  cores s  peak MB   then MB")
    began, worked = time.perf_counter(), time.process_time()
    meter = Meter(bars=False)
    refresh(planned(settings(**given)), True, meter, [s for steps in STEPS.values() for s in steps])
    took, worked = time.perf_counter() - began, time.process_time() - worked
    build = given["home"] / "current"
    size = sum(file.stat().st_size for file in build.resolve().rglob("*") if file.is_file())
    print(f"  {'all':12s} {took:8.1f} {worked:8.1f} {'':17s} {size / 1e6:,.0f} MB on disk")


if __name__ == "__main__":
    main()
