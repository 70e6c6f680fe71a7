"""The best design by theory in words: with the digits that are determined, and the designs that do practically as well."""

import math

import numpy as np

from allpay.exact import Exact
from allpay.objectives import objective
from allpay.scalars import numeral
from allpay.simplex import FEW_ZEROS

NAMED = ("first", "second", "third", "fourth", "fifth")
"""Of so many ranks the range is told."""

SLACK = 1e-3
"""So much of a tenth of a percent is rounding."""


def exact_in_words(found: Exact | None) -> str:
    """A sentence on the best design, and one on how far others may be from it."""
    if found is None:
        return "No design that was looked at has an equilibrium in closed form: use --method surrogate."
    what = objective(found.objective).words
    among = (
        ""
        if found.fraction == 1
        else f" among the {found.fraction:.0%} of the designs looked at that have a closed form"
    )
    if found.flat:
        lines = [f"Every design{among} has the {what} {numeral(found.value)}: none is best; {found.seconds:.2f} s."]
    else:
        weights = determined(found)
        lines = [
            f"Best design in equilibrium{among}: {weights}, {what} {numeral(found.value)}; {found.seconds:.2f} s.",
            near(found),
        ]
    if found.fraction < 1:
        lines.append("The others, as where a ban on overbidding binds, may be better: use --method surrogate for them.")
    return "\n".join(lines)


def determined(found: Exact) -> str:
    """The weights to the decimals that are determined; a long row of zeros is cut short."""
    cells = [f"{x:.{found.decimals}f}" for x in found.weights]
    cells = [(cell.rstrip("0").rstrip(".") or "0") for cell in cells]
    carrying = max((k + 1 for k, cell in enumerate(cells) if float(cell) > 0), default=0)
    if len(cells) - carrying > FEW_ZEROS:
        cells = [*cells[:carrying], "0", "…", "0"]
    return f"({', '.join(cells)})"


def near(found: Exact) -> str:
    """The set of designs that lose little, named by what is lost."""
    loss, what = f"{100 * found.within:.3g}%", "prize" if found.space.rule == "prizes" else "weight"
    widths = np.array(found.high) - np.array(found.low)
    wide = [k for k in range(min(len(NAMED), len(widths))) if widths[k] >= 0.005]
    if not wide:
        return f"Only designs next to it lose less than {loss}."
    ranges = [
        f"{NAMED[k]}{f' {what} anywhere' if i == 0 else ''} from {_from(found.low[k])} to {_to(found.high[k])}"
        for i, k in enumerate(wide)
    ]
    most = max(k + 1 for k, x in enumerate(found.high) if x > 1e-3)
    carried = sum(x > 1e-3 for x in found.weights)
    more = f"; some of these designs pay {most} ranks" if most > carried else ""
    many = "Many designs do" if widths.max() >= 0.1 else "Designs near it do"
    return f"{many} practically as well: {', '.join(ranges)} can lose less than {loss}{more}."


def _from(x: float) -> str:
    """The lower end of a range, rounded up, so that what is told loses no more than is said."""
    return f"{math.ceil(1000 * x - SLACK) / 10:.3g}%"


def _to(x: float) -> str:
    """The upper end, rounded down."""
    return f"{math.floor(1000 * x + SLACK) / 10:.3g}%"
