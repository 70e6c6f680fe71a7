"""Designs in several scenarios, in words: who loses what if which world turns out to be true."""

from collections.abc import Sequence

import numpy as np

from allpay.optimum import in_words
from allpay.report.summary import bidders_in_words
from allpay.report.words import aligned, significant
from allpay.scenarios import Comparison, scenario_in_words

NOTHING = 5e-5
"""A loss below this is none."""

SAME = 1e-3
"""Designs whose weights differ by less are told as one."""


def comparison_in_words(found: Comparison) -> str:
    """The answer, a table of what each design loses in each scenario, the designs, and how sure that is."""
    columns = [scenario_in_words(dict(zip([n for n, _ in found.over], s, strict=True))) for s in found.scenarios]
    head = ["what each design loses if it is", *columns, "at most", "on average"]
    rows = [["the best there brings", *(significant(float(x), 5) for x in found.best), "", ""]]
    kept = _different(found)
    for number, name in kept.items():
        losses = found.losses[number]
        numbers = (*losses, losses.max(), losses.mean())
        rows.append([f"{number + 1}  {name}", *(_percent(float(x)) for x in numbers)])
    return "\n".join(
        [
            _answer(found, columns),
            "",
            aligned([head, *rows]),
            "",
            "the designs:",
            *(f"{number + 1}  {in_words(found.designs[number].tolist())}" for number in kept),
            "",
            f"Designs of at most {found.ranks} {found.space.rule} are compared. Numerical uncertainty: none that shows, for "
            f"all is by theory ({bidders_in_words(found.setting)} otherwise). Model uncertainty: which of the {len(columns)} "
            "scenarios is true is not known, and the table says what that can cost. On average, each is as likely as another.",
        ]
    )


def _different(found: Comparison) -> dict[int, str]:
    """The designs that differ, by number, and what they are: one that is the best of several scenarios is told once."""
    names: dict[int, list[str]] = {}
    for number, name in enumerate(found.names):
        near = (d for d in names if np.abs(found.designs[d] - found.designs[number]).max() < SAME)
        same = number if name == "given" else next(near, number)
        names.setdefault(same, []).append(name)
    return {
        number: told[0] + (f", and {len(told) - 1} more" if len(told) > 1 else "") for number, told in names.items()
    }


def _answer(found: Comparison, columns: Sequence[str]) -> str:
    """What to do if it is not known which scenario is true."""
    what = found.objective.replace("-", " ")
    safest, losses = found.safest, found.losses
    worst = float(losses[safest].max())
    text = f"Design {safest + 1}, {in_words(found.designs[safest].tolist())}, is the safest: "
    if worst < NOTHING:
        return text + f"it is best for the {what} in every one of the {len(columns)} scenarios."
    text += f"whichever scenario is true, it loses at most {_percent(worst)} of the {what} that the best design there brings."
    given = [d for d, name in enumerate(found.names) if name == "given"]
    for d in given[:1]:
        at = int(losses[d].argmax())
        text += f" Yours loses up to {_percent(float(losses[d].max()))} (with {columns[at]})."
    return text


def _percent(x: float) -> str:
    return "–" if x < NOTHING else f"{x:.2%}" if x < 0.0995 else f"{x:.1%}"
