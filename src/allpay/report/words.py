"""Numbers as people read them: with the digits that count, however small or large they are."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from allpay.scalars import LEAST_APART, MOST_FIXED

LEAST_FIXED = 1e-4
"""Numbers smaller than this, or as large as `MOST_FIXED`, are written with a power of ten."""

TINY = 1e-12
"""And so are columns of numbers that are all smaller than this."""


AS_WELL = "do practically as well"
"""What is said of designs that lose so little that nobody would care."""


PARAMETERS = {
    "max_bid": "highest bid allowed",
    "bidders": "number of bidders",
    "cost_power": "power of the cost",
    "most_prizes": "number of prizes allowed",
}
"""What parameters are called in sentences and on axes, where their names do not say it."""


def significant(x: float, digits: int = 4) -> str:
    """A number with so many significant digits; zeros at its end are kept, so that columns line up. A large one has all
    digits before its point, thousands apart: it may be money.

    >>> [significant(x) for x in (0.4, 0.0512, 1.25e-6, 1234.5, 2e7, 0.0, float("nan"))]
    ['0.4000', '0.05120', '1.250e-06', '1234', '20,000,000', '0', '–']
    """
    if not math.isfinite(x):
        return "–" if math.isnan(x) else f"{x:g}"
    if x == 0:
        return "0"
    size = abs(float(f"{x:.{digits - 1}e}"))  # rounded first: 0.99999 is 1.000
    if not LEAST_FIXED <= size < MOST_FIXED:
        return f"{x:.{digits - 1}e}"
    apart = "," if size >= LEAST_APART else ""
    return f"{x:{apart}.{max(0, digits - 1 - math.floor(math.log10(size)))}f}"


def plainly(x: float, digits: int = 3) -> str:
    """A number with so many significant digits, without zeros at its end; a large one as by `significant`.

    >>> [plainly(x) for x in (0.4, 0.05123, 1.25e-6, 1234.5, 2e7, float("nan"))]
    ['0.4', '0.0512', '1.25e-06', '1234', '20,000,000', 'nan']
    """
    text = f"{x:.{digits}g}"
    return significant(x, digits) if "e+" in text else text


def prizes_in_words(count: int, rule: str) -> str:
    """So many prizes, or under the rule `payments` so many ranks that pay.

    >>> prizes_in_words(1, "prizes"), prizes_in_words(3, "payments")
    ('one prize', '3 ranks that pay')
    """
    one, several = ("rank that pays", "ranks that pay") if rule == "payments" else ("prize", "prizes")
    return f"one {one}" if count == 1 else f"{count} {several}"


def with_error(mean: float, error: float | None) -> str:
    """A mean ± its standard error to the decimals of the mean, of which there are four at least.

    >>> with_error(0.4, 0.0012), with_error(0.4, 1e-6), with_error(2e-6, 3e-8), with_error(0.0512, None)
    ('0.4000 ± 0.0012', '0.4000 ± <0.0001', '2.000e-06 ± 3.0e-08', '0.05120')
    """
    if not LEAST_FIXED <= abs(mean) < MOST_FIXED:
        return significant(mean) + ("" if error is None else f" ± {significant(error, 2)}")
    decimals = max(4, 3 - math.floor(math.log10(abs(mean)))) if abs(mean) < LEAST_APART else 1
    unit = 10.0**-decimals
    told = "" if error is None else f" ± {error:.{decimals}f}" if error >= unit / 2 else f" ± <{unit:.{decimals}f}"
    return f"{mean:{',' if abs(mean) >= LEAST_APART else ''}.{decimals}f}{told}"


LINE = 72
"""Letters of a line of a page for print, beside each other: a wider table is made narrower."""

FORMATS = ("text", "latex", "markdown")
"""How the tables of an answer may be told: with its sentences, or alone, for a paper or a page."""


class Table(NamedTuple):
    """A table of cells as text, the first row its head, and what it is of."""

    rows: list[list[str]]
    caption: str


_told: ContextVar[list[Table] | None] = ContextVar("told", default=None)


@contextmanager
def collected() -> Iterator[list[Table]]:
    """The tables that are made within, in their order, each once."""
    found: list[Table] = []
    token = _told.set(found)
    try:
        yield found
    finally:
        _told.reset(token)


def collecting() -> bool:
    """Whether the tables of an answer are wanted alone."""
    return _told.get() is not None


def keep_table(rows: Sequence[Sequence[str]], caption: str) -> None:
    """Keep a table of cells as text where tables are `collected`; elsewhere do nothing."""
    kept, table = _told.get(), Table([list(row) for row in rows], caption)
    if kept is not None and table not in kept:
        kept.append(table)


def as_latex(table: Table) -> str:
    """A table for LaTeX, with the lines of the package booktabs. Where it is too wide for a page, heads are broken into lines,
    and signs are smaller.

    >>> print(as_latex(Table([["", "loss"], ["a_1 & b", "5%"]], "What is lost.")))
    \\begin{table}
      \\centering
      \\caption{What is lost.}
      \\begin{tabular}{lr}
        \\toprule
         & loss \\\\
        \\midrule
        a\\_1 \\& b & 5\\% \\\\
        \\bottomrule
      \\end{tabular}
    \\end{table}
    """
    head, *body = [[_one(cell) for cell in row] for row in table.rows]
    broken = [_broken(cell, max((len(row[k]) for row in body), default=0)) for k, cell in enumerate(head)]
    widths = [max([*map(len, lines), *(len(row[k]) for row in body)]) for k, lines in enumerate(broken)]
    wide = sum(max(len(cell), width) + 2 for cell, width in zip(head, widths, strict=True)) > LINE
    sides = _sides(table)
    heads = [
        _stacked(lines, side) if wide else _in_latex(cell)
        for cell, lines, side in zip(head, broken, sides, strict=True)
    ]
    rows = [" & ".join(_in_latex(cell) for cell in row) + r" \\" for row in body]
    inside = [r"\toprule", " & ".join(heads) + r" \\", r"\midrule", *rows, r"\bottomrule"]
    smaller = [r"  \footnotesize", r"  \setlength{\tabcolsep}{3pt}"] if sum(widths) + 2 * len(widths) > LINE else []
    columns = "".join(sides)
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{_in_latex(table.caption)}}}",
            *smaller,
            rf"  \begin{{tabular}}{{{columns}}}",
            *(f"    {line}" for line in inside),
            r"  \end{tabular}",
            r"\end{table}",
        ]
    )


def _broken(head: str, width: int) -> list[str]:
    """The words of a head in lines that are no longer than its column, or than its longest word."""
    lines: list[str] = []
    for word in head.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def _stacked(lines: Sequence[str], side: str) -> str:
    written = r"\\".join(_in_latex(line) for line in lines)
    return written if len(lines) == 1 else rf"\shortstack[{side}]{{{written}}}"


def _one(cell: str) -> str:
    """A cell in which two numbers stand apart by spaces, the second in brackets: spaces are lost in print.

    >>> _one("0.6909   84.4%")
    '0.6909 (84.4%)'
    """
    return re.sub(r"(\S) {2,}(\S.*)", r"\1 (\2)", cell)


def as_markdown(table: Table) -> str:
    """A table for Markdown, its caption above it.

    >>> print(as_markdown(Table([["", "loss"], ["a|b", "5%"]], "What is lost.")))
    *What is lost.*
    <BLANKLINE>
    |  | loss |
    |:---|---:|
    | a\\|b | 5% |
    """
    head, *rows = ["| " + " | ".join(_one(cell).replace("|", r"\|") for cell in row) + " |" for row in table.rows]
    line = "|" + "".join("---:|" if side == "r" else ":---|" for side in _sides(table))
    caption = table.caption.replace("*", r"\*")
    return "\n".join([f"*{caption}*", "", head, line, *rows])


def _sides(table: Table) -> list[str]:
    """At which side the cells of each column begin or end: the first at the left, as do words; numbers at the right."""
    columns = list(zip(*table.rows[1:], strict=True))[1:]
    words = [all(re.match("[^\\W\\d_]", cell) for cell in column if cell) and any(column) for column in columns]
    return ["l", *("l" if word else "r" for word in words), *"r" * (len(table.rows[0]) - 1 - len(words))]


def _in_latex(text: str) -> str:
    """A text with the signs that LaTeX would take for its own."""
    return "".join(_LATEX.get(sign, sign) for sign in text)


_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"–": "--", "±": r"$\pm$", "<": "$<$", ">": "$>$", "×": r"$\times$", "²": "$^2$", "³": "$^3$", "…": r"\dots{}"},
}


def aligned(rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """A table as text: the first column begins at the left, the others end at the right. It is kept, with its caption, where
    tables are `collected`.

    >>> aligned([["", "bid"], ["mean", "0.5"]]).splitlines()
    ['      bid', 'mean  0.5']
    """
    keep_table(rows, caption)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def in_a_column(numbers: Iterable[float]) -> list[str]:
    """Numbers with as many decimals each, four at least, of which the largest has four digits that count.

    >>> in_a_column([0.0, 0.25]), in_a_column([0.0, 1.25e-6])
    (['0.0000', '0.2500'], ['0.000000000', '0.000001250'])
    """
    listed = [float(x) for x in numbers]
    largest = max((abs(x) for x in listed if math.isfinite(x)), default=0.0)
    if 0 < largest < TINY or largest >= MOST_FIXED:
        return [significant(x) for x in listed]
    decimals = max(4, 3 - math.floor(math.log10(largest))) if largest else 4
    return [f"{x:.{decimals}f}" for x in listed]
