"""Measure the rating model beside others: a rating file comes in, errors and seconds go out.

    uv run python tests/benchmarks/ratings.py FILE
    uv run --with scikit-surprise python tests/benchmarks/ratings.py FILE

FILE holds user, song and rating in its first three columns, tabs between them, without a header.
Every model sees the same five folds. Cold visitors are a fifth of the users, in turn, whom no fit
has seen; five of their ratings are revealed, or five songs are asked of the hundred best known and
what they did not rate they do not know. Errors are root mean squares, in stars.
"""

import argparse
import sys
import time
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans

from models.ratings.factorisation import Recipe, fitted
from models.ratings.prediction import folded_in, predicted, worth_asking

FOLDS = 5
REVEALED = 5
POOL = 100
DRAWS = (2, 3, 4)


class Ratings:
    """Users, songs and ratings as arrays; users and songs numbered from 0."""

    def __init__(self, path: Path) -> None:
        columns = np.loadtxt(path, usecols=(0, 1, 2), delimiter="\t", dtype=str).T
        self.users, self.songs = (np.unique(c, return_inverse=True)[1] for c in columns[:2])
        self.ratings = columns[2].astype(float)
        self.shape = int(self.users.max()) + 1, int(self.songs.max()) + 1

    def fit(self, kept, **recipe):
        """Fit on the ratings that a mask keeps."""
        rows = self.users[kept], self.songs[kept], self.ratings[kept]
        return fitted(*rows, self.shape, Recipe(**recipe))

    def song_means(self, kept):
        """Return each song's mean rating, or the mean of all."""
        songs, ratings = self.songs[kept], self.ratings[kept]
        count = np.bincount(songs, minlength=self.shape[1])
        total = np.bincount(songs, ratings, minlength=self.shape[1])
        return np.where(count > 0, total / np.maximum(count, 1), ratings.mean())


def rmse(errors):
    """Return the root of the mean square of lists of errors."""
    return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


def surprise_guesses(data, kept, algorithm):
    """Return what one of scikit-surprise's algorithms predicts for the ratings not kept."""
    from surprise import Dataset, Reader

    rows = zip(data.users[kept], data.songs[kept], data.ratings[kept], strict=True)
    triples = [(int(user), int(song), float(rating), None) for user, song, rating in rows]
    learnt = Dataset(Reader(rating_scale=(1, 5))).construct_trainset(triples)
    began = time.perf_counter()
    algorithm.fit(learnt)
    took = time.perf_counter() - began
    held = zip(data.users[~kept].tolist(), data.songs[~kept].tolist(), strict=True)
    return np.array([algorithm.predict(user, song).est for user, song in held]), took


def contenders(data, kept):
    """Yield name, guesses for the ratings not kept and seconds of the fit, for each model."""
    users, songs = data.users[~kept], data.songs[~kept]
    yield "mean of all", np.full(len(users), data.ratings[kept].mean()), 0.0
    yield "mean of the song", data.song_means(kept)[songs], 0.0
    for name, factors in {"ours, biases only": 0, "ours": Recipe().factors}.items():
        began = time.perf_counter()
        model, vectors = data.fit(kept, factors=factors)
        took = time.perf_counter() - began
        yield name, predicted(model, vectors[users], songs), took
    if find_spec("surprise"):
        from surprise import SVD, BaselineOnly

        yield "surprise, biases only", *surprise_guesses(data, kept, BaselineOnly(verbose=False))
        yield "surprise, SVD", *surprise_guesses(data, kept, SVD(random_state=0))


def warm(data):
    """Print errors in five folds of the ratings."""
    fold = np.random.default_rng(0).permutation(len(data.ratings)) % FOLDS
    errors, seconds = defaultdict(list), defaultdict(list)
    for number in range(FOLDS):
        kept = fold != number
        for name, guesses, took in contenders(data, kept):
            errors[name].append(guesses - data.ratings[~kept])
            seconds[name].append(took)
    print(f"{FOLDS} folds                     RMSE   s a fit")
    for name in errors:
        print(f"  {name:24s} {rmse(errors[name]):.4f}  {np.median(seconds[name]):6.2f}")


