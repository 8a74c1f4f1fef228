"""What a build is made from: which settings make it another build."""

import pytest

from flows.nightly.plan import planned
from flows.settings import Settings, settings

SHAPING = {
    "neighbours": 4,
    "hub_cap": 20,
    "held_out_share": 0.2,
    "engine": "ivf",
    "min_recall": 0.9,
    "max_rejected_share": 0.1,
    "max_variance_share": 0.9,
    "row_count_tolerance": 0.3,
    "evaluation_tolerance": 0.1,
}
OTHERS = {"keep": 3, "port": 9000, "cron": "0 4 * * *", "dask": "local", "allow_sql": True}


@pytest.fixture
def named(golden, tmp_path):
    """Return a function from settings to the name of the build that is made by them."""

    def name(**chosen):
        plan = planned(settings(home=tmp_path / "var", tracks=[golden / "tracks.csv"], **chosen))
        return plan.build_id

    return name


@pytest.mark.parametrize("name", SHAPING)
def test_a_setting_that_shapes_the_rows_makes_another_build(named, name):
    assert Settings.model_fields[name].default != SHAPING[name]
    assert named(**{name: SHAPING[name]}) != named()


@pytest.mark.parametrize("name", OTHERS)
def test_a_setting_that_does_not_shape_the_rows_makes_the_same_build(named, name):
    assert Settings.model_fields[name].default != OTHERS[name]
    assert named(**{name: OTHERS[name]}) == named()
