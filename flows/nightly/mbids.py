"""Which recording of MusicBrainz a song is: fetched files come in, the table goes out."""

from pathlib import Path

import polars as pl

from flows.nightly.plan import Fetched, Plan
from flows.nightly.progress import Progress
from transforms.recordings import surest
from warehouse import contracts, store
from warehouse.errors import InputError

KIND = "mbids"


def attach_mbids(plan: Plan, progress: Progress) -> None:
    """Keep of each song the recording that is surest, and count where every row went.

    Raises:
        InputError: a file is no snapshot of recordings.
    """
    if not plan.mbids:
        return
    with (
        store.opened(plan.home.pending_warehouse) as warehouse,
        progress.stage("named", unit="rows") as advance,
    ):
        songs = warehouse.frame(contracts.MERGED_SONGS, ("song_id",))
        read = [_read(source.path) for source in plan.mbids]
        warehouse.replace(contracts.SONG_MBIDS, surest(read, songs))
        rows = [_accounted(plan, *both, songs) for both in zip(plan.mbids, read, strict=True)]
        others = warehouse.frame(contracts.SOURCES).filter(pl.col("kind") != KIND)
        warehouse.replace(contracts.SOURCES, pl.concat([others, *rows]))
        advance(sum(frame.height for frame in read))


def _read(path: Path) -> pl.DataFrame:
    schema = contracts.SONG_MBIDS.schema
    try:
        frame = pl.read_csv(path, schema_overrides=schema)
        return frame.select(schema.keys())
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"{path}: expected the columns {', '.join(schema)}: {str(error).splitlines()[0]}. "
            "Fetch it again: segue fetch musicbrainz:mbids"
        ) from error


def _accounted(
    plan: Plan, source: Fetched, frame: pl.DataFrame, songs: pl.DataFrame
) -> pl.DataFrame:
    """Return the row of ``sources`` of a file: how many of its songs the catalogue has."""
    known = plan.origins[source.name]
    found = frame.join(songs, on="song_id", how="semi").height
    counts = (frame.height, 0, 0, found, 0, frame.height - found, 0, 0)
    origin = (known.licence, known.url, known.fetched_at)
    row = (source.name, KIND, "song-mbids", source.sha256, *counts, *origin)
    return pl.DataFrame([row], schema=contracts.SOURCES.schema, orient="row")
