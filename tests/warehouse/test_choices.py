import pytest

from warehouse.choices import CHURN, ROLLED_BACK, Choices, read_choices, write_choices
from warehouse.errors import InputError


def test_nothing_is_held_or_pinned_before_somebody_says_so(tmp_path):
    assert read_choices(tmp_path) == Choices()


def test_what_was_decided_is_read_again(tmp_path):
    decided = Choices().holding("1a2b", "a build", ROLLED_BACK, "by hand").pinning("b").pinning("a")
    write_choices(tmp_path, decided)
    assert read_choices(tmp_path) == decided
    assert decided.pinned == ("a", "b")
    assert [path.name for path in tmp_path.iterdir()] == ["choices.json"]


def test_a_hold_is_by_id_and_the_last_reason_counts():
    decided = Choices().holding("1", "a", ROLLED_BACK, "first").holding("1", "b", CHURN, "second")
    assert decided.hold_on("1").reason == "second"
    assert decided.hold_on("2") is None
    assert decided.lifting("1") == Choices()
    assert decided.lifting("2") == decided


def test_pins_can_be_taken_away():
    assert Choices().pinning("a").pinning("b").pinning("a", pinned=False).pinned == ("b",)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"held": []}', '{"held": [{}], "pinned": []}', "3"]
)
def test_a_damaged_file_is_named_and_never_passed_over(tmp_path, text):
    (tmp_path / "choices.json").write_text(text)
    with pytest.raises(InputError, match=r"choices\.json cannot be read: .*delete it"):
        read_choices(tmp_path)
