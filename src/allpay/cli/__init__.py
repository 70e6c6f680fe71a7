"""The command line: a thin layer over the library's calls. What a command computes is imported when it runs.

`options` are the options that commands share, `commands` the commands, `running` what several of them do, `results` what a
folder and `--json` get of it, `console` how the program speaks: errors in one line, progress, JSON. Results go to stdout, as
text or with --json as one JSON object; progress and errors go to stderr.
"""

import sys

import typer

from allpay.cli.commands import app
from allpay.cli.console import BAD_INPUT, INTERRUPTED, usage_in_one_line

__all__ = ["app", "main"]


def main() -> None:
    """The program `allpay`."""
    try:
        status = app(standalone_mode=False)
    except typer.Abort:
        status = INTERRUPTED
    except Exception as error:
        line = usage_in_one_line(error, sys.argv[1:])
        if line is None:
            raise
        typer.echo(line, err=True)
        status = BAD_INPUT
    sys.exit(status)
