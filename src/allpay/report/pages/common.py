"""What the pages of several kinds of folder share: reading what a folder holds, and numbers as cells of tables."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from allpay.errors import AllpayError, printable, shortened
from allpay.files import check_place, read_text
from allpay.report.words import significant

Model = TypeVar("Model", bound=BaseModel)

MOST_TEXT = 100_000_000
"""Bytes that a file of a folder may have."""

COMMAND = "command.txt"
"""Where a folder has the command that made it, if its answer does not say all that is needed to repeat it."""

FEWEST_ZEROS = 1e-6
"""A smaller part of the purse is told as no prize."""

MOST_NAMED = 6
"""So many prizes of a design are named one by one; of more, the first few."""


@dataclass(frozen=True)
class Page:
    """What a template makes a page of.

    Attributes:
        template: its name.
        title: of the page.
        values: what the template speaks of.
    """

    template: str
    title: str
    values: dict[str, Any] = field(default_factory=dict)


class Kept(BaseModel):
    """Something that a folder holds, which may come from anybody: what is not named here is not looked at."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


def parsed(model: type[Model], values: Any, path: Path) -> Model:
    """What a file holds, as a model that it must fit.

    Raises:
        AllpayError: if it does not.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise AllpayError(
            f"{path} cannot be read ({shortened(where, 60)}: {first['msg'].lower()}): make the folder again"
        ) from None


def json_in(path: Path) -> Any:
    """The JSON that a file holds.

    Raises:
        AllpayError: if it holds none, or is a link.
    """
    check_place(path)
    try:
        return json.loads(read_text(path, MOST_TEXT))
    except (ValueError, RecursionError):
        raise AllpayError(f"{path} is damaged: make the folder again") from None
    except OSError as error:
        raise AllpayError(f"cannot read {path}: {error.strerror}; ask its owner, or copy the folder") from None


def text_in(path: Path) -> str:
    """The text of a file, of signs that can be shown; empty if there is none."""
    check_place(path)
    if not path.is_file():
        return ""
    try:
        return "\n".join(printable(line) for line in read_text(path, MOST_TEXT).splitlines())
    except (OSError, ValueError) as error:
        raise AllpayError(f"cannot read {path}: {shortened(str(error), 80)}") from None


def share(part: float) -> str:
    """A part of the purse in percent, with as many digits as it needs.

    >>> share(0.5), share(0.3333), share(1.0), share(0.0004)
    ('50%', '33.3%', '100%', '0.04%')
    """
    return f"{100 * part:.3g}%"


def split_in_words(weights: Sequence[float], money: float | None = None) -> str:
    """How the purse is split: `80% / 20%`, or in money; equal prizes after the first few are counted.

    >>> split_in_words([0.8, 0.2, 0, 0]), split_in_words([0.5, 0.3, 0.2], 20_000)
    ('80% / 20%', '10,000 / 6,000 / 4,000')
    >>> split_in_words([0.3] + [0.1] * 7)
    '30% / 7 × 10%'
    """
    cells = [cell(w, money) for w in weights if w > FEWEST_ZEROS] or [cell(0.0, money)]
    runs: list[list[Any]] = []
    for each in cells:
        if runs and runs[-1][0] == each:
            runs[-1][1] += 1
        else:
            runs.append([each, 1])
    told = [
        each if times == 1 else " / ".join([each] * times) if times < 3 else f"{times} × {each}" for each, times in runs
    ]
    if len(told) > MOST_NAMED:
        told = [*told[: MOST_NAMED - 1], f"… {len(cells)} prizes in all"]
    return " / ".join(told)


def cell(part: float, money: float | None = None) -> str:
    """One prize."""
    return share(part) if money is None else f"{part * money:,.0f}" if money >= 100 else f"{part * money:,.4g}"


def versus(value: float, other: float) -> float | None:
    """By how much a value lies above another, as a part of the other; None where that says nothing."""
    return None if not math.isfinite(value - other) or other == 0 else value / other - 1


def told(value: float, digits: int = 4) -> str:
    """A number as people read it."""
    return significant(value, digits)
