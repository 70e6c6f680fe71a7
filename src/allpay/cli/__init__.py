"""The command line: a thin layer over the library's calls. What a command computes is imported when it runs.

`options` are the options that commands share, `commands` the commands, `running` what several of them do, `results` what a
folder and `--json` get of it, `console` how the program speaks: errors in one line, progress, JSON. Results go to stdout, as
text or with --json as one JSON object; progress and errors go to stderr.
"""

from allpay.cli.commands import app

__all__ = ["app", "main"]


def main() -> None:
    """The program `allpay`."""
    app()
