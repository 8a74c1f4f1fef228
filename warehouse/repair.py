"""A home comes in; the build that it serves is whole when it goes out, as far as one is there.

What is served is compared with its manifest. A damaged build is set aside for somebody to look at,
and the newest whole one takes its place, so that readers have something right until the run that
found the damage has made a new one.
"""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from warehouse.choices import read_choices
from warehouse.errors import NothingPublished
from warehouse.manifest import damage, flush
from warehouse.published import lacking
from warehouse.release import Home, builds, promote, published

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Repair:
    """What was wrong with what was served, and what is served in its place.

    Args:
        problems: what was found, in sentences.
        aside: where the damaged build lies now; nothing if only the link was wrong.
        served: name of the build that is served now; empty if none was whole.
    """

    problems: tuple[str, ...]
    aside: Path | None
    served: str

    def __str__(self) -> str:
        now = (
            f"{self.served} is served instead"
            if self.served
            else "No other build was intact, so nothing is served until one is made"
        )
        moved = f" It was moved to {self.aside}." if self.aside else ""
        return f"The served build was damaged: {'; '.join(self.problems)}.{moved} {now}."


def repaired(home: Home) -> Repair | None:
    """Make what is served whole; the caller holds the lock.

    Returns:
        What was done; nothing where all was well, or nothing has been published yet.
    """
    try:
        served = published(home)
    except NothingPublished as error:
        return _found_again(home, str(error))
    problems = damage(served)
    if not problems:
        return None
    stand_in = newest_whole(home, but=served.name)
    if stand_in:
        promote(home, stand_in)
    else:
        home.current.unlink()
        flush(home.root)
    repair = Repair(tuple(problems), _set_aside(home, served), stand_in)
    logger.warning("%s", repair)
    return repair


def _found_again(home: Home, problem: str) -> Repair | None:
    """Serve the newest whole build where the link is gone or leads nowhere."""
    if not home.current.is_symlink() and not builds(home):
        return None
    stand_in = newest_whole(home)
    if stand_in:
        promote(home, stand_in)
    elif home.current.is_symlink():
        home.current.unlink()
    repair = Repair((problem.partition(". Run:")[0],), None, stand_in)
    logger.warning("%s", repair)
    return repair


def newest_whole(home: Home, but: str = "") -> str:
    """Name the newest build that is whole, not held back and of this version; empty if none is."""
    choices = read_choices(home.root)
    for manifest in reversed(builds(home)):
        folder = home.builds / manifest.name
        if manifest.name == but or choices.hold_on(manifest.build_id):
            continue
        if not damage(folder) and not lacking(folder):
            return manifest.name
    return ""


def _set_aside(home: Home, build: Path) -> Path:
    """Move a damaged build out of the way, in place of the one before it."""
    place = home.root / "damaged"
    if place.is_dir():
        shutil.rmtree(place)
    place.mkdir()
    moved = build.rename(place / build.name)
    flush(home.builds)
    return moved
