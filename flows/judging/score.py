"""Score a build on other playlists: a build's folder and files come in, measures go out."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from flows.judging import measures as evaluating
from models import ranking
from models.arrays import IndexMatrix
from models.companions import companions
from models.encoder.listening_blocks import Listening
from models.judging import queries
from models.judging.evaluation import CATALOGUE, HEADLINE, METRICS, Measure
from models.neighbours.boxes import Boxes
from transforms import arrays as features
from transforms import evaluation as laid_out
from transforms import matching, signals
from warehouse import contracts, export
from warehouse.errors import InputError
from warehouse.files import sources
from warehouse.manifest import load_model, read_manifest

HEADINGS = ("model", "split", "queries", HEADLINE, "95 %", *METRICS[1:])


@dataclass(frozen=True)
class Scored:
    """How a build did.

    Args:
        build: its name.
        measures: as in the table ``evaluation``.
        entries: entries of the playlists given; none for the build's own evaluation.
        found: how many of them are in the catalogue.
        asked: what the playlists ask.
    """

    build: str
    measures: list[Measure]
    entries: int = 0
    found: int = 0
    asked: evaluating.Asked | None = None

    @property
    def warnings(self) -> list[str]:
        """What is not held out, and what cannot be judged."""
        if self.asked is None:
            return []
        copied, learnt, all_of = self.asked.copied, self.asked.learnt, self.asked.playlists
        said = []
        if copied:
            said.append(f"{copied:,} of {all_of:,} playlists were learnt from and are left out.")
        if learnt:
            said.append(
                "All usable playlists were learnt from: the figures show how well the build fits "
                "what it knows, not how good it is."
            )
        if not len(self.asked.queries.songs):
            said.append(
                f"Nothing can be judged: no playlist has {queries.SHORTEST} to {queries.LONGEST} "
                "songs of the catalogue by several artists."
            )
        return said


def of_itself(build: Path) -> Scored:
    """Return a build's evaluation of itself.

    Raises:
        InputError: the build is older than the evaluation.
    """
    manifest = read_manifest(build)
    if contracts.EVALUATION.name not in manifest.counts:
        raise InputError(f"{build.name} is too old to evaluate. Build again: segue build")
    rows = export.rows(build / export.FILE, contracts.EVALUATION)
    return Scored(manifest.name, [Measure(*row) for row in rows])


def scored(build: Path, playlists: Sequence[Path]) -> Scored:
    """Score a build on playlists as it scores itself on those that it held out.

    Playlists that were learnt from, and copies of them, are left out. If that leaves nothing, they
    are used anyway, and the measures get the split ``learnt``.

    Args:
        build: folder of a published build; its models are loaded if they are as it says.
        playlists: files, as ``segue build`` takes them.

    Raises:
        InputError: a file cannot be used, or the build has no rules for continuing its lists.
    """
    judged = judged_again(build)
    matches = found_entries(build, playlists)
    entries = held_out(judged, matches)
    found = evaluating.asked(judged, entries)
    if not len(found.queries.songs) and found.copied:
        drawn = queries.drawn_queries(judged.catalogue, entries, judged.training, learnt=True)
        found = evaluating.Asked(drawn, found.playlists, found.copied, 0)
    lists = _published(build, judged.rows["song_id"], found.queries.songs)
    measures = evaluating.accuracy(judged, found.queries, lists)
    known = matches.filter(pl.col("song_id").is_not_null()).height
    return Scored(build.name, measures, matches.height, known, found)


def judged_again(build: Path) -> evaluating.Judged:
    """Return the outcome of a build, as it was judged when it was made."""
    if "models/rules.joblib" not in read_manifest(build).files:
        raise InputError(f"{build.name} is too old to evaluate. Build again: segue build")
    kept = cast(Mapping[str, Any], load_model(build, "rules"))
    wanted = (*evaluating.WANTED, "family_id")
    rows = export.frame(build / export.FILE, contracts.SONGS, wanted).sort("song_id")
    _, filed = features.genres(
        rows,
        export.frame(build / export.FILE, contracts.SONG_GENRES),
        export.frame(build / export.FILE, contracts.ARTIST_GENRES),
    )
    families, popularity = features.numbered(rows["family_id"]), laid_out.popularity(rows)
    listening = None if kept["listening"] is None else Listening(**kept["listening"])
    rules = ranking.Rules(**kept["rules"])
    if listening is not None:
        artists = features.numbered(features.artists(rows))
        heard = companions(listening, families, artists, popularity)
        rules = replace(rules, companions=heard)
    vectors = np.asarray(load_model(build, "vectors"))
    return evaluating.Judged(rows, families, filed, vectors, rules, listening, Boxes(vectors))


def found_entries(build: Path, playlists: Sequence[Path]) -> pl.DataFrame:
    """Read the files and find their songs as a build does."""
    readings = []
    for source in sources.opened((), {"playlists": playlists}):
        readings += [
            signals.cleaned_entries(batch.rows, source.name, source.stem).readings
            for batch in sources.batches(source)
        ]
    wanted = ("song_id", "title", "artist", "artists", "popularity")
    return matching.matched(
        pl.concat(readings), export.frame(build / export.FILE, contracts.SONGS, wanted)
    )


def held_out(judged: evaluating.Judged, matches: pl.DataFrame) -> queries.Entries:
    """Number the playlists, continuing after those learnt from."""
    number, songs, *_ = features.entries(matching.playlist_entries(matches, 1.0), judged.rows)
    first = int(judged.training.playlists.max(initial=-1)) + 1
    return queries.Entries(number[songs >= 0] + first, songs[songs >= 0])


def _published(build: Path, ids: pl.Series, songs: IndexMatrix) -> IndexMatrix:
    """Return the published lists of some songs, shape ``(n_songs, longest)``, -1 where short."""
    row = {song: number for number, song in enumerate(ids)}
    listed = "select recommended_song_id from recommendations where song_id = ? order by rank"
    with closing(export.opened(build / export.FILE)) as database:
        lists = [
            [row[other] for (other,) in database.execute(listed, [ids[int(song)]])]
            for song in songs
        ]
    longest = max(map(len, lists), default=0)
    padded = [mine + [-1] * (longest - len(mine)) for mine in lists]
    return np.array(padded, dtype=np.int64).reshape(len(lists), longest)


def accuracy_in_words(measures: Sequence[Measure]) -> list[tuple[str, ...]]:
    """Return a row under ``HEADINGS`` for each split and model, the best model of a split first."""
    lines: dict[tuple[str, str], dict[str, Measure]] = {}
    for measure in measures:
        if measure.metric in METRICS:
            lines.setdefault((measure.split, measure.model), {})[measure.metric] = measure
    best_first = sorted(lines.items(), key=lambda line: (line[0][0], -line[1][HEADLINE].value))
    return [
        (
            model,
            split,
            f"{found[HEADLINE].n:,}",
            f"{found[HEADLINE].value:.4f}",
            _interval(found[HEADLINE]),
            *(f"{found[metric].value:.4f}" for metric in METRICS[1:]),
        )
        for (split, model), found in best_first
    ]


def others_in_words(measures: Sequence[Measure]) -> list[tuple[str, ...]]:
    """Return metric, model, value and interval of what is measured without queries."""
    return [
        (m.metric, m.model, f"{m.value:.4g}", _interval(m))
        for m in measures
        if m.split == CATALOGUE
    ]


def _interval(measure: Measure) -> str:
    if measure.low is None or measure.high is None:
        return ""
    return f"{measure.low:.4f} to {measure.high:.4f}"
