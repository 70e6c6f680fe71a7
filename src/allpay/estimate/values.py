"""From past bids to the distribution of values: estimated, with its uncertainty, of alike bidders with private values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from allpay.contest.preferences import Cost, PowerCost
from allpay.contest.values import Distribution
from allpay.errors import AllpayError, one_of
from allpay.estimate.conditions import Bids, Kind
from allpay.estimate.families import FAMILIES, Family, Fit, Smooth, Target, loss_of
from allpay.estimate.past import Contests
from allpay.learners.base import check_count, check_seed
from allpay.progress import Reporter, Silent
from allpay.scalars import real

Array = NDArray[np.float64]

LEVELS = tuple(np.round(np.arange(0.05, 0.96, 0.05), 2).tolist())
"""The quantiles of values that are told."""

FOLDS = 5
"""Into so many parts contests are parted; each family is judged by the parts that it has not seen."""

ROUNDS = 3
"""So often slopes are taken anew from the values that were fitted with the last ones."""

MIDDLES = (np.arange(400) + 0.5) / 400
"""Quantiles over which bids are averaged."""

MOST_TESTED, TEST_DRAWS = 6, 40
"""So many kinds of contests, those with most bids, are foretold from the others; contests are drawn anew so often for each."""

FIRST = Smooth(8)
"""What the slopes are taken from."""


@dataclass(frozen=True)
class Tried:
    """A family that was tried, and the mean squared residual of bids that it had not seen; 1 is what chance alone leaves."""

    family: str
    held_out: float
    parameters: int


@dataclass(frozen=True)
class Explained:
    """The bids of one kind of contest, and what the estimate says of them.

    Attributes:
        kind: of contest; its prizes are parts of the purse.
        contests, bids: how many there are.
        observed, predicted: bids at the quantiles `LEVELS`.
        beyond: the mean bid observed over the one that the contests of all other kinds foretell, less 1; None where there are
            no others, or this kind was not tested.
        error: its standard error, over contests drawn anew.
    """

    kind: Kind
    contests: int
    bids: int
    observed: tuple[float, ...]
    predicted: tuple[float, ...]
    beyond: float | None = None
    error: float | None = None


@dataclass(frozen=True, eq=False)
class EstimatedValues:
    """Where the values of past bidders came from.

    Attributes:
        distribution: of a bidder's value: of what the whole purse is worth to it, in units of the cost of bids.
        family: from which it is.
        tried: all families, the best first.
        levels: quantiles of values.
        low, high: at each of them, between which values its value lies with the confidence.
        confidence: how often these are to hold the truth.
        draws: the distribution that each resample of the contests gives.
        presence: the chance that a registered bidder bids.
        purse: what all prizes of a contest come to on average, in the units of the file.
        contests, bids: how many were used.
        cost: of bids.
        payments: the part of its bid that each rank pays; the last holds for all further ranks.
        kinds: contests that differ in their bidders or prizes, those with most bids first.
        seed: of folds and resamples.
    """

    distribution: Distribution
    family: str
    tried: tuple[Tried, ...]
    levels: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    confidence: float
    draws: tuple[Distribution, ...]
    presence: float
    purse: float
    contests: int
    bids: int
    cost: Cost
    payments: tuple[float, ...]
    kinds: tuple[Explained, ...]
    seed: int

    @property
    def values(self) -> Array:
        """The value at each of the `levels`."""
        return np.asarray(self.distribution.quantile(np.array(self.levels)))


def estimate_values(
    contests: Contests,
    *,
    cost: Cost | None = None,
    payments: Sequence[float] | None = None,
    family: str | None = None,
    resamples: int = 200,
    confidence: float = 0.9,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> EstimatedValues:
    """The distribution of values that explains bids best, if bidders are alike and in equilibrium.

    Args:
        contests: what was bid, for which prizes.
        cost: of a bid that is paid in full; b itself if not given.
        payments: the part of its bid that each rank pays; the last holds for all further ranks. All pay all if not given.
        family: of distributions; that with the least loss on contests left out if not given.
        resamples: how many times contests are drawn anew, with replacement, for the uncertainty.
        confidence: of the bands.
        seed: of folds and resamples.
        reporter: is told how far it is.

    Raises:
        AllpayError: if there are too few contests or bids, or a bound is not kept.
    """
    confidence = real("confidence", confidence)
    if not 0 < confidence < 1:
        raise AllpayError(f"confidence must lie between 0 and 1: got {confidence:g}; 0.9 is usual")
    check_count("resamples", resamples, least=0, most=100_000)
    check_seed(seed)
    reporter = reporter or Silent()
    tried = chosen_families(family)
    purse = float(contests.prizes.sum(axis=1).mean())
    paying = PowerCost() if cost is None else cost
    whole = (1.0,) if payments is None else tuple(real("payments", p) for p in payments)
    sample = kinds_of(contests, paying, purse, whole)
    rng = np.random.default_rng([seed, 11])
    weights = np.ones(contests.contests)
    targets = targets_of(sample, weights)
    fits = [family.fit(targets) for family in tried]
    order, losses = _held_out(tried, fits, sample, targets, rng, contests.contests)
    best = fits[order[0]]
    draws = []
    with reporter.stage("drawing contests anew"):
        for done in range(resamples):
            again = rng.multinomial(contests.contests, weights / contests.contests).astype(float)
            drawn = targets_of(sample, again)
            found = [family.fit(drawn, fit) for family, fit in zip(tried, fits, strict=True)]
            draws.append(min(found, key=lambda fit: fit.penalised).distribution)
            reporter.advance(done + 1, resamples)
    with reporter.stage("foretelling each kind of contest from the others"):
        answers = answers_to_prizes(
            sample, tried[order[0]], best, contests.contests, paying, rng, reporter, resamples > 0
        )
    at = np.array(LEVELS)
    drawn_values = np.array([draw.quantile(at) for draw in draws or [best.distribution]])
    tail = 0.5 * (1 - confidence)
    low, high = np.quantile(drawn_values, [tail, 1 - tail], axis=0)
    return EstimatedValues(
        distribution=best.distribution,
        family=best.family,
        tried=tuple(Tried(tried[k].name, float(losses[k]), fits[k].parameters) for k in order),
        levels=LEVELS,
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        confidence=confidence,
        draws=tuple(draws),
        presence=sample[0].kind.presence,
        purse=purse,
        contests=contests.contests,
        bids=sum(len(bids.costs) for bids in sample),
        cost=paying,
        payments=whole,
        kinds=tuple(
            replace(explained(bids, best.distribution, paying), beyond=beyond, error=error)
            for bids, (beyond, error) in zip(sample, answers, strict=True)
        ),
        seed=seed,
    )


def chosen_families(name: str | None) -> tuple[Smooth | Family, ...]:
    """The families to try: all that are no part of another, those of a name, or the curves. A choice between a family and one
    that has all of its distributions is mostly chance.

    Raises:
        AllpayError: if there is no such family.
    """
    if name is None:
        return tuple(family for family in FAMILIES if isinstance(family, Smooth) or not family.part_of)
    names = {family.name: family for family in FAMILIES if isinstance(family, Family)}
    if one_of("family", name, ["curve", *names]) == "curve":
        return tuple(family for family in FAMILIES if isinstance(family, Smooth))
    return (names[name],)


def kinds_of(contests: Contests, cost: Cost, purse: float, payments: tuple[float, ...]) -> list[Bids]:
    """The bids of contests, by number of bidders and prizes, most bids first; prizes are parts of the purse.

    Raises:
        AllpayError: if there are fewer than two contests, or all bids are equal.
    """
    if contests.contests < 2:
        raise AllpayError(f"one contest cannot tell values from chance: got {contests.contests}; give several")
    bid = contests.bid[contests.there]
    if len(bid) == 0 or bid.max() == bid.min():
        raise AllpayError("all bids are equal, which tells nothing of values: give contests in which bids differ")
    presence = float(contests.there.mean())
    described = np.column_stack([contests.registered, contests.prizes])
    _, kind_of = np.unique(described, axis=0, return_inverse=True)
    found = []
    for k in range(int(kind_of.max()) + 1):
        first = int(np.flatnonzero(kind_of == k)[0])
        rows = (kind_of[contests.contest] == k) & contests.there
        if not rows.any():
            continue
        prizes = np.trim_zeros(contests.prizes[first], "b") / purse
        kind = Kind(int(contests.registered[first]), tuple(prizes.tolist()), payments, payments[-1], presence)
        found.append(Bids.of(kind, contests.bid[rows], contests.contest[rows], cost))
    return sorted(found, key=lambda bids: -len(bids.costs))


def explained(bids: Bids, distribution: Distribution, cost: Cost) -> Explained:
    """What was bid in contests of one kind, and what bidders with these values would bid."""
    at = (np.arange(len(bids.costs)) + 0.5) / len(bids.costs)
    return Explained(
        bids.kind,
        len(np.unique(bids.contest)),
        len(bids.costs),
        tuple(float(cost.bid(x)) for x in np.interp(LEVELS, at, bids.costs)),
        tuple(float(cost.bid(x)) for x in np.interp(LEVELS, bids.condition.quantiles, _foreseen(bids, distribution))),
    )


def answers_to_prizes(
    sample: Sequence[Bids],
    family: Smooth | Family,
    fit: Fit,
    contests: int,
    cost: Cost,
    rng: np.random.Generator,
    reporter: Reporter,
    asked: bool = True,
) -> list[tuple[float | None, float | None]]:
    """How far bids of each kind of contest are from what the others foretell: a test of the model, for bidders answer to prizes
    and rivals as it says only if values of all kinds are the same.

    Returns:
        for each kind the mean bid observed over the one foretold, less 1, and its standard error; None where not tested.
    """
    tested = min(len(sample), MOST_TESTED) if len(sample) > 1 and asked else 0
    found: list[tuple[float | None, float | None]] = [(None, None)] * len(sample)
    for k in range(tested):
        others = [bids for i, bids in enumerate(sample) if i != k]

        def apart(weights: Array, k: int = k, others: Sequence[Bids] = others) -> float:
            values = family.fit(targets_of(others, weights), fit).distribution
            each = weights[sample[k].contest]
            bids = np.array([float(cost.bid(x)) for x in _foreseen(sample[k], values)])
            foretold = float(np.interp(MIDDLES, sample[k].condition.quantiles, bids).mean())
            observed = float(each @ _bids(sample[k], cost)) / max(float(each.sum()), 1e-300)
            return observed / foretold - 1 if foretold > 0 else np.nan

        drawn = []
        for done in range(TEST_DRAWS):
            drawn.append(apart(rng.multinomial(contests, np.full(contests, 1 / contests)).astype(float)))
            reporter.advance(k * TEST_DRAWS + done + 1, tested * TEST_DRAWS)
        value, error = apart(np.ones(contests)), float(np.std(drawn, ddof=1))
        if np.isfinite(value) and np.isfinite(error):
            found[k] = value, error
    return found


def _foreseen(bids: Bids, distribution: Distribution) -> Array:
    """`[m]` the costs that bidders with these values would bear at the quantiles of a condition."""
    condition = bids.condition
    values = np.asarray(distribution.quantile(condition.nodes.ravel())).reshape(condition.nodes.shape)
    return np.asarray(condition.spent(values) / condition.paid)


def _bids(bids: Bids, cost: Cost) -> Array:
    """`[bids]` themselves, from their costs."""
    if isinstance(cost, PowerCost):
        return np.asarray(cost.bid(bids.costs))
    return np.array([cost.bid(float(x)) for x in bids.costs])


def targets_of(sample: Sequence[Bids], weights: Array) -> list[Target]:
    """What is to be explained where each contest counts so many times, with slopes from what a first curve makes of it."""
    seen = [(bids, *bids.spent(weights)) for bids in sample]
    seen = [(bids, spent, count) for bids, spent, count in seen if count > 0 and spent[-1] > 0]
    targets = [Target(bids, spent, count, np.full(len(spent), spent[-1])) for bids, spent, count in seen]
    for _ in range(ROUNDS):
        targets = [judged(target.bids, FIRST.fit(targets).distribution, weights) for target in targets]
    return targets


def judged(bids: Bids, distribution: Distribution, weights: Array | None = None) -> Target:
    """What is to be explained of bids, with the slopes that values of a distribution give."""
    target = Target(bids, *bids.spent(weights), np.ones(0))
    return replace(target, slopes=_slopes(target, distribution))


def _slopes(target: Target, distribution: Distribution) -> Array:
    condition = target.bids.condition
    values = np.asarray(distribution.quantile(condition.nodes.ravel())).reshape(condition.nodes.shape)
    return condition.slopes(np.asarray(distribution.quantile(condition.quantiles)), condition.spent(values))


def _held_out(
    tried: Sequence[Smooth | Family],
    fits: Sequence[Fit],
    sample: Sequence[Bids],
    targets: Sequence[Target],
    rng: np.random.Generator,
    contests: int,
) -> tuple[list[int], Array]:
    """The families in the order of their mean squared residual on contests left out, and these `[families]`."""
    if len(tried) == 1:
        return [0], np.array([np.nan])
    fold = rng.permutation(contests) % min(FOLDS, contests)
    values = FIRST.fit(targets).distribution  # all families are judged by the same slopes
    losses, terms = np.zeros(len(tried)), 0
    for k in range(int(fold.max()) + 1):
        seen, unseen = (
            [judged(part, values) for bids in sample if len((part := bids.among(chosen)).costs) > 0]
            for chosen in (fold != k, fold == k)
        )
        terms += sum(len(target.slopes) + 1 for target in unseen)
        for i, family in enumerate(tried):
            losses[i] += loss_of(family.fit(seen, fits[i]).distribution, unseen)
    losses /= terms
    return np.argsort(losses, kind="stable").tolist(), losses
