"""`allpay report`: one HTML file that says what a folder holds, opens without a network, and prints.

A folder may come from somebody else. All that it says is data: text is escaped wherever a template puts it, numbers of charts
go into blocks that no browser runs, and the page's policy allows no script but its own, which it names by their digests, and
no connection to anywhere.
"""

import base64
import hashlib
import json
import math
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allpay.errors import AllpayError
from allpay.files import in_shell, write
from allpay.report.look import COLOURS
from allpay.report.pages import answers, experiments, study
from allpay.report.pages.common import Page, share, told
from allpay.report.words import with_error

if TYPE_CHECKING:
    from jinja2 import Environment

REPORT = "report.html"
"""What the file is called in its folder, unless the user says otherwise."""

KINDS: tuple[Callable[[Path], Page | None], ...] = (study.page, experiments.page, *answers.PAGES)
"""What makes a page of a folder, for each kind of folder; None if it is of another kind."""

LEAST_PERCENT = 1e-4
"""Less than this, in percent, is told as none."""

SCRIPTS = ("vega.js", "page.js")
"""The scripts of a page: Vega, Vega-Lite and Vega-Embed in one, and what puts charts into their places."""


def page_of(folder: Path) -> Page:
    """What the report of a folder says.

    Raises:
        AllpayError: if the folder holds nothing of allpay's, or something that is not finished or damaged.
    """
    if not folder.is_dir():
        raise AllpayError(f"there is no folder {folder}: a report is of a folder that --out has made")
    for kind in KINDS:
        page = kind(folder)
        if page is not None:
            return page
    raise AllpayError(f"{folder} holds no answer of allpay: give the folder of a command's --out")


def html_of(folder: Path, templates: Path | None = None) -> str:
    """The report of a folder, as one HTML page; the same folder gives the same page.

    Args:
        folder: what a command's `--out` has made.
        templates: a folder of one's own with templates to take before those of allpay, by their names.

    Raises:
        AllpayError: see `page_of`, or if a template cannot be used.
    """
    page = page_of(folder)
    from jinja2 import TemplateError
    from markupsafe import Markup

    scripts = [_file(name, templates) for name in SCRIPTS]
    try:
        environment = _environment(templates)
        return environment.get_template(page.template).render(
            page.values,
            title=page.title,
            folder=folder.resolve().name,
            folder_in_shell=in_shell(Path(folder.name or ".")),
            style=Markup(environment.get_template("style.css").render(colours=COLOURS)),
            scripts=[Markup(text) for text in scripts],
            policy=_policy(scripts),
        )
    except TemplateError as error:
        reason = " ".join(str(error).split())[:150]
        raise AllpayError(f"a template of the report cannot be used ({type(error).__name__}: {reason})") from None


def write_report(folder: Path, path: Path | None = None, templates: Path | None = None) -> Path:
    """Write the report of a folder into a file, `report.html` in the folder if none is named; returns where it is.

    Raises:
        AllpayError: see `html_of`, or if the file cannot be written.
    """
    path = folder / REPORT if path is None else path
    if path.suffix.lower() not in (".html", ".htm"):
        raise AllpayError(f"a report is an HTML file: got {path}; give it the ending .html")
    text = html_of(folder, templates)
    write(path, lambda file: file.write(text.encode()))
    return path


def _environment(templates: Path | None) -> "Environment":
    from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined

    ours = PackageLoader("allpay.report", "templates")
    loader = ours if templates is None else ChoiceLoader([FileSystemLoader(templates), ours])
    made = Environment(
        loader=loader,
        autoescape=lambda name: name is None or not name.endswith(".css"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "told": told,
        "share": share,
        "percent": _percent,
        "with_error": with_error,
        "pretty": _pretty,
        "data_uri": _data_uri,
    }
    return made


def _file(name: str, templates: Path | None) -> str:
    """The text of a file that stands as it is in the page."""
    if templates is not None and (templates / name).is_file():
        return (templates / name).read_text(encoding="utf-8")
    return (files("allpay.report") / "templates" / name).read_text(encoding="utf-8")


def _policy(scripts: list[str]) -> str:
    """What the browser may do: our own scripts alone, known by their digests, and no connection. Vega makes functions of
    expressions, none of which come from a folder."""
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed} 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _percent(part: float | None, digits: int = 2) -> str:
    """A part in percent with so many significant digits, never with a power of ten; what nobody would see is 0.

    >>> _percent(0.0123), _percent(None), _percent(1.0), _percent(0.2134, 1), _percent(3e-16)
    ('1.2%', '–', '100%', '20%', '0%')
    """
    if part is None or not math.isfinite(part):
        return "–"
    percent = 100 * part
    if abs(percent) < LEAST_PERCENT:
        return "0%"
    decimals = digits - 1 - math.floor(math.log10(abs(float(f"{percent:.{digits - 1}e}"))))
    return f"{round(percent, decimals):.{max(decimals, 0)}f}%"


def _pretty(values: Any) -> str:
    """Plain values for people to read."""
    return json.dumps(values, indent=2, ensure_ascii=False)


def _data_uri(text: str, kind: str) -> str:
    """A file that the page carries, for a link to save it by."""
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"
