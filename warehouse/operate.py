"""What an operator does to builds by hand: a home and a name come in, another build is served.

A build that was rolled back is held: the same sources, code and settings would make it again the
next night. It is held until it is published by hand, or until what it is made from changes.
"""

from pathlib import Path

from warehouse.choices import ROLLED_BACK, Choices, Hold, read_choices, write_choices
from warehouse.errors import DamagedBuild, InputError
from warehouse.manifest import ADVICE, Manifest, damage
from warehouse.published import lacking, require_known
from warehouse.release import Home, builds, held, promote, published


def roll_back(home: Home, name: str | None = None) -> tuple[str, str, Hold | None]:
    """Serve an earlier build, and hold the one that was served.

    Args:
        home: that of the builds.
        name: of a build; without it the newest whole one before what is served.

    Returns:
        What is served now, what was before, and the hold; none where the two are made from the
        same.

    Raises:
        InputError: there is no such build, or none before.
        DamagedBuild: it is not whole.
        OtherVersion: it was made by a version of Segue whose builds this one cannot show.
        Busy: a run is going on.
    """
    with held(home, "rollback"):
        choices, before = read_choices(home.root), _current(home)
        target = _named(home, name) if name else _one_before(home, before, choices)
        _require_whole(home, target)
        after = choices.lifting(target.build_id)
        gone = _id_of(before)
        hold = None
        if before > target.name and gone != target.build_id:
            after = after.holding(
                gone, before, ROLLED_BACK, f"it was rolled back to {target.name} by hand"
            )
            hold = after.hold_on(gone)
        write_choices(home.root, after)  # first: a kill in between must not undo the rollback
        promote(home, target.name)
    return target.name, before, hold


def publish(home: Home, name: str | None = None) -> Manifest:
    """Serve a build by hand, and hold it no longer.

    Args:
        home: that of the builds.
        name: of a build; without it the one that was held last.

    Returns:
        What is served now.

    Raises:
        InputError: there is no such build, or none is held.
        DamagedBuild: it is not whole.
        OtherVersion: it was made by a version of Segue whose builds this one cannot show.
        Busy: a run is going on.
    """
    with held(home, "publish"):
        choices = read_choices(home.root)
        if name is None and not choices.held:
            raise InputError("No build is held back. Name one of: segue builds")
        target = _named(home, name or choices.held[-1].build)
        _require_whole(home, target)
        promote(home, target.name)
        write_choices(home.root, choices.lifting(target.build_id))
    return target


def pin(home: Home, name: str, pinned: bool = True) -> None:
    """Keep a build from being pruned, or let it be pruned again.

    Raises:
        InputError: there is no such build.
        Busy: a run is going on.
    """
    with held(home, "pin"):
        if pinned:
            _named(home, name)
        write_choices(home.root, read_choices(home.root).pinning(name, pinned))


def pair(home: Home, old: str | None, new: str | None) -> tuple[Path, Path]:
    """Return the folders of two builds to compare: those named, or what is served and before it.

    Raises:
        InputError: there is no such build, or none before.
    """
    after = _named(home, new).name if new else published(home).name
    earlier = [manifest.name for manifest in builds(home) if manifest.name < after]
    if old is None and not earlier:
        raise InputError(f"There is no build before {after}. See: segue builds")
    before = _named(home, old).name if old else earlier[-1]
    return home.builds / before, home.builds / after


def _current(home: Home) -> str:
    """Name the build that the link points at, be it whole, damaged or gone."""
    if not home.current.is_symlink():
        return published(home).name  # which says what to do
    return home.current.readlink().name


def _id_of(name: str) -> str:
    """Return the build id in a build's name, which is there when its manifest is not."""
    return name.partition("-")[2]


def _named(home: Home, name: str) -> Manifest:
    there = {manifest.name: manifest for manifest in builds(home)}
    if name not in there:
        names = ", ".join(there) or "none"
        raise InputError(f"There is no build {name} in {home.builds}; there are: {names}.")
    return there[name]


def _one_before(home: Home, current: str, choices: Choices) -> Manifest:
    for manifest in reversed(builds(home)):
        folder = home.builds / manifest.name
        earlier = manifest.name < current and not choices.hold_on(manifest.build_id)
        if earlier and not damage(folder) and not lacking(folder):
            return manifest
    raise InputError(
        f"There is no build before {current} that is whole, not held back and of this version. "
        "See: segue builds"
    )


def _require_whole(home: Home, target: Manifest) -> None:
    wrong = damage(home.builds / target.name)
    if wrong:
        raise DamagedBuild(f"{target.name} is not whole: {'; '.join(wrong)}. {ADVICE}")
    require_known(home.builds / target.name)
