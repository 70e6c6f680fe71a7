"""Where a table tells what prizes were worth to bidders: values come from there, and bids test the model and tell the cost."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from allpay.contest.preferences import Cost, PowerCost
from allpay.contest.values import Curve
from allpay.errors import AllpayError, short
from allpay.estimate.conditions import Bids
from allpay.estimate.families import loss_of
from allpay.estimate.luck import summed_up
from allpay.estimate.past import Contests
from allpay.estimate.power import FoundPower, Sought, costing, lowest
from allpay.estimate.values import (
    EstimatedGroups,
    EstimatedValues,
    Tried,
    _Asked,
    _purse,
    explained,
    judged,
    kinds_of,
    kinds_of_groups,
    mean_beside,
)
from allpay.progress import Reporter, Silent

Array = NDArray[np.float64]

AS_TOLD = "as told"
"""What stands for a family where values are known."""

FEWEST = 10
"""So many values must be told."""


def known_values(contests: Contests) -> int:
    """How many values the contests tell."""
    return 0 if contests.value is None else int(np.sum(np.isfinite(contests.value)))


def estimate_known(
    contests: Contests,
    *,
    cost: Cost | Sought | None = None,
    payments: Sequence[float] | None = None,
    resamples: int = 200,
    confidence: float = 0.9,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> EstimatedValues | EstimatedGroups:
    """The distribution of the values that contests tell, of all bidders or group by group, and what bids say beside it.

    Bids are held against those of equilibrium at these values; where the power of their cost is sought, it is the one at which
    they are nearest, also where contests are all alike. Arguments as of `estimate_values`.

    Raises:
        AllpayError: if too few values are told, of a group too; or as `estimate_values`.
    """
    asked, reporter = _Asked.of(cost, payments, None, resamples, confidence, seed), reporter or Silent()
    purse, grouped = _purse(contests), len(contests.groups) > 1
    if grouped:
        plain, counts = kinds_of_groups(contests, asked.first, purse, asked.payments)
    else:
        plain, counts = [kinds_of(contests, asked.first, purse, asked.payments)], np.zeros((0, 1), np.int64)
    values, where = _values(contests, grouped)
    once, number = np.ones(contests.contests), contests.contests

    def drawn_from(weights: Array, before: Sequence[Curve] | None = None) -> list[Curve]:
        found = [summed_up([v], [weights[w]]) for v, w in zip(values, where, strict=True)]
        return [one or (before or found)[g] for g, one in enumerate(found)]  # type: ignore[misc]

    def cost_of(curves: Sequence[Curve], weights: Array, begin: Cost | None = None) -> Cost:
        if not isinstance(asked.cost, Sought):
            return asked.cost

        def apart(power: float) -> float:
            there = costing(plain, PowerCost(power))
            return sum(
                loss_of(curve, [judged(bids.again(weights), curve, weights) for bids in sample if _some(bids, weights)])
                for curve, sample in zip(curves, there, strict=True)
            )

        return PowerCost(lowest(asked.cost, apart, begin.power if isinstance(begin, PowerCost) else None))

    def priced(cost: Cost) -> list[list[Bids]]:
        return costing(plain, cost) if isinstance(asked.cost, Sought) and isinstance(cost, PowerCost) else plain

    first = drawn_from(once)
    with reporter.stage("bids at known values"):
        paying = cost_of(first, once)
    samples = priced(paying)
    tested = [
        (g, k)
        for g, sample in enumerate(samples)
        for k in range(len(sample))
        if not isinstance(asked.cost, Sought) or len(sample) > 1
    ]

    def beside(curves: Sequence[Curve], there: list[list[Bids]], cost: Cost, weights: Array) -> list[float]:
        return [mean_beside(there[g][k], curves[g], cost, weights) for g, k in tested]

    rng = np.random.default_rng([seed, 11])
    draws, powers, off = list[list[Curve]](), list[float](), list[list[float]]()
    presences: list[list[float]] = [[] for _ in samples]
    with reporter.stage("drawing contests anew"):
        for done in range(resamples):
            again = rng.multinomial(number, once / number).astype(float)
            draws.append(drawn_from(again, first))
            now = cost_of(draws[-1], again, paying)
            powers.append(now.power if isinstance(now, PowerCost) else np.nan)
            off.append(beside(draws[-1], priced(now), now, again))
            for g, sample in enumerate(samples):
                if sample[0].turnout is not None:
                    presences[g].append(sample[0].again(again).kind.presence)
            reporter.advance(done + 1, resamples)
    power = None
    if isinstance(asked.cost, Sought) and isinstance(paying, PowerCost):
        power = FoundPower.of(asked.cost, paying.power, powers, asked.confidence, plain)
    answers: dict[tuple[int, int], tuple[float | None, float | None]] = {}
    if resamples > 1:
        errors = np.nanstd(np.array(off), axis=0, ddof=1)
        answers = dict(
            zip(tested, zip(beside(first, samples, paying, once), errors.tolist(), strict=True), strict=True)
        )
    parts = []
    for g, (sample, curve) in enumerate(zip(samples, first, strict=True)):
        parts.append(
            EstimatedValues.of_draws(
                *(curve, tuple(row[g] for row in draws), sample, asked.confidence),
                family=AS_TOLD,
                tried=(Tried(AS_TOLD, np.nan, len(set(curve.coefficients))),),
                purse=purse,
                contests=number,
                cost=paying,
                payments=asked.payments,
                kinds=tuple(
                    replace(explained(bids, curve, paying), beyond=found[0], error=found[1])
                    for k, bids in enumerate(sample)
                    for found in [answers.get((g, k), (None, None))]
                ),
                seed=seed,
                group=contests.groups[g] if grouped else "",
                presences=tuple(presences[g]),
                power=power,
                told=len(values[g]),
            )
        )
    if not grouped:
        return parts[0]
    kinds, times = np.unique(counts, axis=0, return_counts=True)
    most = int(np.argmax(times))
    return EstimatedGroups(tuple(parts), tuple(kinds[most].tolist()), float(times[most] / number))


def _some(bids: Bids, weights: Array) -> bool:
    return bool(weights[bids.contest].sum() > 0)


def _values(contests: Contests, grouped: bool) -> tuple[list[Array], list[NDArray[np.int64]]]:
    """The values of each group, and in which contest each is told."""
    told = np.zeros(0) if contests.value is None else contests.value
    known = np.isfinite(told)
    rows = [known & (contests.group == g) for g in range(len(contests.groups))] if grouped else [known]
    for g, row in enumerate(rows):
        if row.sum() < FEWEST:
            whose = f"the group {short(contests.groups[g], 40)} has" if grouped else "the table tells"
            raise AllpayError(
                f"{whose} {int(row.sum())} values, and {FEWEST} are the fewest that say how they are spread: fill in the "
                "column, or leave it aside by --bids-only"
            )
    return [told[row] for row in rows], [contests.contest[row] for row in rows]
