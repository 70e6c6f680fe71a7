"""The best design by theory in words: with the digits that are determined, and the designs that do practically as well."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from allpay.bounded import called
from allpay.contest.game import Setting
from allpay.exact import Exact
from allpay.objectives import objective
from allpay.report.announced import in_money, share_lost, step_in_words
from allpay.report.summary import contest_in_words, who_in_words
from allpay.report.words import AS_WELL, keep_table, prizes_in_words
from allpay.scalars import valued
from allpay.simplex import FEW_ZEROS

NAMED = ("first", "second", "third", "fourth", "fifth")
"""Of so many ranks the range is told."""

NOTHING = 1e-12
"""Of a value below this no part can be lost."""

COUNTS = 0.005
"""A smaller prize, or a narrower range of one, is not told."""

SLACK = 1e-3
"""So much of a tenth of a percent is rounding."""


def exact_in_words(found: Exact | None, money: float | None = None) -> str:
    """A sentence on the best design, and one on how far others may be from it.

    Args:
        found: the answer.
        money: what all prizes come to in money, if they are to be told in it.
    """
    if found is None:
        return "No design that was looked at has an equilibrium in closed form: use --method surrogate."
    what = objective(found.objective).words
    keep_table(*_table(found, what))
    among = (
        ""
        if found.fraction == 1
        else f" among the {found.fraction:.0%} of the designs looked at that have a closed form"
    )
    if found.flat:
        lines = [f"Every design{among} has the {valued(what, found.value)}: none is best; {found.seconds:.2f} s."]
    else:
        paid = prizes_in_words(sum(float(cell) > 0 for cell in _cells(found)), found.space.rule)
        lines = [
            f"Best design in equilibrium{among}: {determined(found)}, {valued(what, found.value)}, with {paid}; "
            f"{found.seconds:.2f} s.",
            *([near(found)] if abs(found.value) > NOTHING else []),
        ]
    if money is not None and not found.flat:
        lines.append(f"In money: {in_money(found.weights, money)}.")
    if found.announced is not None and found.step is not None:
        split, value = found.announced
        lines.append(
            f"In {step_in_words(found.step, money)}: {in_money(split, money)}, {valued(what, value)}; that loses "
            f"{share_lost((found.value - value) / abs(found.value) if found.value else 0.0)}."
        )
    if found.fraction < 1:
        lines.append("The others, as where a ban on overbidding binds, may be better: use --method surrogate for them.")
    return "\n".join(lines)


def exact_told(found: Exact, money: float | None = None) -> dict[str, Any]:
    """What a page says of the answer in the words of a terminal: the best design, those near it, and a table."""
    rows, caption = _table(found, objective(found.objective).words)
    if money is not None and found.space.rule == "prizes":
        ends = zip(found.weights, found.low, found.high, strict=False)
        amounts = [[in_money([x], money) for x in each] for each in ends]
        rows = [
            [*row, *(["in money", "from", "to"] if k == 0 else amounts[k - 1] if k <= len(amounts) else [""] * 3)]
            for k, row in enumerate(rows[: len(rows) - len(found.chosen)])
        ] + [[*row, "", "", ""] for row in rows[len(rows) - len(found.chosen) :]]
    return {
        "best": determined(found),
        "money": None if money is None or found.flat else in_money(found.weights, money),
        "value": valued(objective(found.objective).words, found.value),
        "near": "" if found.flat or abs(found.value) <= NOTHING else near(found),
        "table": {"caption": caption, "rows": rows},
    }


def assumed(setting: Setting, bidders: int) -> list[str]:
    """Of whom and of which contest an answer by theory is."""
    who = who_in_words(setting, bidders)
    return [f"{who[:1].upper()}{who[1:]}.", *contest_in_words(setting)]


def _table(found: Exact, what: str) -> tuple[list[list[str]], str]:
    """The best design by theory, and from where to where each weight goes among those that lose little."""
    last = max((k for k, high in enumerate(found.high) if high >= COUNTS), default=0)
    cells = zip(_cells(found), found.low, found.high, strict=True)
    rows = [
        [f"weight of rank {k + 1}", cell, f"{a:.3f}", f"{b:.3f}"] for k, (cell, a, b) in enumerate(cells) if k <= last
    ]
    chosen = [[called(name), _decided(found, name, x), f"{a:.4g}", f"{b:.4g}"] for name, x, a, b in found.chosen]
    caption = f"{'Every design' if found.flat else 'The best design'} in equilibrium: {valued(what, found.value)}"
    return [
        ["", "here", "from", "to"],
        *rows,
        *chosen,
    ], f"{caption}; and designs that lose less than {100 * found.within:.3g}%."


def determined(found: Exact) -> str:
    """The best design to the decimals that are determined; a long row of zeros is cut short."""
    cells = _cells(found)
    carrying = max((k + 1 for k, cell in enumerate(cells) if float(cell) > 0), default=0)
    if len(cells) - carrying > FEW_ZEROS:
        cells = [*cells[:carrying], "0", "…", "0"]
    beside = "".join(f", {called(name)} {_decided(found, name, x)}" for name, x, _, _ in found.chosen)
    return f"({', '.join(cells)}){beside}"


def _cells(found: Exact) -> list[str]:
    """Each weight of the best design, to the decimals that are determined."""
    return [f"{x:.{found.decimals}f}".rstrip("0").rstrip(".") or "0" for x in found.weights]


def _decided(found: Exact, name: str, number: float) -> str:
    """A number that was chosen, to as many decimals, of its range, as the weights."""
    (choice,) = (choice for choice in found.space.choose if choice.name == name)
    decimals = max(0, found.decimals - math.ceil(math.log10(choice.high - choice.low)))
    told = (f"{number:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{number:.0f}") or "0"
    slack = 1e-6 * (choice.high - choice.low)
    edge = " (the most allowed)" if number > choice.high - slack else ""
    return told + (" (the least allowed)" if number < choice.low + slack and choice.low > 0 else edge)


def near(found: Exact) -> str:
    """The set of designs that lose little, named by what is lost."""
    loss, what = f"{100 * found.within:.3g}%", "prize" if found.space.rule == "prizes" else "weight"
    widths = np.array(found.high) - np.array(found.low)
    wide = [k for k in range(min(len(NAMED), len(widths))) if widths[k] >= COUNTS]
    chosen = [
        f"{called(name)} from {_rounded(low, math.ceil)} to {_rounded(high, math.floor)}"
        for name, number, low, high in found.chosen
        if high - low > 0.005 * abs(number)
    ]
    if not wide and not chosen:
        return f"Only designs next to it {AS_WELL}: others lose {loss} or more."
    ranges = [
        f"{NAMED[k]}{f' {what} anywhere' if i == 0 else ''} from {_from(found.low[k], best)} to {_to(found.high[k], best)}"
        for i, k in enumerate(wide)
        for best in (found.weights[k],)
    ]
    most = max(k + 1 for k, x in enumerate(found.high) if x >= COUNTS)
    carried = sum(x >= COUNTS for x in found.weights)
    more = f"; some of these designs pay {most} ranks" if most > carried else ""
    many = "Many designs" if widths.max() >= 0.1 or not wide else "Designs near it"
    return f"{many} {AS_WELL}: {', '.join([*ranges, *chosen])} can lose less than {loss}{more}."


def _rounded(x: float, towards: Callable[[float], int]) -> str:
    """The end of a range to three digits, rounded inwards, so that what is told loses no more than is said."""
    if abs(x) < 1e-9:
        return "0"
    unit = 10.0 ** (math.floor(math.log10(abs(x))) - 2)
    return f"{towards(x / unit - SLACK if towards is math.ceil else x / unit + SLACK) * unit:.3g}"


def _from(x: float, best: float) -> str:
    """The lower end of a range, rounded up, so that what is told loses no more than is said; but not above the best design."""
    return f"{min(math.ceil(1000 * x - SLACK) / 10, _percent(best)):.4g}%"


def _to(x: float, best: float) -> str:
    """The upper end, rounded down; but not below the best design."""
    return f"{max(math.floor(1000 * x + SLACK) / 10, _percent(best)):.4g}%"


def _percent(best: float) -> float:
    """A weight of the best design in percent, to four digits, as it is told."""
    return float(f"{100 * best:.4g}")
