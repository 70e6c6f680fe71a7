"""The command that shows a folder: one page of HTML."""

from pathlib import Path
from typing import Annotated

import typer

from allpay.cli.commands import command
from allpay.cli.console import print_json, reporting
from allpay.cli.data import app
from allpay.cli.options import AsJson

__all__ = ["app"]


@command
def report(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="a folder that --out of any command, or allpay run, has made", show_default=False
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="the file to write", show_default="report.html in the folder")
    ] = None,
    templates: Annotated[
        Path | None,
        typer.Option(help="a folder with templates of your own, taken before those of allpay", show_default="none"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """One HTML page of what a folder holds: the answer in plain words, how sure it is, charts, tables, how to do it again."""
    from allpay.errors import AllpayError
    from allpay.report.page import write_report

    if templates is not None and not templates.is_dir():
        raise AllpayError(f"--templates is a folder with templates: there is none at {templates}")
    with reporting("parts") as reporter, reporter.stage("writing the report"):
        path = write_report(folder, out, templates)
    if as_json:
        print_json({"file": str(path), "bytes": path.stat().st_size})
    else:
        typer.echo(f"Wrote {path}: open it in a browser.")
