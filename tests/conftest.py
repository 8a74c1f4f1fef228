"""What several rooms of tests share: the demo, built once, and the folder of real catalogues."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.nightly.run import directly
from flows.settings import settings
from warehouse.release import Home, published

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data():
    """Return a function from a file's name to its path, which skips where it is not there."""

    def path(name):
        if not (SHARED / name).is_file():
            pytest.skip(f"{name} is not in {SHARED}")
        return SHARED / name

    return path


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_ones_own() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.upper().startswith("SEGUE_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the published folder of the demo catalogue; nobody may write in it."""
    home = tmp_path_factory.mktemp("demo") / "var"
    directly(settings(home=home), force=False)
    return published(Home(home))
