"""Which search for neighbours a build uses: settings and vectors come in, an engine goes out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flows.settings import Settings
from models.arrays import SingleMatrix
from models.neighbours.boxes import Boxes
from models.neighbours.engine import Engine
from warehouse.errors import InputError, SegueError

LOCAL = "local"
CONNECT_SECONDS = 20


@contextmanager
def engine(settings: Settings, vectors: SingleMatrix) -> Iterator[Engine]:
    """Lay vectors out for search, here or on a cluster, and let go of it in the end.

    Args:
        settings: ``engine`` says whether the search is exact, ``dask`` where it runs.
        vectors: shape ``(n_songs, n_columns)``.

    Raises:
        InputError: the settings ask for what is not installed, or for an approximate search on a
            cluster.
        SegueError: the cluster does not answer, or lost all of its workers.
    """
    if settings.engine == "ivf":
        _require_alone(settings)
        yield _inverted_file(vectors)
    elif settings.dask:
        with _cluster(settings.dask) as client, _lost_workers():
            from models.neighbours.dask import Cluster  # noqa: PLC0415 - an optional extra

            yield Cluster(vectors, client)
    else:
        yield Boxes(vectors)


def _require_alone(settings: Settings) -> None:
    if settings.dask:
        raise InputError(
            "SEGUE_ENGINE=ivf runs on one machine, but SEGUE_DASK is also set. Leave one out."
        )


def _inverted_file(vectors: SingleMatrix) -> Engine:
    try:
        from models.neighbours.ivf import InvertedFile  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise _absent("SEGUE_ENGINE=ivf", "ivf", error) from None
    return InvertedFile(vectors)


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    """Connect to a scheduler, or start one with a process for each processor on this machine."""
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise _absent("SEGUE_DASK", "dask", error) from None
    if address == LOCAL:
        how = {"processes": True, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
        with LocalCluster(host="127.0.0.1", **how) as cluster, Client(cluster) as client:
            yield client
        return
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (TimeoutError, OSError, ValueError) as error:
        raise SegueError(
            f"No Dask scheduler answers at {address} ({error}). Start one with `uv run dask "
            "scheduler` and workers with `uv run dask worker`, or leave out SEGUE_DASK."
        ) from None
    with client:
        yield client


@contextmanager
def _lost_workers() -> Iterator[None]:
    """Say in words that a cluster gave up."""
    from concurrent.futures import CancelledError  # noqa: PLC0415

    from distributed import KilledWorker  # noqa: PLC0415 - an optional extra
    from distributed.client import FutureCancelledError  # noqa: PLC0415 - an optional extra

    try:
        yield
    except (KilledWorker, CancelledError, FutureCancelledError) as error:
        raise SegueError(
            f"The Dask cluster lost its workers during the search ({error}). Nothing was "
            "published. Do they have enough memory? Each holds all vectors."
        ) from None


def _absent(setting: str, extra: str, error: ModuleNotFoundError) -> InputError:
    return InputError(
        f"{setting} needs {error.name}, which is not installed. Run: uv sync --extra {extra}"
    )
