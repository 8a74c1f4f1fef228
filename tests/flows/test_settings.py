import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from flows.settings import Settings, settings
from warehouse.errors import InputError


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in [n for n in os.environ if n.upper().startswith("SEGUE_")]:
        monkeypatch.delenv(name)


def test_the_defaults_need_no_environment():
    chosen = settings()
    assert (chosen.home, chosen.tracks, chosen.neighbours) == (Path("var"), (), 5)
    assert (chosen.max_rejected_share, chosen.max_variance_share) == (0.05, 0.5)
    assert chosen.hub_cap is None
    assert (chosen.row_count_tolerance, chosen.keep, chosen.cron) == (0.2, 7, "0 3 * * *")
    assert {chosen.allow_sql, chosen.allow_download, chosen.suggest_facets} == {False}
    assert chosen.host == "127.0.0.1"


def test_variables_set_fields_and_overrides_win_unless_none(monkeypatch):
    monkeypatch.setenv("SEGUE_NEIGHBOURS", "7")
    monkeypatch.setenv("SEGUE_ALLOW_SQL", "true")
    monkeypatch.setenv("SEGUE_HOME", "~/segue")
    assert settings(neighbours=None).neighbours == 7
    assert settings(neighbours=9).neighbours == 9
    assert settings().allow_sql
    assert settings().home == Path.home() / "segue"


def test_an_empty_variable_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("SEGUE_HOME", "")
    monkeypatch.setenv("SEGUE_TRACKS", "")
    assert settings().home == Path("var")
    assert settings().tracks == ()


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("a.csv", ["a.csv"]),
        (f"a.csv{os.pathsep}b c.csv.gz{os.pathsep}", ["a.csv", "b c.csv.gz"]),
        ('["a.csv", "odd:name.csv"]', ["a.csv", "odd:name.csv"]),
    ],
)
def test_tracks_are_separated_paths_or_json(monkeypatch, text, paths):
    monkeypatch.setenv("SEGUE_TRACKS", text)
    assert settings().tracks == tuple(Path(p) for p in paths)


def test_tracks_may_be_overridden_by_a_list():
    assert settings(tracks=[Path("a.csv"), "b.csv"]).tracks == (Path("a.csv"), Path("b.csv"))
    assert settings(tracks=None).tracks == ()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("NEIGHBOURS", "many", "valid integer.*got 'many'.*Recommendations for each song"),
        ("NEIGHBOURS", "0", "greater than or equal to 1, got '0'"),
        ("HUB_CAP", "-1", "greater than or equal to 0, got '-1'"),
        ("MAX_REJECTED_SHARE", "1.5", "less than or equal to 1"),
        ("MAX_VARIANCE_SHARE", "0", "greater than 0"),
        ("ROW_COUNT_TOLERANCE", "nan", "finite|greater"),
        ("KEEP", "0", "greater than or equal to 1"),
        ("CRON", "nightly", "five cron fields such as '0 3 [*] [*] [*]', got 'nightly'"),
        ("CRON", "0 3 * * !", "five cron fields"),
        ("PORT", "70000", "less than or equal to 65535"),
        ("ALLOW_SQL", "maybe", "valid boolean.*got 'maybe'"),
        ("TRACKS", '["a.csv"', "JSON array"),
        ("TRACKS", "[1]", "path"),
    ],
)
def test_a_bad_value_gives_one_clear_message(monkeypatch, name, value, words):
    monkeypatch.setenv(f"SEGUE_{name}", value)
    with pytest.raises(InputError, match=f"^SEGUE_{name} .*({words})") as caught:
        settings()
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_every_bad_value_is_named_at_once(monkeypatch):
    monkeypatch.setenv("SEGUE_KEEP", "0")
    with pytest.raises(InputError, match=r"(?s)SEGUE_NEIGHBOURS.*\n.*SEGUE_KEEP"):
        settings(neighbours=0)


def test_an_override_that_is_no_setting_is_refused():
    with pytest.raises(InputError, match="SEGUE_COLOUR"):
        settings(colour="blue")


def test_a_misspelt_variable_is_pointed_out(monkeypatch, caplog):
    monkeypatch.setenv("SEGUE_NEIGHBORS", "7")
    monkeypatch.setenv("SEGUE_SOMETHING_ELSE", "7")
    assert settings().neighbours == 5
    assert "SEGUE_NEIGHBORS is not a setting" in caplog.text
    assert "SOMETHING_ELSE" not in caplog.text


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        settings().keep = 3


def test_every_setting_has_a_description():
    assert all(field.description for field in Settings.model_fields.values())
