"""How good the lists are: the outcome of a build comes in, rows of ``evaluation`` go out.

The measures themselves are in ``models``; here they are applied to the lists of a build and to the
baselines, and compared with the last build's.
"""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from models import ranking
from models.arrays import IndexMatrix, SingleMatrix
from models.encoder.listening_blocks import Listening
from models.judging import baselines, evaluation, exactness, exposure, queries
from models.judging.evaluation import DEPTH, HEADLINE, Measure
from models.neighbours.engine import Engine
from transforms import evaluation as laid_out
from warehouse import contracts, export
from warehouse.gates import Check
from warehouse.manifest import read_manifest

SEGUE = "segue"
WANTED = ("song_id", "artist", "artists", "album", "popularity", *laid_out.AUDIO)
LEARNT, COPIED = "held-out playlists learnt from", "held-out playlists set aside"


@dataclass(frozen=True)
class Asked:
    """What held-out playlists ask.

    Args:
        queries: marked as learnt where any of the playlists was learnt from.
        playlists: how many were held out.
        learnt: how many of them were learnt from.
        copied: how many were set aside, as nearly the same one was learnt from.
    """

    queries: queries.Queries
    playlists: int
    learnt: int
    copied: int

    @property
    def measures(self) -> list[Measure]:
        """The number learnt from, which should be 0, and the number set aside."""
        counts = {LEARNT: self.learnt, COPIED: self.copied} if self.playlists else {}
        return [
            Measure(name, SEGUE, evaluation.CATALOGUE, float(count), None, None, self.playlists)
            for name, count in counts.items()
        ]


@dataclass(frozen=True)
class Judged:
    """What a build made of its songs; a row for each, in the order of ``song_id``.

    Args:
        rows: the songs with what ``WANTED`` names.
        families: shape ``(n_songs,)``, a number from 0 up for each family.
        genres: shape ``(n_songs, n_genres)``, 0 or 1.
        vectors: shape ``(n_songs, n_columns)``.
        rules: what the lists keep to.
        listening: what the vectors learnt from; none where there were no playlists.
        search: among the vectors.
    """

    rows: pl.DataFrame
    families: IndexMatrix
    genres: csr_array
    vectors: SingleMatrix
    rules: ranking.Rules
    listening: Listening | None
    search: Engine

    @cached_property
    def catalogue(self) -> queries.Catalogue:
        """Families and credits."""
        return queries.Catalogue(self.families, *laid_out.credits(self.rows))

    @cached_property
    def training(self) -> queries.Entries:
        """The entries that the vectors learnt from, each as the first song of its family."""
        if self.listening is None:
            return queries.Entries(*np.empty((2, 0), dtype=np.int64))
        known = self.listening.families >= 0
        first = self.catalogue.first_songs[self.listening.families[known]]
        return queries.Entries(self.listening.playlists[known].astype(np.int64), first)

    @cached_property
    def sample(self) -> IndexMatrix:
        """A sample of the songs, for measures that would take too long on all."""
        return exactness.sampled_songs(len(self.vectors))

    @cached_property
    def nearest(self) -> IndexMatrix:
        """The ``DEPTH`` nearest others of the sample, or all others of a small catalogue."""
        return self.search.nearest_others(min(DEPTH, len(self.vectors) - 1), self.sample)[0]


def kept(judged: Judged) -> dict[str, Any]:
    """Return what a build keeps so that it can be judged later, for ``judged_again``."""
    listening = asdict(judged.listening) if judged.listening is not None else None
    if listening is not None:
        listening = {name: numbers.astype(np.int32) for name, numbers in listening.items()}
    rules = asdict(replace(judged.rules, companions=None))
    return {"rules": rules, "listening": listening}


