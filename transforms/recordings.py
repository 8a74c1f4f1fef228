"""Recordings of MusicBrainz that songs may be come in; the surest one of each song goes out."""

from collections.abc import Sequence

import polars as pl

from warehouse.contracts import SONG_MBIDS


def surest(read: Sequence[pl.DataFrame], songs: pl.DataFrame) -> pl.DataFrame:
    """Return one recording for each song of the catalogue for which any is told.

    Args:
        read: each as ``SONG_MBIDS``, perhaps with songs that the catalogue lacks; where two are
            equally sure, the earlier counts.
        songs: ``song_id``.

    Returns:
        As ``SONG_MBIDS``, by ``song_id``.
    """
    return (
        pl.concat(read)
        .join(songs.select("song_id"), on="song_id", how="semi")
        .sort("confidence", descending=True, maintain_order=True)
        .unique("song_id", keep="first", maintain_order=True)
        .select(SONG_MBIDS.schema.keys())
        .sort("song_id")
    )
