"""The command line: a thin layer over the library's calls. What a command computes is imported when it runs.

`options` are the options that commands share, `several` those that take several numbers; `commands`, `questions`, `data`,
`reports`, `served` and `bundles` the commands, `running` and `scenarios` what several of them do, `results` what a folder and
`--json` get of it, `tables` what is written into a file of its own; `console` how the program speaks: errors in one line,
progress, JSON; `stopping` how it ends when it is asked to. Results go to stdout, as text or with --json as one JSON object;
progress and errors go to stderr.
"""

from allpay.cli.stopping import StoppedBySignals
from allpay.memory import look_seldom

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from allpay.cli.bundles import app

__all__ = ["app", "main"]


def main() -> None:
    """The program `allpay`."""
    look_seldom()
    with StoppedBySignals():  # before the imports below, which take a moment
        from allpay.cli import app
        from allpay.cli.console import run_program

        run_program(app)


def __getattr__(name: str) -> "Any":
    if name == "app":
        from allpay.cli.bundles import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
