"""Options that may be given several numbers: each is then a scenario, or a point along a parameter. And the designs that the
options of a command allow."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allpay.cli.options import GAME, SPACE
from allpay.errors import AllpayError, short, shortened

if TYPE_CHECKING:
    from allpay.study import DesignSpace

MOST_STEPS = 1000
"""A range has so many steps at most."""

OPTIONS = {"most_prizes": "prizes"}
"""The options of parameters that are called otherwise."""


def _several(words: str, example: str = "1:3:0.25", usual: bool | str = True) -> Any:
    """An option that takes one number, several, or a range."""
    return typer.Option(
        help=f"{words}; several as 1,2,4, or a range as {example}", rich_help_panel=GAME, show_default=usual
    )


SeveralBidders = Annotated[str | None, _several("how many bid", "3:20", "3, or as many as groups say")]
FieldOrSeveral = Annotated[
    str | None,
    typer.Option(
        help="how many bid; or how many may turn up, a number that bidders do not know: 40:120 (each as likely), poisson(80), "
        "binomial(100,0.8); or several, each a scenario that may be true: 40,80,120",
        show_default="3, or as many as groups say",
        rich_help_panel=GAME,
    ),
]
SeveralPrizes = Annotated[
    str | None,
    typer.Option(
        "--prizes",
        help="how many ranks may carry weight; several as 1,3,10, or a range as 1:8",
        show_default="all but the last",
        rich_help_panel=SPACE,
    ),
]
CostPowers = Annotated[str, _several("p of the cost b^p of a paid bid b")]
RiskAversions = Annotated[str, _several("constant absolute risk aversion ρ of bidders")]
Attendances = Annotated[str, _several("the chance of each bidder to turn up")]
Reserves = Annotated[str, _several("a bid below it does not count")]
Fees = Annotated[str, _several("what everybody pays whose bid counts")]
MaxBids = Annotated[str | None, _several("the highest bid", usual="what the best rank is worth to the highest value")]


def varied(asked: Mapping[str, Any], may_be_field: bool = False) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """The parameters that several numbers are given for, and all that is asked with one number for each of them.

    Of several numbers of bidders the fewest stand for them, of another parameter what it is if nothing is said.

    Args:
        asked: the options by name, those that may be several numbers as texts.
        may_be_field: whether the number of bidders may be a field, `3:20` or `poisson(8)`.

    Raises:
        AllpayError: if numbers cannot be read.
    """
    from allpay.statics import ALONG, COUNTS
    from allpay.study.file import GameSection

    over, single = dict[str, list[float]](), dict(asked)
    usual = {name: field.default for name, field in GameSection.model_fields.items()}
    for name in ALONG:
        option = OPTIONS.get(name, name)
        text, whole = asked.get(option), name in COUNTS
        several = not may_be_field or name != "bidders" or re.fullmatch(r"[^:()]*,[^:()]*", str(text))
        if not isinstance(text, str) or not several:
            continue
        numbers = numbers_in(f"--{option.replace('_', '-')}", text, whole)
        if len(numbers) > 1:
            over[name] = numbers
            single[option] = int(min(numbers)) if name == "bidders" else usual.get(name)
        else:
            single[option] = int(numbers[0]) if whole else numbers[0]
    if "bidders" in single and single["bidders"] is not None:
        single["bidders"] = str(single["bidders"])  # a text, which may be a field
    return over, single


def numbers_in(option: str, text: str, whole: bool = False) -> list[float]:
    """The numbers that a text gives: one, several with commas between, or a range `first:last` or `first:last:step`.

    Raises:
        AllpayError: if it cannot be read, falls, or is too long.
    """
    how = f"{option} takes a number, several as 1,2,4, or a range as {'3:20' if whole else '1:3:0.25'}"
    try:
        if ":" not in text:
            numbers = [float(part) for part in text.split(",")]
        else:
            first, last, *steps = (float(part) for part in text.split(":"))
            step = steps[0] if steps else 1.0
            if last < first and len(steps) <= 1:
                again = ":".join([*reversed(text.split(":")[:2]), *text.split(":")[2:]])
                raise AllpayError(f"{option} {short(text, 40)} falls from {first:g} to {last:g}: write {again}")
            if len(steps) > 1 or not step > 0 or not first < last or not last - first <= MOST_STEPS * step:
                raise ValueError
            count = int((last - first) / step + 1e-9)
            numbers = [round(first + k * step, 12) for k in range(count + 1)]
    except AllpayError:
        raise
    except (ValueError, OverflowError):
        raise AllpayError(f"{how}: got {short(text, 40)}") from None
    if whole and not all(x.is_integer() for x in numbers):
        raise AllpayError(f"{option} takes whole numbers: got {short(text, 40)}")
    return list(dict.fromkeys(numbers))


def check_splits(words: Sequence[str]) -> None:
    """Raise AllpayError if words that are each a design by themselves are the prizes of one split, set apart.

    >>> check_splits(["0.8", "0.6"])
    """
    from allpay.contest.amounts import amounts

    if len(words) < 2 or any("," in word for word in words):
        return
    try:
        together = amounts(words)
    except AllpayError:
        return  # they are no split
    whole = together.unit != "share" or abs(sum(together.numbers) - 1) < 1e-6
    if whole and not any("x" in word for word in words):
        raise AllpayError(
            f"{shortened(' '.join(words), 80)} would be {len(words)} designs of one number each, and together they are one "
            f"split: write it as one word, {shortened(','.join(words), 80)}"
        )


def space_of(asked: Mapping[str, Any], bidders: int) -> "DesignSpace":
    """The designs that the options of a command allow, of those that it has.

    Args:
        asked: the options by name.
        bidders: how many there are.

    Raises:
        AllpayError: if bounds cannot be read, or leave no design.
    """
    from allpay.contest.amounts import part_in, parts_in
    from allpay.study import DesignSpace

    prizes, money, floors = asked["prizes"], asked.get("money"), asked.get("at_least")
    if prizes is not None and prizes > bidders >= 2:
        raise AllpayError(f"--prizes {prizes} needs --bidders {prizes} or more: got {bidders}")
    bounds = {
        name: part_in(asked[name], f"--{name.replace('_', '-')}", money)
        for name in ("first_at_most", "first_at_least", "last_at_least")
        if asked.get(name) is not None
    }
    return DesignSpace(
        asked["rule"],
        bidders,
        prizes,
        "box" if asked.get("box") else "simplex",
        at_least=None if floors is None else parts_in(floors, "--at-least", money),
        tied=ranges_in(asked.get("same") or ()),
        choose=bounds_in(asked.get("choose") or ()),
        **bounds,
    )


def ranges_in(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Ranges of ranks, each as 4-10."""
    found = []
    for text in texts:
        first, _, last = text.partition("-")
        if not (first.strip().isdecimal() and last.strip().isdecimal() and len(text) < 20):
            raise AllpayError(f"--same takes a range of ranks, as 4-10, several of them each: got {short(text, 40)}")
        found.append((int(first), int(last)))
    return found


def bounds_in(texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Numbers to choose, by name, with their bounds, each as reserve=0:0.5."""
    found = {}
    for text in texts:
        name, equals, bounds = text.partition("=")
        low, colon, high = bounds.partition(":")
        try:
            if not (equals and colon):
                raise ValueError
            ends = (float(low), float(high))
        except ValueError:
            raise AllpayError(
                f"--choose takes a name and two bounds, as reserve=0:0.5: got {short(text, 60)}"
            ) from None
        if name.strip().replace("-", "_") in found:
            raise AllpayError(f"--choose {name.strip()} is given twice: leave one of them out")
        found[name.strip().replace("-", "_")] = ends
    return found
