"""The options of every command that draws or tells tables: formats of figures and tables, and how figures look. They are
declared here alone."""

import contextlib
import functools
import inspect
import io
from collections.abc import Callable
from typing import Annotated, Any

import typer

from allpay.errors import AllpayError, one_of

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

OPTIONS = ("figures", "look", "form")
"""The names of these options."""


def in_tables(function: Callable[..., None]) -> Callable[..., None]:
    """A command whose answer has tables, with the option that tells them alone: of what it says on stdout nothing else is
    told then. Where it writes files, it writes the same."""

    @functools.wraps(function)
    def wrapped(*args: Any, form: str = "text", **options: Any) -> None:
        if form == "text":
            function(*args, **options)
            return
        from allpay.report.words import FORMATS, as_latex, as_markdown, collected

        one_of("format", form, FORMATS)
        if options.get("as_json"):
            raise AllpayError(f"--format {form} has no effect beside --json: leave one of them out")
        with collected() as tables, contextlib.redirect_stdout(io.StringIO()):
            function(*args, **options)
        if not tables:
            raise AllpayError(f"this answer has no table to be told as {form}: leave --format out")
        typer.echo("\n\n".join((as_latex if form == "latex" else as_markdown)(table) for table in tables))

    return _with_options(wrapped, function, form=(Format, "text"))


def drawn(function: Callable[..., None]) -> Callable[..., None]:
    """A command that draws, with the options of figures; while it runs, what they say holds for all figures."""

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

    return _with_options(wrapped, function, figures=(Figures, None), look=(LookWords, None))


def _with_options(
    wrapped: Callable[..., None], function: Callable[..., None], **more: tuple[Any, Any]
) -> Callable[..., None]:
    """A command around another, with its options and more: the annotation and the default of each."""
    own = inspect.signature(function)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in more.items()
    ]
    wrapped.__signature__ = own.replace(parameters=[*own.parameters.values(), *added])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {**function.__annotations__, **{p.name: p.annotation for p in added}}
    return wrapped
