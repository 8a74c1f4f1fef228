"""The ways a run can go wrong, one class for each thing an operator would do next."""

from typing import ClassVar


class SegueError(Exception):
    """Base of every error that Segue raises on purpose; the message says what to do."""

    exit_code: ClassVar[int] = 1


class InputError(SegueError):
    """A file or a value that was given cannot be used: mend it and run again."""

    exit_code = 2


class Unknown(InputError):
    """Nothing in the build answers to the name that was given: look it up."""


class TooMuch(InputError):
    """More was given than is looked at: give less."""


class ContractError(SegueError):
    """A frame does not match its table's contract; the message lists every breach."""


class BuildRejected(SegueError):
    """A finished build broke a rule; what was published before is untouched."""

    exit_code = 3


class BuildWaits(SegueError):
    """A finished build is held until somebody publishes it; what is served is untouched."""

    exit_code = 3


class Busy(SegueError):
    """Another run holds the lock: wait for it or stop it."""

    exit_code = 4


class Postponed(SegueError):
    """A service wants to be asked later: run the same again after the time it names."""

    exit_code = 5


class ServiceError(SegueError):
    """A service elsewhere does not answer, or refuses: see why and try again."""


class Unanswered(ServiceError):
    """Something was sent, and nobody knows whether it was done: look there before sending more."""


class NothingPublished(SegueError):
    """There is no published build to read: run ``segue build`` first."""

    exit_code = 2


class DamagedBuild(SegueError):
    """A build is not as its manifest says: build again or roll back to another."""


class OtherVersion(SegueError):
    """A build was made by a version of Segue that this one cannot read: build again."""

    exit_code = 2
