"""Builds that are killed, starved or fed half a file: what was published stays, the next heals."""

import gzip
import resource
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows.nightly import run
from flows.nightly.plan import begin, held, planned
from flows.nightly.progress import Progress
from flows.settings import settings
from tests.builds.killing import kill_at
from warehouse.errors import InputError, SegueError
from warehouse.manifest import read_manifest
from warehouse.release import Home, builds, published

pytestmark = pytest.mark.slow

SEGUE = Path(sys.executable).with_name("segue")
STAGES = (
    *(
        "read",
        "gathered",
        "merged",
        "matched",
        "encoded",
        "searched",
        "explained",
        "mapped",
        "summed",
        "drawn",
        "compared",
        "written",
        "checked",
        "twinned",
    ),
    "published",
)

MOMENTS = (
    "os.rename manifest.json",  # everything is written but the manifest
    "os.rename warehouse.duckdb",  # the manifest is there, nothing has moved
    "os.symlink .current.pending",
    "os.rename current",  # between manifest and promotion, at the last moment
    "os.remove manifest.json",  # promoted; an old build is being deleted
)
FILES = ("tracks.csv", "artists.csv", "playlists.csv")
SERVED_ALREADY = ("published", "os.remove manifest.json")


@pytest.fixture(scope="module")
def served(build, golden, tmp_path_factory):
    """Return a home that serves a build and keeps one before it."""
    home = tmp_path_factory.mktemp("served") / "var"
    build(home, golden / "tracks.csv", neighbours=1)
    build(home, golden / "tracks.csv", neighbours=3)
    return home


@pytest.fixture(scope="module")
def killed(served, golden, tmp_path_factory):
    """Return, for each moment, a home in which a build was killed then."""

    def kill(moment):
        home = tmp_path_factory.mktemp("killed") / "var"
        shutil.copytree(served, home, symlinks=True)
        ended = kill_at(moment, home, [golden / name for name in FILES])
        assert ended == -signal.SIGKILL
        return home

    moments = (*STAGES, *MOMENTS)
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(moments, pool.map(kill, moments), strict=True))


@pytest.mark.parametrize("moment", [*STAGES, *MOMENTS])
def test_kill_9_leaves_a_whole_build_served_and_the_next_run_heals(
    moment, killed, served, build, golden, signals, snapshot, rows
):
    home = killed[moment]
    old = published(Home(served))
    now = published(Home(home))
    if moment in SERVED_ALREADY:
        assert read_manifest(now).parameters["neighbours"] == 2
    else:
        assert now.name == old.name
        assert snapshot(now) == snapshot(old)
    assert {path: facts["sha256"] for path, facts in read_manifest(now).files.items()}.items() <= (
        snapshot(now).items()
    )

    healed = build(home, golden / "tracks.csv", neighbours=2, **signals)
    assert rows(healed, "select sum(entries) from unmatched_tracks") == [(2,)]
    assert rows(healed, "select count(*) from recommendations") == [(24,)]
    assert read_manifest(healed).parameters["neighbours"] == 2
    if moment not in SERVED_ALREADY:
        assert healed.name > old.name
    left = [path.name for path in home.iterdir()]
    assert {name for name in left if "pending" in name} <= (
        set() if moment not in SERVED_ALREADY else {".warehouse.pending.duckdb"}
    )
    whole = {manifest.name for manifest in builds(Home(home))}
    if moment not in SERVED_ALREADY:
        assert {path.name for path in (home / "builds").iterdir()} == whole


def test_what_a_killed_run_would_have_made_is_what_the_next_run_makes(
    killed, build, golden, signals, tmp_path
):
    healed = build(killed["explained"], golden / "tracks.csv", neighbours=2, **signals)
    clean = build(tmp_path, golden / "tracks.csv", neighbours=2, **signals)
    for table in ("recommendations", "songs", "sources", "artist_genres", "unmatched_tracks"):
        name = f"parquet/{table}.parquet"
        assert (healed / name).read_bytes() == (clean / name).read_bytes()
    for name in ("encoder", "vectors"):
        path = f"models/{name}.joblib"
        assert (healed / path).read_bytes() == (clean / path).read_bytes()


def starved(home, limit, *words):
    """Build by the real command while no file may grow beyond some bytes, as on a full disk."""
    return subprocess.run(
        [SEGUE, "build", "--direct", "--home", home, *words],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("limit", "stage"),
    [(200_000, "File too large"), (1_700_000, "gathered"), (4_500_000, "encoded")],
)
def test_a_full_disk_gives_one_message_and_changes_nothing_published(
    demo_home, snapshot, limit, stage
):
    before = snapshot(demo_home)
    run = starved(demo_home, limit, "--force")
    assert run.returncode == 1
    told = [line for line in run.stderr.splitlines() if line.startswith("Error: ")]
    assert len(told) == 1
    assert told[0].startswith("Error: Could not read or write: ")
    assert "Traceback" not in run.stderr
    assert "nanobind" not in run.stderr
    assert stage in run.stderr
    after = snapshot(demo_home)
    assert after.pop("runs.db") != before.pop("runs.db")  # the run is noted, and nothing else
    assert after == before
    assert run.stdout == ""


def test_a_file_that_is_cut_short_while_being_read_stops_the_build(
    build, golden, snapshot, tmp_path
):
    served = build(tmp_path / "var", golden / "tracks.csv", neighbours=3)
    before = snapshot(served)
    whole = gzip.compress((golden / "tracks.csv").read_bytes() * 400)
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.csv\.gz: .*(damaged|cannot be read)"):
        build(tmp_path / "var", tmp_path / "cut.csv.gz", neighbours=3)
    assert published(Home(tmp_path / "var")) == served
    assert snapshot(served) == before


@pytest.mark.parametrize("change", ["longer", "replaced", "gone"])
def test_a_file_that_changes_after_it_was_hashed_stops_the_build(golden, tmp_path, change):
    tracks = Path(shutil.copy(golden / "tracks.csv", tmp_path / "tracks.csv"))
    plan = planned(settings(home=tmp_path / "var", tracks=[tracks], neighbours=3))
    if change == "longer":
        with tracks.open("a") as file:
            file.write("\n")
    elif change == "replaced":
        shutil.copy(golden / "tracks.csv", tmp_path / "other.csv").replace(tracks)
    else:
        tracks.unlink()
    steps = (step for stage in run.STEPS.values() for step in stage)
    with pytest.raises(InputError, match=r"tracks\.csv: (changed|could)"):
        run.refresh(plan, True, Progress(bars=False), steps)
    assert not plan.home.current.exists()


def test_a_failed_build_on_a_failing_disk_leaves_no_half_made_files(build, golden, tmp_path):
    served = build(tmp_path, golden / "tracks.csv", neighbours=3)
    plan = planned(settings(home=tmp_path, tracks=[golden / "tracks.csv"], neighbours=2))

    def build_with_a_file_in_the_place_of_a_folder():
        with held(plan.home):
            begun = begin(plan)
            (begun.build / "models").write_text("not a folder")
            for step in (*run.STEPS["ingest"], *run.STEPS["recommend"]):
                step(begun, Progress(bars=False))

    with pytest.raises(SegueError, match=r"models.*\n.*is untouched"):
        build_with_a_file_in_the_place_of_a_folder()
    assert [path.name for path in (tmp_path / "builds").iterdir()] == [served.name]
    assert not plan.home.pending_warehouse.exists()