def asked(judged: Judged, held_out: queries.Entries) -> Asked:
    """Draw queries from the held-out playlists, except those of which a copy was learnt from.

    Public playlists are copied under other names, so copies are set aside. If a held-out playlist
    itself was learnt from, something is wrong: the queries are then drawn anyway, and marked.
    """
    leaks = queries.leaked(judged.catalogue, held_out, judged.training)
    learnt = np.isin(leaks, judged.training.playlists)
    fine = ~np.isin(held_out.playlists, leaks[~learnt])
    fair = queries.Entries(held_out.playlists[fine], held_out.songs[fine])
    drawn = queries.drawn_queries(judged.catalogue, fair, judged.training, bool(learnt.any()))
    playlists = len(np.unique(held_out.playlists))
    return Asked(drawn, playlists, int(learnt.sum()), int((~learnt).sum()))


def accuracy(judged: Judged, drawn: queries.Queries, lists: IndexMatrix) -> list[Measure]:
    """Measure the lists and the baselines on held-out playlists.

    Args:
        judged: what the build made.
        drawn: what is asked.
        lists: shape ``(n_queries, k)``, the published lists of ``drawn.songs``.

    Returns:
        An empty list if there are no queries.
    """
    if not len(drawn.songs):
        return []
    case, training = (judged.catalogue, drawn), judged.training
    popularity = laid_out.popularity(judged.rows)
    found = {
        SEGUE: _deep(judged, drawn.songs, lists),
        "random": baselines.random(*case),
        "popular": baselines.popular(*case, training, popularity),
    }
    audio = laid_out.audio(judged.rows)
    if not np.isnan(audio).all():
        found["z-scored audio"] = baselines.zscored_audio(*case, audio)
    if judged.genres.nnz:
        found["same genre"] = baselines.same_genre(*case, training, popularity, judged.genres)
    if len(training.songs):
        found["co-occurrence"] = baselines.co_occurrence(*case, training)
    return [m for model, deep in found.items() for m in evaluation.measured(*case, deep, model)]


def _deep(judged: Judged, songs: IndexMatrix, lists: IndexMatrix) -> IndexMatrix:
    each, first, which = np.unique(songs, return_index=True, return_inverse=True)
    depth = min(ranking.DEEPER * DEPTH, len(judged.vectors) - 1)
    near = ranking.Candidates(each, *judged.search.nearest_others(depth, each))
    return ranking.continued(judged.vectors, judged.rules, near, lists[first], DEPTH)[which]


def spread(judged: Judged, lists: IndexMatrix, genres_are_features: bool) -> list[Measure]:
    """Measure the effect of a whole set of lists on the catalogue, which needs no playlists.

    Args:
        judged: what the build made.
        lists: shape ``(n_songs, k)``, the published lists, -1 where one is short.
        genres_are_features: the vectors contain genres, so they cannot be judged by genre.
    """
    measures = [
        *exposure.coverage(judged.catalogue, lists, SEGUE),
        *exposure.popularity_drift(lists, laid_out.popularity(judged.rows), SEGUE),
        *exposure.intra_list_similarity(lists, judged.vectors, SEGUE),
        *exactness.exactness(judged.vectors, judged.sample, judged.nearest, SEGUE),
    ]
    if not genres_are_features:
        measures += exposure.genre_lift(judged.catalogue, lists, judged.genres, SEGUE)
    return measures


def proxies(judged: Judged) -> list[Measure]:
    """Return measures that need no playlists, for vectors without genres of artists."""
    labels = {"same album": laid_out.albums(judged.rows), "same artist": judged.rules.artists}
    none = np.empty(0, dtype=np.int64)
    sample, never = judged.sample, np.zeros(len(judged.sample), dtype=np.bool_)
    drawn = queries.Queries(sample, sample, never, none, none, learnt=False)
    found = {
        SEGUE: judged.nearest,
        "random": baselines.random(judged.catalogue, drawn),
    }
    audio = laid_out.audio(judged.rows)
    if not np.isnan(audio).all():
        found["z-scored audio"] = baselines.zscored_audio(judged.catalogue, drawn, audio)
    return [
        measure
        for model, lists in found.items()
        for measure in exposure.proxies(judged.catalogue, labels, sample, lists, model)
    ]


