"""The command that a folder was made by, as it is typed, so that its report can say how to do it again."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from allpay.errors import AllpayError, one_line, shortened

COMMAND, REPORT = "command.txt", "report.html"

BESIDE = {COMMAND, REPORT, *(f"{name}.{kind}" for name in ("figure", "front") for kind in ("svg", "eps"))}
"""What may lie in a folder beside the files of its command."""

MOST = 2**20
"""Bytes that a command may have, with all that it names."""

PLACES = ("out", "plot", "as_json", "figures", "look", "form")
"""Options that change no answer."""


def check_free(out: Path | None, files: Iterable[str]) -> None:
    """Raise AllpayError if a folder holds anything but these files, which an earlier answer of the command has written."""
    if (
        out is not None
        and out.exists()
        and (not out.is_dir() or {path.name for path in out.iterdir()} - {*files} - BESIDE)
    ):
        raise AllpayError(f"{shortened(str(out), 80)} holds something else: choose a new folder with --out")


def command_of(context: typer.Context) -> str:
    """The command of a context as it is typed: what its user wrote, without where it goes."""
    words = ["allpay", str(context.info_name)]
    for parameter in context.command.params:
        name, value = str(parameter.name), context.params.get(str(parameter.name))
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE" or name in PLACES or value is None:
            continue
        if parameter.param_type_name == "argument":
            words += map(str, value) if isinstance(value, (list, tuple)) else [str(value)]
        elif isinstance(value, bool):
            words.append(parameter.opts[0] if value else (parameter.secondary_opts or parameter.opts)[0])
        else:
            for one in value if isinstance(value, (list, tuple)) else [value]:
                words += [parameter.opts[0], _typed(one)]
    return shlex.join(words)


def _typed(value: Any) -> str:
    return f"{value:.17g}" if isinstance(value, float) else str(value)


def write_command(context: typer.Context, folder: Path) -> None:
    """Keep the command in its folder, if that is there; whose answer it replaces is said on stderr."""
    from allpay.files import read_text, write

    if not folder.is_dir():
        return
    kept, command = folder / COMMAND, command_of(context)
    try:
        before = read_text(kept, MOST).strip()
    except (OSError, ValueError):  # there is none, or it is none
        before = command
    if before != command:
        typer.echo(
            f"allpay: {shortened(str(folder), 80)} had the answer of another command, which is replaced: "
            f"{shortened(one_line(before), 200)}; to keep both, give --out",
            err=True,
        )
    write(kept, lambda file: file.write(f"{command}\n".encode()))
