"""Values and luck together: how much luck there is from ranks, then values from bids, with bands from contests drawn anew."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from allpay.contest.preferences import Cost, PowerCost
from allpay.contest.success import Noise, Success, law_of
from allpay.contest.values import Curve, Distribution
from allpay.errors import AllpayError, short
from allpay.estimate.conditions import Bids
from allpay.estimate.luck import (
    Array,
    Asked,
    FoundLuck,
    Levels,
    Likelihood,
    Orders,
    summed_up,
    values_of,
    values_of_scores,
)
from allpay.estimate.past import Contests
from allpay.estimate.values import (
    LEVELS,
    EstimatedGroups,
    EstimatedValues,
    Explained,
    Tried,
    kinds_of_groups,
    of_contests,
)
from allpay.learners.base import check_count, check_seed
from allpay.progress import Reporter, Silent
from allpay.scalars import real

BY_CONDITION = "first-order condition"
"""What stands for a family where none is assumed."""

LEAST_ORDERS = 10
"""Of so many contests at least ranks must be known to say how much luck there is."""


def estimate_with_luck(
    contests: Contests,
    luck: str,
    *,
    cost: Cost | None = None,
    payments: Sequence[float] | None = None,
    scores: bool = False,
    resamples: int = 200,
    confidence: float = 0.9,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> EstimatedGroups:
    """How much luck there is, if it is not given, and the values of each group, or of all if they are alike.

    Args:
        contests: what was bid, for which prizes; ranks say how much luck there is.
        luck: `tullock(1)` or `normal(0.2)`; of `tullock` and `normal(?)` the number is estimated.
        scores: whether what is told as bids are scores, bids and luck together; all then pay all of their bids.
        cost, payments, resamples, confidence, seed, reporter: as of `estimate_values`.

    Raises:
        AllpayError: if ranks are too few, or show no luck or nothing else; or as `estimate_values`.
    """
    confidence = real("confidence", confidence)
    if not 0 < confidence < 1:
        raise AllpayError(f"confidence must lie between 0 and 1: got {confidence:g}; 0.9 is usual")
    check_count("resamples", resamples, least=0, most=100_000)
    check_seed(seed)
    paying = PowerCost() if cost is None else cost
    if not isinstance(paying, PowerCost):
        raise AllpayError("with luck the cost of a bid is a power of it: give PowerCost(2)")
    whole = (1.0,) if payments is None else tuple(real("payments", p) for p in payments)
    asked, reporter = Asked.of(luck), reporter or Silent()
    if scores:
        _check_scores(contests, asked, whole)
        contests = replace(contests, rank=None)  # which follow scores, and so say nothing more
    purse = float(contests.prizes.sum(axis=1).mean())
    alike = contests.group is None or len(contests.groups) < 2
    if alike:
        contests = replace(contests, group=np.zeros(len(contests.bid), np.int64), groups=("",))
    samples, counts = kinds_of_groups(contests, paying, purse, whole, differ=False)
    orders = Orders.of(contests)
    told = len(orders.known) >= LEAST_ORDERS
    if asked.number is None and not told:
        raise AllpayError(
            f"ranks say how much luck there is, and {len(orders.known)} contests have some, fewer than {LEAST_ORDERS}: give "
            f"ranks, or say how much there is, as --luck '{asked.text(1)}'"
        )
    with reporter.stage("how much luck ranks show"):
        likelihood = _likelihood(asked, orders) if told else None
    once = np.ones(contests.contests)
    said = None if likelihood is None else likelihood.best(once)
    number = said if asked.number is None else asked.number
    assert number is not None
    first = _values(samples, once, asked.rule(number), paying, scores)
    rng = np.random.default_rng([seed, 11])
    numbers, drawn = [], list[list[Distribution]]()
    presences: list[list[float]] = [[] for _ in samples]
    with reporter.stage("drawing contests anew"):
        for done in range(resamples):
            again = rng.multinomial(contests.contests, once / contests.contests).astype(float)
            numbers.append(number if likelihood is None else likelihood.best(again))
            rule = asked.rule(numbers[-1] if asked.number is None else number)
            found = _values(samples, again, rule, paying, scores)
            drawn.append([one or other for one, other in zip(found, first, strict=True)])  # type: ignore[misc]
            for k, sample in enumerate(samples):
                if sample[0].turnout is not None:
                    presences[k].append(sample[0].again(again).kind.presence)
            reporter.advance(done + 1, resamples)
    tail, parts = 0.5 * (1 - confidence), []
    for k, (sample, values) in enumerate(zip(samples, first, strict=True)):
        if values is None:
            who = f"the group {short(contests.groups[k], 40)}" if contests.groups[k] else "everybody"
            raise AllpayError(f"{who} bids 0 each time, which tells nothing of values: leave it out")
        draws = tuple(row[k] for row in drawn)
        at = np.array([draw.quantile(np.array(LEVELS)) for draw in draws or (values,)])
        low, high = np.quantile(at, [tail, 1 - tail], axis=0)
        size = sum(len(bids.costs) for bids in sample)
        parts.append(
            EstimatedValues(
                distribution=values,
                family=BY_CONDITION,
                tried=(Tried(BY_CONDITION, np.nan, len(set(values.coefficients))),),
                levels=LEVELS,
                low=tuple(low.tolist()),
                high=tuple(high.tolist()),
                confidence=confidence,
                draws=draws,
                presence=sample[0].kind.presence,
                presences=tuple(presences[k]),
                purse=purse,
                contests=contests.contests,
                bids=size,
                zeros=sum(int(np.sum(bids.costs == 0)) for bids in sample) / size,
                cost=paying,
                payments=whole,
                kinds=tuple(_seen(bids, paying) for bids in sample),
                seed=seed,
                group=contests.groups[k],
            )
        )
    ends = None if likelihood is None or not numbers else np.quantile(numbers, [tail, 1 - tail]).tolist()
    kinds, times = np.unique(counts, axis=0, return_counts=True)
    most = int(np.argmax(times))
    return EstimatedGroups(
        tuple(parts),
        tuple(kinds[most].tolist()),
        float(times[most] / contests.contests),
        FoundLuck(
            text=asked.text(number),
            number=number,
            given=asked.number is not None,
            said=said,
            band=None if ends is None else (ends[0], ends[1]),
            draws=tuple(numbers) if asked.number is None else (),
            orders=len(orders.known),
            upsets=orders.upsets,
            scores=scores,
        ),
    )


def _check_scores(contests: Contests, asked: Asked, payments: tuple[float, ...]) -> None:
    """Raise AllpayError unless scores can tell values: scores alone do not tell luck from ability."""
    seen = contests.bid[contests.there]
    rule = asked.rule(asked.number or 1.0)
    if not isinstance(rule, Noise):
        raise AllpayError(
            "scores are bids and noise together: give the noise that you believe in, as --luck 'normal(0.2)'"
        )
    if set(payments) != {1.0}:
        raise AllpayError("where scores are seen all pay all of their bids: leave payments out")
    told = rule.scores(seen[seen > 0])
    spread = float(np.std(told)) if len(told) else 0.0
    one = float(np.std(law_of(rule).quantile((np.arange(2000) + 0.5) / 2000)))
    most = spread / one
    if asked.number is None or asked.number > most:
        got = "" if asked.number is None else f": got {asked.text(asked.number)}"
        highest = asked.text(float(f"{most:.3g}"))
        raise AllpayError(
            f"scores alone do not tell luck from ability: say how much luck you believe in, from none to {highest}, which is "
            f"all of their spread{got}"
        )


def _likelihood(asked: Asked, orders: Orders) -> Likelihood | None:
    """What ranks say; None where they say nothing of luck that is given."""
    if asked.number is None:
        return Likelihood.of(asked, orders)
    try:
        return Likelihood.of(asked, orders)
    except AllpayError:
        return None


def _values(
    samples: "Sequence[list[Bids]]", weights: Array, rule: Success, cost: PowerCost, scores: bool
) -> list[Curve | None]:
    """The values of each group, where contests count so many times; None where nobody of it bids anything."""
    found = []
    for group, sample in enumerate(samples):
        values, counts = [], []
        for bids in sample:
            again = bids.again(weights)
            each = [Levels.of(other.bids(cost), other.each(weights)) for other in again.groups]
            if each[group].count:
                if scores:
                    assert isinstance(rule, Noise)
                    value, chance = values_of_scores(group, again, each, rule, cost)
                else:
                    value, chance = values_of(group, again, each, rule, cost), each[group].chance
                values.append(value)
                counts.append(chance * each[group].count)
        found.append(summed_up(values, counts) if values else None)
    return found


def _seen(bids: Bids, cost: PowerCost) -> Explained:
    """The bids of one kind of contest; nothing is foretold, since each value is that which explains its bid."""
    at = (np.arange(len(bids.costs)) + 0.5) / len(bids.costs)
    observed = tuple(np.interp(LEVELS, at, bids.bids(cost)).tolist())
    total, best = (of_contests(bids, cost, together) for together in (np.add, np.maximum))
    return Explained(bids.kind, len(np.unique(bids.contest)), len(bids.costs), observed, (), total=total, best=best)