def measures(
    judged: Judged, held_out: queries.Entries, lists: IndexMatrix, genres_are_features: bool
) -> list[Measure]:
    """Return all measures of a build's own lists.

    Args:
        judged: what the build made.
        held_out: entries of the playlists that nothing was learnt from.
        lists: shape ``(n_songs, k)``, the published lists, -1 where one is short.
        genres_are_features: the vectors contain genres.
    """
    question = asked(judged, held_out)
    found = accuracy(judged, question.queries, lists[question.queries.songs])
    if not found and judged.listening is None and not genres_are_features:
        found = proxies(judged)
    return [*found, *question.measures, *spread(judged, lists, genres_are_features)]


def headline_check(build: Path, last: Path | None, tolerance: float, parameters: Any) -> Check:
    """Compare a build's headline with that of the build being served, if they are comparable.

    Both must have used the same playlist files and held out the same share of them.

    Args:
        build: folder of the new build, complete but for its manifest.
        last: folder of the build that is served, if there is one.
        tolerance: share by which the headline may fall.
        parameters: of the new build.
    """
    about = f"{HEADLINE} is close to the served build's, if both hold out the same playlists."
    advice = "If this is intended, raise SEGUE_EVALUATION_TOLERANCE for this run."
    fall, shown = 0.0, ""
    if last is not None and _comparable(build, last, parameters):
        now, before = _headline(build), _headline(last)
        if now is not None and before is not None:
            fell = evaluation.fell(now, before, 0.0, now.n == before.n)
            fall = (before.value - now.value) / before.value if fell else 0.0
            shown = f"{HEADLINE} {before.value:.4f} before, {now.value:.4f} now, {now.n:,} queries"
    offenders = (shown,) if fall > tolerance else ()
    return Check("headline_near_last_build", about, fall, tolerance, offenders, advice)


def recall_check(build: Path, engine: str, min_recall: float) -> Check:
    """Hold the search to the definition: an exact one to all that is nearest, else to a share.

    Args:
        build: folder of the new build, complete but for its manifest.
        engine: which search it was.
        min_recall: share of the nearest songs that a search which is not exact has to find.
    """
    least = 1.0 if engine == "exact" else min_recall
    about = f"The search found {least:.4g} of the nearest songs at least, on a sample of all."
    recall = _measure(build, exactness.EXACTNESS, evaluation.CATALOGUE)
    missed = 0.0 if recall is None else 1 - recall.value
    shown = f"{missed:.4%} of the nearest were not found" if recall is not None else ""
    offenders = (shown,) if missed > 1 - least else ()
    advice = "Search exactly (SEGUE_ENGINE=exact), or lower SEGUE_MIN_RECALL."
    return Check("nearest_songs_found", about, missed, 1 - least, offenders, advice)


def _comparable(build: Path, last: Path, parameters: Any) -> bool:
    before = read_manifest(last)
    return (
        contracts.EVALUATION.name in before.counts
        and before.parameters.get("held_out_share") == parameters["held_out_share"]
        and _playlists(build) == _playlists(last)
    )


def _playlists(build: Path) -> list[str]:
    files = export.rows(build / export.FILE, contracts.SOURCES, ("kind", "sha256"))
    return sorted(sha256 for kind, sha256 in files if kind == "playlists")


def _headline(build: Path) -> Measure | None:
    return _measure(build, HEADLINE, "all")


def _measure(build: Path, metric: str, split: str) -> Measure | None:
    rows = (Measure(*row) for row in export.rows(build / export.FILE, contracts.EVALUATION))
    wanted = (metric, SEGUE, split)
    return next((row for row in rows if (row.metric, row.model, row.split) == wanted), None)
