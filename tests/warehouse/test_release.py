import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType

import joblib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.choices import CHURN, Choices, write_choices
from warehouse.errors import Busy, DamagedBuild, InputError, NothingPublished, OtherVersion
from warehouse.manifest import (
    Manifest,
    damage,
    file_facts,
    load_model,
    read_manifest,
    write_manifest,
)
from warehouse.release import (
    Home,
    build_name,
    builds,
    expired,
    heal,
    held,
    leased,
    new_build,
    promote,
    prune,
    published,
)

NOW = datetime(2026, 11, 21, 3, 0, 0, 123456, tzinfo=UTC)
ID = "1a2b3c4d5e6f7890"
HOLD = """
import sys, time
from pathlib import Path
from warehouse.release import Home, held
with held(Home(Path(sys.argv[1])), "nightly build"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "var")


def manifest_of(build, **changes):
    values = {
        "build_id": ID,
        "name": build.name,
        "published_at": "2026-11-21T03:01:00+00:00",
        "code_version": "0.1.0",
        "parameters": {"neighbours": 5},
        "sources": {"tracks.csv": "ab" * 32},
        "counts": {"songs": 3},
        "seconds": {"read": 0.5},
        "peak_memory_mb": 120.5,
        "files": file_facts(build),
    }
    return Manifest(**values | changes)


def finished(home, text="songs", now=NOW):
    build = new_build(home, now, ID)
    (build / "models").mkdir()
    (build / "segue.db").write_text(text)
    joblib.dump({"weights": [1.0, 2.0]}, build / "models" / "encoder.joblib")
    write_manifest(build, manifest_of(build))
    return build


def test_places_lie_below_the_root():
    home = Home(Path("var"))
    assert [home.warehouse, home.pending_warehouse, home.builds, home.current, home.lock] == [
        Path("var/warehouse.duckdb"),
        Path("var/.warehouse.pending.duckdb"),
        Path("var/builds"),
        Path("var/current"),
        Path("var/.lock"),
    ]


def test_the_second_run_is_told_who_holds_the_lock(home):
    with (
        held(home, "nightly build"),
        pytest.raises(Busy, match=rf"nightly build, process {os.getpid()} .*since 20.*Wait"),
        held(home),
    ):
        pass


def test_the_lock_is_free_after_the_body_even_when_it_failed(home):
    with pytest.raises(RuntimeError), held(home):
        raise RuntimeError
    with held(home):
        assert json.loads(home.lock.read_text())["pid"] == os.getpid()
    assert home.lock.read_text() == ""


def test_kill_9_frees_the_lock_and_its_stale_text_blocks_nobody(home):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, home.root], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(Busy, match=f"process {holder.pid} "), held(home):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert str(holder.pid) in home.lock.read_text()
    with held(home, "next"):
        assert json.loads(home.lock.read_text())["purpose"] == "next"


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"pid": 1}', "\x00" * 9])
def test_a_lock_file_that_cannot_be_read_still_gives_a_clear_message(home, text):
    with held(home):
        home.lock.write_text(text)
        with pytest.raises(Busy, match=r"Another run holds .*\.lock"), held(home):
            pass


def test_a_home_that_is_a_file_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "var").write_text("")
    with pytest.raises(InputError, match="SEGUE_HOME"), held(Home(tmp_path / "var")):
        pass


def test_a_name_is_the_utc_stamp_and_a_short_hash():
    assert build_name(NOW, ID) == "20261121T030000Z-1a2b3c4d5e6f"
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    assert build_name(elsewhere, ID) == build_name(NOW, ID)


def test_two_builds_in_one_second_get_two_names_in_order(home):
    names = [new_build(home, NOW, ID).name for _ in range(3)]
    assert names == sorted(set(names))
    assert names[1] == "20261121T030001Z-1a2b3c4d5e6f"


@given(st.lists(st.tuples(st.integers(-5, 5), st.sampled_from(["aaaa", "bbbb"])), max_size=12))
def test_names_ascend_in_the_order_of_building_whatever_the_clock_does(steps):
    names, now = [], NOW
    for seconds, build_id in steps:
        now += timedelta(seconds=seconds)
        names.append(build_name(now, build_id, names))
    assert names == sorted(set(names))


def test_a_manifest_survives_the_round_trip(home):
    build = finished(home)
    assert read_manifest(build) == manifest_of(build)
    assert set(read_manifest(build).files) == {"segue.db", "models/encoder.joblib"}
    assert read_manifest(build).files["segue.db"]["bytes"] == 5
    assert not list(build.glob(".*"))


def test_a_later_manifest_with_more_fields_is_still_read(home):
    manifest = manifest_of(finished(home))
    longer = {**json.loads(manifest.to_json()), "colour": "blue"}
    del longer["seal"]
    longer["seal"] = hashlib.sha256(json.dumps(longer, sort_keys=True).encode()).hexdigest()
    assert Manifest.from_json(json.dumps(longer)) == manifest


def test_a_manifest_of_an_earlier_version_which_sealed_nothing_is_still_read(home):
    manifest = manifest_of(finished(home))
    earlier = json.loads(manifest.to_json())
    del earlier["seal"]
    assert Manifest.from_json(json.dumps(earlier)) == manifest


def test_a_manifest_with_any_bit_turned_is_refused_or_says_the_same(home):
    build = finished(home)
    good, whole = read_manifest(build), (build / "manifest.json").read_bytes()
    refused = 0
    for bit in range(0, 8 * len(whole), 3):
        turned = bytearray(whole)
        turned[bit // 8] ^= 1 << bit % 8
        (build / "manifest.json").write_bytes(turned)
        try:
            assert read_manifest(build) == good
        except DamagedBuild:
            refused += 1
    assert refused > 2 * len(whole)


def test_damage_is_said_of_every_file_that_is_missing_short_or_turned(home):
    build = finished(home)
    assert damage(build) == []
    (build / "segue.db").write_text("sonds")
    assert [words.partition(" is not")[0] for words in damage(build)] == [str(build / "segue.db")]
    (build / "models" / "encoder.joblib").write_bytes(b"short")
    (words,) = damage(build)  # sizes come first
    assert words.startswith(f"{build / 'models' / 'encoder.joblib'} has 5 bytes of ")
    (build / "models" / "encoder.joblib").unlink()
    assert damage(build) == [f"{build / 'models' / 'encoder.joblib'} is missing"]
    (build / "manifest.json").write_text("{")
    assert damage(build)[0].startswith(
        f"{build / 'manifest.json'} is not a manifest: expected JSON"
    )


def test_a_model_of_a_version_whose_code_has_moved_is_said_to_be_that(home):
    build = new_build(home, NOW, ID)
    (build / "models").mkdir()
    module = ModuleType("segue_of_yesterday")
    encoder = type("Encoder", (), {"__module__": module.__name__})
    vars(module)["Encoder"] = encoder
    sys.modules[module.__name__] = module
    joblib.dump(encoder(), build / "models" / "encoder.joblib")
    write_manifest(build, manifest_of(build))
    del sys.modules[module.__name__]
    with pytest.raises(OtherVersion, match=r"encoder\.joblib was written by Segue 0\.1\.0 .*build"):
        load_model(build, "encoder")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected JSON"),
        ("[]", "expected an object"),
        ("{}", "build_id is missing; name is missing"),
        ('{"build_id": 3}', "build_id is int, expected str"),
        ('{"files": {"segue.db": {}}}', "without sha256 or bytes"),
        ('{"files": []}', "files is list, expected dict"),
    ],
)
def test_an_unreadable_manifest_says_what_is_wrong_and_what_to_do(home, text, words):
    build = finished(home)
    (build / "manifest.json").write_text(text)
    with pytest.raises(DamagedBuild, match=f"manifest.json.*{words}.*segue publish"):
        read_manifest(build)


def test_a_missing_or_binary_manifest_says_so(home):
    build = finished(home)
    (build / "manifest.json").write_bytes(b"\xff\xfe")
    with pytest.raises(DamagedBuild, match="Cannot read"):
        read_manifest(build)
    (build / "manifest.json").unlink()
    with pytest.raises(DamagedBuild, match="Cannot read"):
        read_manifest(build)


def test_an_interrupted_build_heals_and_the_published_one_stays(home):
    good = finished(home)
    promote(home, good.name)
    half = new_build(home, NOW, ID)
    (half / "segue.db").write_text("half")
    home.pending_warehouse.write_text("half")
    home.pending_warehouse.with_name(f"{home.pending_warehouse.name}.wal").write_text("half")
    home.pending_warehouse.with_name(f"{home.pending_warehouse.name}.tmp").mkdir()
    home.pending_current.symlink_to("builds/nowhere")
    home.warehouse.write_text("whole")
    (home.builds / "notes").mkdir()
    assert heal(home) == [
        ".current.pending",
        ".warehouse.pending.duckdb",
        ".warehouse.pending.duckdb.tmp",
        ".warehouse.pending.duckdb.wal",
        f"builds/{half.name}",
    ]
    assert heal(home) == []
    assert published(home) == good.resolve()
    assert home.warehouse.exists()
    assert (home.builds / "notes").exists()


def test_a_killed_build_process_is_healed_by_the_next(home):
    good = finished(home)
    promote(home, good.name)
    script = HOLD.replace("time.sleep(600)", "os.kill(os.getpid(), 9)").replace(
        'print("held", flush=True)',
        "import os; from datetime import UTC, datetime; from warehouse.release import new_build;"
        "h = Home(Path(sys.argv[1])); b = new_build(h, datetime.now(UTC), 'abc');"
        "(b / 'segue.db').write_text('half'); h.pending_warehouse.write_text('half')",
    )
    run = subprocess.run([sys.executable, "-c", script, home.root], check=False)
    assert run.returncode == -signal.SIGKILL
    with held(home):
        assert len(heal(home)) == 2
    assert [m.name for m in builds(home)] == [good.name]
    assert published(home) == good.resolve()


def test_heal_never_removes_the_build_that_is_served(home):
    good = finished(home)
    promote(home, good.name)
    (good / "manifest.json").unlink()
    assert heal(home) == []
    assert good.exists()


def test_heal_on_an_empty_home_does_nothing(home):
    assert heal(home) == []


def test_promote_returns_what_was_before_and_rollback_is_the_same_call(home):
    first, second = finished(home), finished(home, "more songs")
    assert promote(home, first.name) is None
    assert promote(home, second.name) == first.name
    assert published(home) == second.resolve()
    assert promote(home, first.name) == second.name
    assert published(home) == first.resolve()


def test_the_link_is_relative_so_that_a_home_can_be_moved(home, tmp_path):
    promote(home, finished(home).name)
    moved = Home(home.root.rename(tmp_path / "elsewhere"))
    assert (published(moved) / "segue.db").read_text() == "songs"


def test_a_reader_never_fails_while_builds_are_promoted(home):
    names = [finished(home).name, finished(home).name]
    promote(home, names[0])
    done, seen, failures = threading.Event(), set(), []

    def read():
        while not done.is_set():
            try:
                build = published(home)
                seen.add(build.name)
                assert (build / "segue.db").read_text() == "songs"
            except (NothingPublished, OSError, AssertionError) as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(200):
        promote(home, names[turn % 2])
    done.set()
    reader.join()
    assert failures == []
    assert seen == set(names)


@pytest.mark.parametrize("name", ["20991231T000000Z-abc", "..", "", "../../etc", "current"])
def test_promoting_what_is_no_build_is_refused_and_names_those_there(home, name):
    there = finished(home).name
    with pytest.raises(InputError, match=there):
        promote(home, name)
    assert not home.current.is_symlink()


def test_an_incomplete_build_is_not_promoted(home):
    with pytest.raises(DamagedBuild, match="Cannot read"):
        promote(home, new_build(home, NOW, ID).name)
    assert not home.current.is_symlink()


def test_a_build_that_lost_a_file_is_not_promoted(home):
    good, bad = finished(home), finished(home)
    promote(home, good.name)
    (bad / "segue.db").unlink()
    (bad / "models" / "encoder.joblib").write_bytes(b"short")
    with pytest.raises(DamagedBuild, match=r"encoder\.joblib has 5 bytes of .*segue\.db is miss"):
        promote(home, bad.name)
    assert published(home) == good.resolve()


def test_a_folder_in_the_place_of_the_link_is_never_overwritten(home):
    build = finished(home)
    home.current.mkdir()
    with pytest.raises(InputError, match="Expected a link"):
        promote(home, build.name)


def test_nothing_published_says_what_to_run(home):
    with pytest.raises(NothingPublished, match="Run: segue build"):
        published(home)
    build = finished(home)
    promote(home, build.name)
    build.rename(home.root / "lost")
    with pytest.raises(NothingPublished, match=r"which is gone.*Run: segue build\.$"):
        published(home)
    other = finished(home, now=NOW + timedelta(days=1))
    with pytest.raises(NothingPublished, match=rf"which is gone.*segue publish {other.name} "):
        published(home)
    home.current.unlink()
    with pytest.raises(NothingPublished, match=rf"the link .*is gone.*publish {other.name} "):
        published(home)


def test_builds_come_newest_last_without_incomplete_and_damaged_ones(home, caplog):
    later = finished(home, now=NOW + timedelta(days=1))
    newest = finished(home, now=NOW)  # the clock went back: still the newest
    damaged = finished(home)
    (damaged / "manifest.json").write_text("{")
    new_build(home, NOW, ID)
    assert [m.name for m in builds(home)] == [later.name, newest.name]
    assert damaged.name in caplog.text


@given(st.sets(st.text("abc", min_size=1, max_size=4)), st.integers(1, 5), st.data())
def test_expired_is_all_but_the_newest_of_those_that_do_not_stay_anyway(names, keep, data):
    anyway = data.draw(st.sets(st.sampled_from(["none", *sorted(names)])))
    gone = expired(names, anyway, keep)
    assert gone == sorted(gone)
    assert not anyway & set(gone)
    others = names - anyway
    assert others - set(gone) == set(sorted(others, reverse=True)[:keep])


def test_keeping_nothing_is_refused():
    with pytest.raises(ValueError, match="keep=0"):
        expired(["a"], (), 0)


def test_prune_keeps_some_besides_the_served_the_pinned_and_the_waiting_ones(home):
    names = [finished(home).name for _ in range(7)]
    promote(home, names[0])
    decided = Choices().pinning(names[1]).holding("another id", names[2], CHURN, "too many")
    write_choices(home.root, decided)
    assert prune(home, keep=1) == names[3:6]
    assert [m.name for m in builds(home)] == [*names[:3], names[6]]
    assert prune(home, keep=1) == []


def test_keep_1_leaves_one_to_roll_back_to(home):
    names = [finished(home).name for _ in range(3)]
    promote(home, names[2])
    assert prune(home, keep=1) == names[:1]
    assert [m.name for m in builds(home)] == names[1:]


def test_a_build_that_another_process_has_open_is_pruned_when_it_has_closed_it(home):
    names = [finished(home).name for _ in range(3)]
    promote(home, names[2])
    script = (
        "import sys; from pathlib import Path; from warehouse.release import leased;"
        "leased(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", script, home.builds / names[0]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert reader.stdout.readline() == b"open\n"
    assert prune(home, keep=1) == []
    reader.kill()
    reader.wait()
    reader.stdin.close()
    reader.stdout.close()
    assert prune(home, keep=1) == [names[0]]
    with pytest.raises(NothingPublished, match="cannot be opened"):
        leased(home.builds / names[0])


def test_an_interrupted_prune_leaves_nothing_that_looks_whole(home):
    build = finished(home)
    (build / "manifest.json").unlink()
    assert builds(home) == []
    assert heal(home) == [f"builds/{build.name}"]


def test_a_model_of_the_build_is_loaded(home):
    assert load_model(finished(home), "encoder") == {"weights": [1.0, 2.0]}


class Trap:
    def __reduce__(self):
        return Path.touch, (Path(os.environ["SEGUE_TRAP"]),)


def test_a_tampered_model_is_refused_without_running_it(home, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGUE_TRAP", str(tmp_path / "sprung"))
    build = finished(home)
    expected = read_manifest(build).files["models/encoder.joblib"]["sha256"]
    joblib.dump(Trap(), build / "models" / "encoder.joblib")
    joblib.load(build / "models" / "encoder.joblib")
    (tmp_path / "sprung").unlink()
    with pytest.raises(DamagedBuild, match=rf"encoder\.joblib.*{expected}.*found .*segue publish"):
        load_model(build, "encoder")
    assert not (tmp_path / "sprung").exists()


def test_a_model_outside_the_manifest_is_refused(home):
    build = finished(home)
    joblib.dump(1, build / "models" / "other.joblib")
    with pytest.raises(DamagedBuild, match="none in the manifest"):
        load_model(build, "other")
    with pytest.raises(DamagedBuild, match="none in the manifest"):
        load_model(build, "../models/encoder")


def test_a_missing_model_is_named(home):
    build = finished(home)
    (build / "models" / "encoder.joblib").unlink()
    with pytest.raises(DamagedBuild, match=r"encoder\.joblib.*found no file"):
        load_model(build, "encoder")
