"""The options of every command that draws: formats of figures, and how they look. They are declared here alone."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from allpay.errors import AllpayError

FIGURES = "Figures"

Figures = Annotated[
    str | None,
    typer.Option(
        help="formats of figures beside those of --plot or of the folder, with commas between: pdf,svg,png,eps",
        show_default="none",
        rich_help_panel=FIGURES,
    ),
]
LookWords = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="how figures look, each with an option of its own: width=3.5 and height=2.5 (inches), font-size=9, "
        "style=FILE of Matplotlib, letters for (a), (b), colours=black,#888, label:OLD=NEW",
        show_default="none",
        rich_help_panel=FIGURES,
    ),
]

Format = Annotated[
    str,
    typer.Option(
        "--format", help="text; or latex or markdown, for the tables alone, with captions", rich_help_panel=FIGURES
    ),
]

OPTIONS = ("figures", "look")
"""Their names."""


def tell(words: Callable[[], str], form: str) -> None:
    """An answer on stdout: in words, or its tables alone.

    Raises:
        AllpayError: if there is no such form, or the answer has no table.
    """
    from allpay.errors import one_of
    from allpay.report.words import FORMATS, as_latex, as_markdown, collected

    if one_of("format", form, FORMATS) == "text":
        typer.echo(words())
        return
    with collected() as tables:
        words()
    if not tables:
        raise AllpayError(f"this answer has no table to be told as {form}: leave --format out")
    typer.echo("\n\n".join((as_latex if form == "latex" else as_markdown)(table) for table in tables))


def check_format(form: str, as_json: bool) -> None:
    """Raise AllpayError if there is no such form, or it has no effect; to be asked before long work."""
    from allpay.errors import one_of
    from allpay.report.words import FORMATS

    if one_of("format", form, FORMATS) != "text" and as_json:
        raise AllpayError(f"--format {form} has no effect beside --json: leave one of them out")


def drawn(function: Callable[..., None]) -> Callable[..., None]:
    """A command that draws, with these options; while it runs, what they say holds for all figures."""
    own = inspect.signature(function)
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in zip(OPTIONS, (Figures, LookWords), strict=True)
    ]

    @functools.wraps(function)
    def wrapped(*args: Any, figures: str | None = None, look: list[str] | None = None, **options: Any) -> None:
        from allpay.report.look import formats_in, look_in, looking

        chosen = look_in(look or (), formats_in(figures))
        said = "--figures" if figures is not None else "--look" if look else ""
        if said and "plot" in options and options["plot"] is None and options.get("out") is None:
            raise AllpayError(
                f"{said} says how figures are written, and none is: give --plot FILE, or a folder by --out"
            )
        with looking(chosen):
            function(*args, **options)

    wrapped.__signature__ = own.replace(parameters=[*own.parameters.values(), *more])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {**function.__annotations__, **{p.name: p.annotation for p in more}}
    return wrapped
