"""What several rooms of tests share: the folder of real catalogues, where there is one."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data():
    """Return a function from a file's name to its path, which skips where it is not there."""

    def path(name):
        if not (SHARED / name).is_file():
            pytest.skip(f"{name} is not in {SHARED}")
        return SHARED / name

    return path
