"""Weigh score against burying songs: a home and playlists come in, figures and a picture go out.

    uv run python tests/benchmarks/ablation.py measure HOME PLAYLISTS.csv.gz >> ablation.jsonl
    uv run python tests/benchmarks/ablation.py plot ablation.jsonl docs/images/hub-cap.svg
    uv run python tests/benchmarks/ablation.py steps ablation.jsonl docs/images/ablation.svg

The first ranks the songs of the served build again, under other hub caps and bonuses, and scores
the lists on playlists that it has not seen: some minutes a line for 327,000 songs. The lines that
are committed were measured on candidates of an approximate search among the same vectors, with
the playlists of training learnt and asked on those of validation.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from flows.judging import measures as evaluating
from flows.judging import score as evaluate
from models import ranking
from models.judging import evaluation, exposure
from warehouse.release import Home, published

CAPS = (8, 10, 11, 12, 13, 14, 16, 20, 30, 50)
BONUSES = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0, 1.2)
NAMED = {"all": "genres and playlists", "genres": "genres, no playlists"}
STEPS = {
    "none": "k*",
    "no adoption": "s",
    "local scaling": "o",
    "mutual proximity": "^",
    "mmr": "x",
}


def measure(home, playlists):
    """Print a line of JSON for each hub cap and each bonus."""
    build = published(Home(home))
    judged = evaluate.judged_again(build)
    asked = evaluating.asked(
        judged, evaluate.held_out(judged, evaluate.found_entries(build, [playlists]))
    )
    own = judged.rules
    tried = [replace(own, hub_cap=cap) for cap in CAPS]
    tried += [replace(own, bonus=bonus) for bonus in BONUSES]
    for rules in tried:
        lists = ranking.recommended(judged.search, judged.vectors, rules, 2 * ranking.PAGE).songs
        scores = evaluation.accuracy(judged.catalogue, asked.queries, lists[asked.queries.songs])
        spread = {m.metric: m.value for m in exposure.coverage(judged.catalogue, lists, "segue")}
        line = {
            "signals": "genres" if judged.listening is None else "all",
            "step": "none",
            "bonus": rules.bonus,
            "hub_cap": rules.hub_cap,
            "ndcg": float(scores[:, 0].mean()),
            "skewness": spread["N5 skewness"],
            "never": spread["never recommended"],
        }
        print(json.dumps(line), flush=True)


def plot(log, picture):
    """Draw the headline over the skewness, a point for each hub cap, and over the bonus."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    plain = [line for line in lines if line["step"] == "none"]
    mpl.rcParams.update({"svg.hashsalt": "segue", "font.size": 9})
    figure, panels = plt.subplots(2, 2, figsize=(8, 5.6), layout="constrained")
    for (left, right), (signals, name), bonus in zip(
        panels, NAMED.items(), (0.7, 0.15), strict=True
    ):
        mine = [line for line in plain if line["signals"] == signals]
        caps = [line for line in mine if line["bonus"] == bonus and line["hub_cap"] is not None]
        caps.sort(key=lambda line: line["hub_cap"])
        left.plot([c["skewness"] for c in caps], [c["ndcg"] for c in caps], "o-", ms=4)
        for cap in caps:
            if cap["hub_cap"] in (8, 10, 13, 20, 30, 50, 100):
                at = (cap["skewness"], cap["ndcg"])
                left.annotate(cap["hub_cap"], at, (4, -10), textcoords="offset points")
        left.axvline(1, color="grey", lw=0.8, ls="--")
        left.set(xlabel="N5 skewness (bound 1)", ylabel="NDCG@5-AF", title=f"hub cap, {name}")
        bonuses = sorted((line for line in mine if line["hub_cap"] == 13), key=lambda b: b["bonus"])
        right.plot([b["bonus"] for b in bonuses], [b["ndcg"] for b in bonuses], "o-", ms=4)
        right.set(xlabel="bonus for what is listened to", title=f"bonus, {name}")
        for panel in (left, right):
            panel.set_ylim(bottom=0)
    figure.savefig(picture, metadata={"Date": None})


def steps(log, picture):
    """Draw what other steps of the ranking come to beside the one taken, and each block's worth."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    mpl.rcParams.update({"svg.hashsalt": "segue", "font.size": 9})
    figure, panels = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
    for (left, right), (signals, name) in zip(panels, NAMED.items(), strict=True):
        mine = [line for line in lines if line["signals"] == signals]
        for step, mark in STEPS.items():
            tried = [line for line in mine if line["step"].startswith(step) and line["hub_cap"]]
            shown = [t for t in tried if step != "none" or t["hub_cap"] == 13]
            at = [t["skewness"] for t in shown], [t["ndcg"] for t in shown]
            left.plot(*at, mark, ms=5, label="hub cap alone" if step == "none" else step)
        left.axvline(1, color="grey", lw=0.8, ls="--")
        left.set(xlabel="N5 skewness (bound 1)", ylabel="NDCG@5-AF", title=f"steps, {name}")
        blocks = [line for line in mine if line["step"] == "block left out"][::-1]
        differences = [b["difference"] for b in blocks]
        errors = [1.96 * b["standard_error"] for b in blocks]
        right.barh([b["block"] for b in blocks], differences, xerr=errors)
        right.set(xlabel="NDCG@5-AF gained without it", title=f"a block left out, {name}")
    panels[0, 0].legend(fontsize=7)
    figure.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    {"measure": measure, "plot": plot, "steps": steps}[sys.argv[1]](*map(Path, sys.argv[2:4]))
