"""The best design along parameters: as text, LaTeX, and a figure."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allpay.report.look import draw
from allpay.report.summary import bidders_in_words
from allpay.report.words import PARAMETERS, Table, aligned, as_latex, significant
from allpay.scalars import numeral
from allpay.statics import CARRIES, COUNTS, Statics, paid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 6
"""The text and LaTeX tables have so many weights at most; files have all."""

LITTLE, NOTHING = 0.01, 1e-6
"""Parts of the value: what is little to lose, and what is nothing."""

HEADS = {"most_prizes": "prizes allowed"}
"""What columns are called, where the name of the parameter does not say it."""

LINES = 5
"""So many weights a figure draws, and beside them the sum of all others."""

# Okabe and Ito's colours
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "0.55")


def statics_in_words(found: Statics) -> str:
    """A table for people, and what it is of."""
    notes = notes_of(found)
    return "\n".join([_heading(found), "", aligned(_cells(found), _asked(found)), *([""] if notes else []), *notes])


def statics_values(found: Statics) -> dict[str, Any]:
    """All of it, for JSON, with what is told below the table."""
    return {**found.to_json(), "notes": notes_of(found), "assumed": _asked(found)}


def notes_of(found: Statics) -> list[str]:
    """What is to be said of the table: where there is no formula, and how many prizes are enough."""
    missing = sorted({reason for reason in found.reasons if reason})
    notes = [f"No best design where there is no formula: {reason}" for reason in missing[:3]]
    if any(best is not None and best.flat for best in found.best):
        notes.append("Where every design is worth the same, none is best.")
    return notes + _enough(found)


def _enough(found: Statics) -> list[str]:
    """Along the number of prizes alone: how many are enough."""
    values = _values(found)
    if [name for name, _ in found.over] != ["most_prizes"] or not np.all(np.isfinite(values)):
        return []
    numbers, lost = np.array(found.points)[:, 0], (values.max() - values) / max(abs(values.max()), 1e-300)
    best = found.best[int(np.argmax(lost < NOTHING))]
    if best is None or best.flat:
        return []
    count, enough = paid(best), numbers[lost < LITTLE].min()
    if count >= numbers.max():
        little = f"; the best with at most {enough:g} loses less than {LITTLE:.0%} of that" if enough < count else ""
        more = " More may bring more." if numbers.max() < found.space.bidders else ""
        return [f"The most that were tried, {numbers.max():g}, bring most{little}.{more}"]
    one, several = ("rank that pays", "ranks that pay") if found.space.rule == "payments" else ("prize", "prizes")
    text = (
        f"More than one {one} brings nothing more" if count == 1 else f"More than {count} {several} bring nothing more"
    )
    return [
        f"{text}." if enough >= count else f"{text}; the best with at most {enough:g} loses less than {LITTLE:.0%}."
    ]


def _heading(found: Statics) -> str:
    return f"{_asked(found).removesuffix('.')}; {len(found.points)} optima in {found.seconds:.1f} s."


def _asked(found: Statics) -> str:
    what = found.objective.replace("-", " ")
    varied = " and ".join(_called(name) for name, _ in found.over)
    return (
        f"Best {found.space.rule} for the {what} by theory, by {varied}; {bidders_in_words(found.setting)} otherwise."
    )


def _called(name: str) -> str:
    return f"the {PARAMETERS[name]}" if name in PARAMETERS else name.replace("_", " ")


def _cells(found: Statics) -> list[list[str]]:
    ranks = min(found.ranks, SHOWN)
    more = found.ranks > SHOWN
    head = [HEADS.get(name, name.replace("_", " ")) for name, _ in found.over]
    head += [
        found.objective.replace("-", " "),
        "prizes",
        *(f"w{k + 1}" for k in range(ranks)),
        *(["others"] if more else []),
    ]
    rows = [head]
    for point, best in zip(found.points, found.best, strict=True):
        row = [f"{numeral(x)}" for x in point]
        if best is None:
            rows.append([*row, "–", "–", *["–"] * (len(head) - len(row) - 2)])
            continue
        row.append(significant(best.value, 5))
        if best.flat:
            rows.append([*row, "any", *["–"] * (len(head) - len(row) - 1)])
            continue
        weights = np.array(best.weights)
        row.append(str(paid(best)))
        row += [_weight(weights[k]) if k < len(weights) else "" for k in range(ranks)]
        rows.append([*row, *([_weight(float(weights[ranks:].sum()))] if more else [])])
    return rows


def _weight(x: float) -> str:
    return "" if x <= CARRIES else "<0.001" if x < 5e-4 else f"{x:.3f}".rstrip("0").rstrip(".")


def statics_in_latex(found: Statics) -> str:
    """The same table for LaTeX."""
    return as_latex(Table(_cells(found), _asked(found))) + "\n"


def draw_statics(found: Statics, path: Path) -> Path:
    """Draw what the best design brings, and the design, along the parameters.

    Raises:
        AllpayError: if the format is unknown or the file cannot be written.
    """
    return draw(path, lambda: _figure(found))


def _figure(found: Statics) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 2.7), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    if len(found.over) == 1:
        _draw_line(left, right, found)
    else:
        _draw_lines(left, right, found)
    figure.suptitle(f"{bidders_in_words(found.setting)}; best {found.space.rule} by theory", fontsize=8, color="0.35")
    return figure


def _draw_line(left: "Axes", right: "Axes", found: Statics) -> None:
    x = np.array([point[0] for point in found.points])
    left.plot(x, _values(found), marker="o", ms=3, color=_COLOURS[0])
    weights = _weights(found)
    ranks = min(found.ranks, LINES)
    for k in range(ranks):
        right.plot(x, weights[:, k], marker="o", ms=3, color=_COLOURS[k], label=f"rank {k + 1}")
    if found.ranks > LINES:
        right.plot(x, weights[:, LINES:].sum(axis=1), marker="o", ms=3, color=_COLOURS[LINES], label="all others")
    right.legend()
    _label(left, right, found, found.over[0][0])


def _draw_lines(left: "Axes", right: "Axes", found: Statics) -> None:
    """A line for each value of the parameter that has fewer."""
    (first, one), (second, two) = found.over
    along = 0 if len(one) >= len(two) else 1
    x, others = np.array((one, two)[along]), (one, two)[1 - along]
    shape = (len(one), len(two))
    values, weights = _values(found).reshape(shape), _weights(found)[:, 0].reshape(shape)
    if along == 1:
        values, weights = values.T, weights.T
    from matplotlib import colormaps

    shades = colormaps["viridis"](np.linspace(0.05, 0.9, len(others)))
    name = (second, first)[along].replace("_", " ")
    shown = {0, len(others) - 1, *np.linspace(0, len(others) - 1, 8).astype(int).tolist()}
    for k, other in enumerate(others):
        label = f"{name} {numeral(other)}" if k in shown else None
        left.plot(x, values[:, k], marker="o", ms=2.5, color=shades[k], label=label)
        right.plot(x, weights[:, k], marker="o", ms=2.5, color=shades[k], label=label)
    left.figure.legend(*left.get_legend_handles_labels(), loc="outside right center")
    _label(left, right, found, (first, second)[along])


def _label(left: "Axes", right: "Axes", found: Statics, name: str) -> None:
    words = PARAMETERS.get(name, name.replace("_", " "))
    what = found.objective.replace("-", " ")
    share = "part of the purse" if found.space.rule == "prizes" else "part of its bid that a rank pays"
    which = "first prize" if found.space.rule == "prizes" else "first weight"
    title = "The best design" if len(found.over) == 1 else f"Its {which}"
    left.set(xlabel=words, ylabel=what, title="What the best design brings")
    right.set(xlabel=words, ylabel=share, title=title, ylim=(-0.02, 1.05))
    if name in COUNTS:
        from matplotlib.ticker import MaxNLocator

        for ax in (left, right):
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _values(found: Statics) -> Any:
    return np.array([np.nan if best is None else best.value for best in found.best])


def _weights(found: Statics) -> Any:
    table = np.full((len(found.points), max(found.ranks, 1)), np.nan)
    for i, best in enumerate(found.best):
        if best is not None and not best.flat:
            part = np.array(best.weights[: table.shape[1]])
            table[i] = 0.0
            table[i, : len(part)] = part
    return table
