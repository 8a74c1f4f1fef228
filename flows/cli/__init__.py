"""The command line: words come in, one of the flows runs, an exit code goes out.

A command is registered when its module is imported; what it runs is imported when it runs.
"""

from flows.cli import build, show, choose, ask, judge, connect  # isort: skip - the order of the help
from flows.cli.terminal import app

__all__ = ["app", "ask", "build", "choose", "connect", "judge", "show"]
