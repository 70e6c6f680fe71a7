"""The words of the page: what an answer says to somebody who runs a contest."""

from collections.abc import Sequence

from allpay.app.contest import number_of
from allpay.app.labels import NAMES, VALUES, told_prizes
from allpay.app.state import NOTHING, Answer, Best, Contest, Known
from allpay.objectives import objective
from allpay.report.words import plainly
from allpay.scalars import numeral


def name_of(text: str) -> str:
    """What an objective is called."""
    return NAMES.get(text) or objective(text).words


def effort(number: float | None) -> str:
    """An effort as it is told."""
    if number is None:
        return "–"
    return "0" if abs(number) < NOTHING else numeral(number, 3)


def of_answer(contest: Contest, answer: Answer) -> dict[str, str]:
    """What the page says of an answer."""
    numbers = {text: effort(number) for text, number in answer.told.items()}
    return {
        "headline": headline(contest, answer, None),
        "method": method_in_words(answer),
        "unit": unit(contest),
    } | numbers


def of_best(contest: Contest, answer: Answer, best: Best) -> dict[str, str]:
    """What the page says of the best split."""
    return {
        "headline": headline(contest, answer, best),
        "loses": f"{100 * best.loss:.3g}\N{NO-BREAK SPACE}%",
        "split": f"best: {split_in_words(best.prizes, contest.purse)}",
        "objective": f"{name_of(contest.objective)[0].upper()}{name_of(contest.objective)[1:]} by split",
        **{name: effort(worth) for name, worth in best.worth.items()},
    }


def headline(contest: Contest, answer: Answer, best: Best | None) -> str:
    """What the split brings, and what another would, in two sentences."""
    own = answer.told[contest.objective]
    who = (
        f"{number_of(contest)} bidders"
        if contest.groups or contest.bidders.isdecimal()
        else f"up to {number_of(contest)} bidders"
    )
    name = name_of(contest.objective)
    if own is not None and abs(own) < NOTHING:
        first = f"With this split the {who} hardly bid at all: what more effort wins is not worth it."
    else:
        first = f"With this split the {name} of the {who} is {effort(own)}."
    if contest.objective == "revenue" and own is not None and own >= NOTHING:
        first = f"With this split the {who} together put in an effort of {effort(own)}{in_money(contest, own)}."
    if best is None:
        return first
    split = split_in_words(best.prizes, contest.purse)
    top = best.worth["best"]
    among = "" if best.exact else f" of the {best.tried} splits tried"
    if best.loss == 0:
        return f"{first} No other{among or ' split'} brings more."
    loses = f"{100 * best.loss:.3g}\N{NO-BREAK SPACE}%"
    return f"{first} The best{among or ' split'}, {split}, brings {effort(top)}: yours loses {loses}."


def in_money(contest: Contest, number: float) -> str:
    """An effort in money, where effort is money."""
    return f" ({numeral(number * contest.purse, 4)} in money)" if contest.purse and contest.cost_power == 1 else ""


def split_in_words(shares: Sequence[float], purse: float | None) -> str:
    """A split in a few words."""
    if len(shares) == 1:
        return "all to the first"
    if max(shares) - min(shares) < NOTHING:
        return f"{len(shares)} equal prizes"
    told = told_prizes(shares, purse)
    return ", ".join(told[:4]) + (f", … ({len(told)} prizes)" if len(told) > 4 else "")


def method_in_words(answer: Answer) -> str:
    """How it is known."""
    took = f"{1000 * answer.seconds:.0f} ms"
    if answer.method == "theory":
        return f"By theory: the exact equilibrium, in {took}"
    gain = f"a bidder could still gain {100 * answer.gain:.2g}\N{NO-BREAK SPACE}% of the top prize"
    return f"By a quick solver on a grid of 41 bids, in {took}; {gain}. No formula: {answer.reason}"


def unit(contest: Contest) -> str:
    """What an effort of 1 is: values that are none of the page's own, as those of past contests, have their unit."""
    if contest.values not in VALUES:
        half = "" if contest.cost_power == 1 else f", one of 0.5 costs {numeral(0.5**contest.cost_power, 3)}"
        return (
            f"Efforts are in the unit of the bids that the values come from: an effort of 1 costs a value of 1{half}."
        )
    worth = "the whole purse" if contest.purse is None else numeral(contest.purse, 4)
    half = "" if contest.cost_power == 1 else f"; one of 0.5 costs {numeral(0.5**contest.cost_power, 3)} of that"
    return f"An effort of 1 costs as much as {worth} is worth at face value{half}."


def past_in_words(found: Known, contest: Contest) -> str:
    """What past contests say, and what of the page was assumed; what speaks against it first."""
    cost = f"a bid b costs b^{numeral(contest.cost_power, 4)}"
    luck = "" if contest.luck == "none" else f", with {contest.luck}"
    middle, low, high = map(plainly, (found.median, found.low, found.high))
    told = (
        f"{found.contests:,} contests with {found.bids:,} bids: the purse is worth {middle} to the bidder in the "
        f"middle, {low} to {high} with {found.confidence:.0%} confidence, in units of what bids cost, "
        f"where {cost}{luck}, as on this page."
    )
    return " ".join([*found.warnings, "The page keeps its own bidders.", told]) if found.warnings else told
