"""The command line: a thin layer over the library's calls. What a command computes is imported when it runs.

`options` are the options that commands share, `commands` the commands, `running` what several of them do, `results` what a
folder and `--json` get of it, `console` how the program speaks: errors in one line, progress, JSON. Results go to stdout, as
text or with --json as one JSON object; progress and errors go to stderr.
"""

import io
import os
import sys
import threading
from contextlib import suppress

import typer

from allpay.cli.commands import app
from allpay.cli.console import BAD_INPUT, INTERRUPTED, usage_in_one_line

__all__ = ["app", "main"]


def main() -> None:
    """The program `allpay`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ± shows a question mark, not a traceback
    try:
        status = app(standalone_mode=False)
    except typer.Abort:
        status = INTERRUPTED
    except Exception as error:
        line = usage_in_one_line(error, sys.argv[1:])
        if line is None:
            raise
        if line:
            typer.echo(line, err=True)
        status = BAD_INPUT
    learning = any(thread.name.startswith("ThreadPoolExecutor") for thread in threading.enumerate())
    if status == INTERRUPTED and learning:  # it would be waited for
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)
    sys.exit(status)
