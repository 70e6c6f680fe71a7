"""The command that packs a study into a replication archive, and how `allpay run` repeats one."""

from pathlib import Path
from typing import Annotated

import typer

from allpay.cli.commands import command
from allpay.cli.served import app
from allpay.errors import AllpayError

__all__ = ["app"]


@command
def bundle(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a finished study's folder", show_default=False)],
    to: Annotated[
        Path | None, typer.Option(help="the archive to write, a .zip file", show_default="the folder's name with .zip")
    ] = None,
    author: Annotated[
        list[str] | None, typer.Option(help="who is to be cited; several each", show_default="left open")
    ] = None,
    title: Annotated[str | None, typer.Option(help="by which title", show_default="the folder's name")] = None,
) -> None:
    """Pack a study into one file to publish: what was asked, versions, seeds, tables, figures, how to cite it. `allpay run` on
    that file repeats it, and says whether the same bits came out."""
    from allpay.files import in_shell
    from allpay.study.bundle import pack

    path = folder.resolve().with_name(f"{folder.resolve().name}.zip") if to is None else to
    if path.is_dir():
        raise AllpayError(f"{path} is a folder: give the name of a .zip file")
    names = pack(folder, path, author or (), title)
    told = path if to is not None else folder.parent / path.name
    typer.echo(f"Wrote {told}: {len(names)} files. To repeat it: allpay run {in_shell(told)}")
