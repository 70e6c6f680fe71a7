"""Values and luck together: how much luck there is from ranks, then values from bids, with bands from contests drawn anew."""

from collections.abc import Callable, Sequence
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
    Standing,
    standing,
    standing_of_scores,
    summed_up,
)
from allpay.estimate.past import Contests
from allpay.estimate.power import FoundPower, Sought, check_told, costing, lowest
from allpay.estimate.values import (
    LEVELS,
    MIDDLES,
    MOST_TESTED,
    TEST_DRAWS,
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
    cost: Cost | Sought | None = None,
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
    if not isinstance(paying, PowerCost | Sought):
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
    samples, counts = kinds_of_groups(contests, PowerCost(), purse, whole, differ=False)
    if isinstance(paying, Sought):
        check_told(samples)
    orders = Orders.of(contests)
    told = len(orders.known) >= LEAST_ORDERS
    if asked.number is None and not told:
        raise AllpayError(
            f"ranks say how much luck there is, and {len(orders.known)} contests have some, fewer than {LEAST_ORDERS}: give "
            f"ranks, or say how much there is, as --luck '{asked.text(1)}', or a range of it, as "
            f"'{asked.template.format('0.5:1')}'"
        )
    with reporter.stage("how much luck ranks show"):
        likelihood = _likelihood(asked, orders) if told else None
    once = np.ones(contests.contests)
    said = None if likelihood is None else likelihood.best(once)

    def luck_by(weights: Array) -> float:
        """How much luck there is, as given, or as ranks say where contests count so many times."""
        if asked.number is not None or likelihood is None:
            assert asked.number is not None
            return asked.number
        return likelihood.best(weights)

    number = luck_by(once)

    def bidding(weights: Array, number: float, begin: float | None = None) -> tuple[Standings, PowerCost]:
        """What bids bring where contests count so many times, and what they cost: by the best power, if it is sought."""
        there = standings_of(samples, weights, asked.rule(number), scores)
        if isinstance(paying, PowerCost):
            return there, paying
        return there, PowerCost(lowest(paying, lambda power: _unlike(there, PowerCost(power)), begin))

    with reporter.stage("what bids bring, and what they cost"):
        there, cost_found = bidding(once, number)
    first = [_values(each, cost_found) for each in there]
    rng = np.random.default_rng([seed, 11])
    numbers, powers, drawn = list[float](), list[float](), list[list[Distribution]]()
    presences: list[list[float]] = [[] for _ in samples]
    with reporter.stage("drawing contests anew"):
        for done in range(resamples):
            again = rng.multinomial(contests.contests, once / contests.contests).astype(float)
            numbers.append(number if likelihood is None else likelihood.best(again))
            now, cost_now = bidding(again, luck_by(again), cost_found.power)
            powers.append(cost_now.power)
            found = [_values(each, cost_now) for each in now]
            drawn.append([one or other for one, other in zip(found, first, strict=True)])  # type: ignore[misc]
            for k, sample in enumerate(samples):
                if sample[0].turnout is not None:
                    presences[k].append(sample[0].again(again).kind.presence)
            reporter.advance(done + 1, resamples)
    power = None
    if isinstance(paying, Sought):
        power = FoundPower.of(paying, cost_found.power, powers, confidence, samples)
    answers: list[list[tuple[float | None, float | None]]] = [[(None, None)] * len(sample) for sample in samples]
    if resamples:
        with reporter.stage("foretelling each kind of contest from the others"):
            answers = _answers(
                *(samples, bidding, luck_by, cost_found, power, asked.rule, scores, rng, contests.contests, reporter)
            )
    samples = costing(samples, cost_found)
    parts = []
    for k, (sample, values) in enumerate(zip(samples, first, strict=True)):
        if values is None:
            who = f"the group {short(contests.groups[k], 40)}" if contests.groups[k] else "everybody"
            raise AllpayError(f"{who} bids 0 each time, which tells nothing of values: leave it out")
        parts.append(
            EstimatedValues.of_draws(
                *(values, tuple(row[k] for row in drawn), sample, confidence),
                family=BY_CONDITION,
                tried=(Tried(BY_CONDITION, np.nan, len(set(values.coefficients))),),
                presences=tuple(presences[k]),
                purse=purse,
                contests=contests.contests,
                cost=cost_found,
                payments=whole,
                kinds=tuple(
                    replace(_seen(bids, cost_found), beyond=beyond, error=error)
                    for bids, (beyond, error) in zip(sample, answers[k], strict=True)
                ),
                seed=seed,
                group=contests.groups[k],
                power=power,
            )
        )
    half = 0.5 * (1 - confidence)
    ends = None if likelihood is None or not numbers else np.quantile(numbers, [half, 1 - half]).tolist()
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
        parts = asked.template.format(f"{most / 4:.2g}:{most / 2:.2g}")
        got = f"; or a range of it, as {parts}" if asked.number is None else f": got {asked.text(asked.number)}"
        highest = asked.text(float(f"{most:.3g}"))
        raise AllpayError(
            f"scores alone do not tell luck from ability: say how much luck you believe in, from none to {highest}, which is "
            f"all of their spread{got}"
        )


def ranks_tell(contests: Contests, scores: bool = False) -> bool:
    """Whether ranks say how much luck there is."""
    return not scores and len(Orders.of(contests).known) >= LEAST_ORDERS


def _likelihood(asked: Asked, orders: Orders) -> Likelihood | None:
    """What ranks say; None where they say nothing of luck that is given."""
    if asked.number is None:
        return Likelihood.of(asked, orders)
    try:
        return Likelihood.of(asked, orders)
    except AllpayError:
        return None


Standings = list[list[Standing]]
"""`[groups][kinds]` what the bids of each group bring in each kind of contest."""


def standings_of(samples: "Sequence[Sequence[Bids]]", weights: Array, rule: Success, scores: bool) -> Standings:
    """What bids bring, which cost what they are, where contests count so many times."""
    return [[_standing(group, bids, weights, rule, scores) for bids in sample] for group, sample in enumerate(samples)]


def _standing(group: int, bids: Bids, weights: Array, rule: Success, scores: bool, at: Array | None = None) -> Standing:
    again = bids.again(weights)
    each = [Levels.of(other.costs, other.each(weights)) for other in again.groups]
    if scores and each[group].count:
        assert isinstance(rule, Noise)
        return standing_of_scores(group, again, each, rule)
    return standing(group, again, each, rule, at)


def _values(there: Sequence[Standing], cost: PowerCost) -> Curve | None:
    """The values of a group; None where nobody of it bids anything."""
    seen = [one for one in there if one.count]
    return summed_up([one.values(cost) for one in seen], [one.chance * one.count for one in seen]) if seen else None


PLACES = (np.arange(40) + 0.5) / 40
"""Quantiles at which values of kinds of contests are compared."""


def _unlike(there: Standings, cost: PowerCost) -> float:
    """How far values are from being the same in all kinds of contests: their variance between kinds, over their mean square."""
    between = total = 0.0
    for group in there:
        rows, counts = [], []
        for one in group:
            values = one.values(cost)
            known = np.isfinite(values) & (one.chance > 0)
            if one.count and known.any():
                chance = one.chance[
                    known
                ]  # by bids, in whose order values are in equilibrium; those who bid 0 are lowest
                middle = 1.0 - chance.sum() + np.cumsum(chance) - chance / 2
                rows.append(np.interp(PLACES, middle, values[known]))
                counts.append(one.count)
        if len(rows) > 1:
            mean = np.average(rows, axis=0, weights=counts)
            between += float(np.array(counts) @ np.mean((np.array(rows) - mean) ** 2, axis=1)) / float(np.mean(mean**2))
            total += float(np.sum(counts))
    return between / max(total, 1e-300)


FINER, BEYOND = 200, 1.5
"""Best replies are sought among so many bids, up to so many times the highest that was seen."""


def _answers(
    samples: "Sequence[Sequence[Bids]]",
    bidding: Callable[..., tuple[Standings, PowerCost]],
    luck: Callable[[Array], float],
    cost: PowerCost,
    power: FoundPower | None,
    rule: Callable[[float], Success],
    scores: bool,
    rng: np.random.Generator,
    contests: int,
    reporter: Reporter,
) -> list[list[tuple[float | None, float | None]]]:
    """How far the mean bid of each kind of contest is from the best replies, to what the others bid there, of bidders with the
    values that all other kinds show: a test of the model, as `answers_to_prizes`.

    Returns:
        `[groups][kinds]` the mean bid over the one foretold, less 1, and its standard error over contests drawn anew.
    """
    found: list[list[tuple[float | None, float | None]]] = [[(None, None)] * len(sample) for sample in samples]
    tested = [
        (g, k)
        for g, sample in enumerate(samples)
        for k in range(min(len(sample), MOST_TESTED))
        if len(sample) > (1 if power is None else 2)
    ]

    def apart(weights: Array) -> Array:
        number = luck(weights)
        there, paying = bidding(weights, number, cost.power)
        rows = []
        for g, k in tested:
            values = _values([one for i, one in enumerate(there[g]) if i != k], paying)
            own, bids = there[g][k], samples[g][k]
            if values is None or not own.count:
                rows.append(np.nan)
                continue
            grid = np.linspace(0.0, BEYOND * float(bids.costs.max()), FINER)
            best = own if scores else _standing(g, bids, weights, rule(number), scores, grid)
            foretold = float(best.replies(np.asarray(values.quantile(MIDDLES)), paying).mean())
            seen = float(own.chance @ own.bids)
            rows.append(seen / foretold - 1 if foretold > 0 else np.nan)
        return np.array(rows)

    if not tested:
        return found
    drawn = []
    for done in range(TEST_DRAWS):
        drawn.append(apart(rng.multinomial(contests, np.full(contests, 1 / contests)).astype(float)))
        reporter.advance(done + 1, TEST_DRAWS)
    for (g, k), value, error in zip(tested, apart(np.ones(contests)), np.std(drawn, axis=0, ddof=1), strict=True):
        if np.isfinite(value) and np.isfinite(error):
            bids = samples[g][k].costs
            grid = BEYOND / FINER * float(bids.max() / bids.mean())  # replies are no finer
            found[g][k] = float(value), float(np.hypot(error, grid))
    return found


def _seen(bids: Bids, cost: PowerCost) -> Explained:
    """The bids of one kind of contest; nothing is foretold, since each value is that which explains its bid."""
    at = (np.arange(len(bids.costs)) + 0.5) / len(bids.costs)
    observed = tuple(np.interp(LEVELS, at, bids.bids(cost)).tolist())
    total, best = (of_contests(bids, cost, together) for together in (np.add, np.maximum))
    return Explained(bids.kind, len(np.unique(bids.contest)), len(bids.costs), observed, (), total=total, best=best)