def cold(data):
    """Print errors for visitors of whom five ratings, drawn at random, are known."""
    rng = np.random.default_rng(1)
    group = rng.permutation(data.shape[0]) % FOLDS
    order = np.lexsort((rng.random(len(data.users)), data.users))
    nth = np.empty(len(order), dtype=int)
    sorted_users = data.users[order]
    nth[order] = np.arange(len(order)) - np.searchsorted(sorted_users, sorted_users)
    errors, milliseconds = defaultdict(list), []
    for number in range(FOLDS):
        unseen = group[data.users] == number
        shown, hidden = unseen & (nth < REVEALED), unseen & (nth >= REVEALED)
        users, songs, held = (a[hidden] for a in (data.users, data.songs, data.ratings))
        errors["mean of the song"].append(data.song_means(~unseen)[songs] - held)
        for name, factors in {"biases only": 0, "folded in": Recipe().factors}.items():
            model, vectors = data.fit(~unseen, factors=factors)
            for user in np.unique(data.users[shown]):
                own = shown & (data.users == user)
                began = time.perf_counter()
                vectors[user] = folded_in(model, data.songs[own], data.ratings[own])
                milliseconds.append(1000 * (time.perf_counter() - began))
            errors[name].append(predicted(model, vectors[users], songs) - held)
        model, vectors = data.fit(~unseen | shown)
        errors["all learnt again"].append(predicted(model, vectors[users], songs) - held)
    print(f"cold, {REVEALED} revealed            RMSE")
    for name in errors:
        print(f"  {name:24s} {rmse(errors[name]):.4f}")
    median, slow = np.percentile(milliseconds, [50, 99])
    print(f"a fold-in takes {median:.3f} ms, 99 % under {slow:.3f} ms")


class Quiz:
    """Asks the unseen users of one fold, who know the songs that they have rated."""

    def __init__(self, data, unseen, seed):
        self.model, _ = data.fit(~unseen)
        count = self.model.ratings
        self.pool = np.argsort(-count, kind="stable")[:POOL]
        self.known = np.where(np.isin(np.arange(len(count)), self.pool), count, 0).astype(float)
        scaled = self.model.vectors * np.sqrt(self.model.spread[1:])
        self.tastes = KMeans(10, random_state=0, n_init=1).fit_predict(scaled)
        deviation = (data.ratings - data.song_means(~unseen)[data.songs]) ** 2
        total = np.bincount(data.songs[~unseen], deviation[~unseen], minlength=len(count))
        self.split = total / np.maximum(count, 1)
        self.rng = np.random.default_rng(seed)
        self.first = worth_asking(self.model, self.known, self.tastes, np.array([], dtype=int))

    def adaptive(self, rated, answers):
        """Ask five after five, with regard to the answers, until there are so many answers."""
        known, asked = self.known.copy(), np.array([], dtype=int)
        while known.any() and np.isin(asked, rated).sum() < answers:
            five = worth_asking(self.model, known, self.tastes, asked[np.isin(asked, rated)])
            asked, known[five] = np.append(asked, five), 0
        return asked

    def questions(self, rated, answers):
        """Yield the name of each way to ask and the songs in the order in which they come."""
        yield "asked: ours", self.adaptive(rated, answers) if answers else self.first
        yield "asked: best known", self.pool
        split = self.known * self.split
        yield "asked: known x variance", np.argsort(-split, kind="stable")[:POOL]
        for _ in range(4):
            yield "asked: random well-known", self.rng.permutation(self.pool)

    def results(self, data, own):
        """Yield how one user was asked, the mean square error then and the number of answers."""
        inside = own & np.isin(data.songs, self.pool)
        hidden = own & ~inside
        stars = np.full(data.shape[1], np.nan)
        stars[data.songs[inside]] = data.ratings[inside]
        for answers in (0, REVEALED) if hidden.any() else ():
            for name, order in self.questions(data.songs[inside], answers):
                heard = order if answers else order[:REVEALED]
                told = heard[~np.isnan(stars[heard])][:REVEALED]
                visitor = folded_in(self.model, told, stars[told])
                gaps = predicted(self.model, visitor, data.songs[hidden]) - data.ratings[hidden]
                yield (answers, name), np.mean(gaps**2), len(told)


def asked(data):
    """Print errors outside the pool after five questions, and after five answers."""
    errors, answered = defaultdict(lambda: defaultdict(list)), defaultdict(list)
    for draw in DRAWS:
        group = np.random.default_rng(draw).permutation(data.shape[0]) % FOLDS
        for number in range(FOLDS):
            quiz = Quiz(data, group[data.users] == number, draw)
            for user in np.flatnonzero(group == number):
                for way, gap, answers in quiz.results(data, data.users == user):
                    errors[way][int(user)].append(gap)
                    answered[way].append(answers)
    base = "asked: random well-known"
    print("each visitor counted once       RMSE  answers  against random, mean square")
    for (answers, name), found in errors.items():
        own, random = (
            np.array([np.mean(v) for v in e.values()]) for e in (found, errors[answers, base])
        )
        gap, spread = (own - random).mean(), (own - random).std() / np.sqrt(len(own))
        print(
            f"  {'five answers' if answers else 'five asked':12s} {name:25s} "
            f"{np.sqrt(own.mean()):.4f}  {np.mean(answered[answers, name]):.1f}  "
            f"{gap:+.4f} +- {spread:.4f}"
        )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    data = Ratings(parser.parse_args().file)
    print(f"{len(data.ratings)} ratings, {data.shape[0]} users, {data.shape[1]} songs")
    for table in (warm, cold, asked):
        table(data)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
