"""From past bids to distributions of values: estimated, with their uncertainty, of private values, alike or of groups."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.special import chdtri, ndtr, ndtri, stdtrit

from allpay.contest.preferences import Cost, PowerCost
from allpay.contest.values import Distribution
from allpay.errors import AllpayError, one_of, short
from allpay.estimate.conditions import FLATTEST, Bids, Kind, Turnout
from allpay.estimate.families import FAMILIES, Family, Fit, Smooth, Target
from allpay.estimate.luck import FoundLuck
from allpay.estimate.past import Contests
from allpay.estimate.power import FoundPower, Sought, check_told, costing, lowest
from allpay.estimate.worlds import Open
from allpay.frozen import Brief, Framed
from allpay.learners.base import check_count, check_seed
from allpay.progress import Reporter, Silent
from allpay.scalars import holding, numeral, real

Array = NDArray[np.float64]

LEVELS = tuple(np.round(np.arange(0.05, 0.96, 0.05), 2).tolist())
"""The quantiles of values that are told."""

FOLDS = 5
"""Into so many parts contests are parted; each family is judged by the parts that it has not seen."""

OUTLYING = 3.0
"""Residuals of bids left out that are larger, in standard errors, count with less than their square."""

ROUNDS = 3
"""So often slopes are taken anew from the values that were fitted with the last ones; and so often where bids were recorded in
steps, and where they lie in them is taken anew too."""

MIDDLES = (np.arange(400) + 0.5) / 400
"""Quantiles over which bids are averaged."""

MOST_TESTED, TEST_DRAWS = 6, 40
"""So many kinds of contests, those with most bids, are foretold from the others; contests are drawn anew so often for each."""

MOST_TESTED_BESIDE_POWER = 3
"""The same where the others foretell the power of cost too, which takes longer."""

FIRST = Smooth(8)
"""What the slopes are taken from."""

MISFIT, APART = 2.0, 0.05
"""A distribution explains no bids where it leaves more than so many times what chance leaves, and they are so far off as well,
in parts of the mean bid. Of the true one chance leaves 2 in one sample of 470 at 25 quantiles (χ²). Of many bids the least
fault of the families is beyond chance, and does no harm."""

RARE = 0.002
"""How often chance alone may leave more than `MISFIT` times what it is said to leave."""

NO_PRIZE = 1e-9
"""Neighbouring quantiles win at least this part of the prizes apart, so that slopes between them are finite."""


@dataclass(frozen=True)
class Tried:
    """A family that was tried, and its mean loss on bids that it had not seen: their squared residuals, those of outliers less
    than squared.
    """

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
        total, best: of a contest's bids, those of all groups together, the mean and its standard error; None if not told.
    """

    kind: Kind
    contests: int
    bids: int
    observed: tuple[float, ...]
    predicted: tuple[float, ...]
    beyond: float | None = None
    error: float | None = None
    total: tuple[float, float] | None = None
    best: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class EstimatedValues(Brief, Framed):
    """Where the values of past bidders came from.

    Attributes:
        distribution: of a bidder's value: of what the whole purse is worth to it, in units of the cost of bids.
        family: from which it is.
        tried: all families, the best first.
        levels: quantiles of values.
        low, high: at each of them, between which values its value lies with the confidence; they hold the estimate itself.
        confidence: how often these are to hold the truth.
        draws: the distribution that each resample of the contests gives.
        presence: the chance that a registered bidder bids.
        presences: what it is in each resample; empty where everybody bid.
        purse: what all prizes of a contest come to on average, in the units of the file.
        contests, bids: how many were used.
        cost: of bids.
        payments: the part of its bid that each rank pays; the last holds for all further ranks.
        kinds: contests that differ in their bidders or prizes, those with most bids first.
        seed: of folds and resamples.
        group: what these bidders are called, where they are one group of several.
        zeros: the part of bids that are 0, which tell nothing of values but that they are low.
        power: of the cost of bids, where contests told it; None where it was given.
        open: what follows over the range of a number that data do not tell; None where no range was given.
        told: how many values the table tells, from which the distribution is; 0 where bids show it.
        misfit: the mean square of what is left unexplained of all bids, where chance leaves 1; None if it was not looked at.
        apart: how far bids are from those foretold at the same quantile, as a part of the mean bid; None as well.
        highest: the part of bids that equal others which are the highest of their kind: of these values it is known that they
            are no lower.
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
    group: str = ""
    presences: tuple[float, ...] = ()
    zeros: float = 0.0
    power: FoundPower | None = None
    open: Open | None = None
    told: int = 0
    misfit: float | None = None
    apart: float | None = None
    highest: float = 0.0

    def __post_init__(self) -> None:
        ends = [holding(*row) for row in zip(self.low, self.high, self.values.tolist(), strict=True)]
        object.__setattr__(self, "low", tuple(low for low, _ in ends))
        object.__setattr__(self, "high", tuple(high for _, high in ends))

    @classmethod
    def of_draws(
        cls,
        distribution: Distribution,
        draws: Sequence[Distribution],
        sample: Sequence[Bids],
        confidence: float,
        **rest: Any,
    ) -> "EstimatedValues":
        """The same with its bands from the distributions of resamples, and its counts of bids from what was seen."""
        tail, size = tail_of(rest["contests"], confidence), sum(len(bids.costs) for bids in sample)
        at = np.array([draw.quantile(np.array(LEVELS)) for draw in draws or (distribution,)])
        low, high = np.quantile(at, [tail, 1 - tail], axis=0)
        return cls(
            distribution=distribution,
            levels=LEVELS,
            low=tuple(low.tolist()),
            high=tuple(high.tolist()),
            confidence=confidence,
            draws=tuple(draws),
            presence=sample[0].kind.presence,
            bids=size,
            zeros=sum(int(np.sum(bids.costs == 0)) for bids in sample) / size,
            highest=sum(top for bids in sample if (top := int(np.sum(bids.costs == bids.costs[-1]))) > 1) / size,
            **rest,
        )

    @property
    def explains(self) -> bool:
        """Whether bids are those of equilibrium at these values, or nearly so, as far as it was looked at."""
        return self.misfit is None or self.apart is None or self.misfit <= MISFIT or self.apart <= APART

    @property
    def values(self) -> Array:
        """The value at each of the `levels`."""
        return np.asarray(self.distribution.quantile(np.array(self.levels)))


def tail_of(contests: int, confidence: float) -> float:
    """The part of resamples that lies beyond either end of a band. It is less than half of what the confidence leaves, since
    resamples scatter too little by a factor of √((n−1)/n), and how much they scatter is uncertain itself (Student).

    References:
        Hesterberg (2015), What teachers should know about the bootstrap, on expanded percentile intervals.

    >>> [round(tail_of(n, 0.9), 4) for n in (5, 20, 400)]
    [0.0086, 0.038, 0.0494]
    """
    usual = 0.5 * (1 - confidence)
    if contests < 2:
        return usual
    return float(ndtr(np.sqrt(contests / (contests - 1)) * stdtrit(contests - 1, usual)))


@dataclass(frozen=True, eq=False)
class EstimatedGroups(Brief):
    """Where the values of past bidders of several groups came from.

    Attributes:
        parts: what was found of each group; resamples are the same ones for all.
        counts: `[groups]` how many of each the contests have, or most of them.
        share: the part of contests that do.
        luck: that has a part in who wins; None where there is none. With luck there may be one part, of bidders alike.
        open: as of `EstimatedValues`.
    """

    parts: tuple[EstimatedValues, ...]
    counts: tuple[int, ...]
    share: float
    luck: FoundLuck | None = None
    open: Open | None = None


def estimate_values(
    contests: Contests,
    *,
    cost: Cost | Sought | None = None,
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
        cost: of a bid that is paid in full; b itself if not given. Of `Sought()` the power is found.
        payments: the part of its bid that each rank pays; the last holds for all further ranks. All pay all if not given.
        family: of distributions; that with the least loss on contests left out if not given.
        resamples: how many times contests are drawn anew, with replacement, for the uncertainty.
        confidence: of the bands.
        seed: of folds and resamples.
        reporter: is told how far it is.

    Raises:
        AllpayError: if there are too few contests or bids, or a bound is not kept.
    """
    asked = _Asked.of(cost, payments, family, resamples, confidence, seed)
    purse = _purse(contests)
    sample = kinds_of(contests, asked.first, purse, asked.payments)
    return _estimated([sample], contests.contests, purse, asked, reporter or Silent())[0]


def estimate_groups(
    contests: Contests,
    *,
    cost: Cost | Sought | None = None,
    payments: Sequence[float] | None = None,
    family: str | None = None,
    resamples: int = 200,
    confidence: float = 0.9,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> EstimatedGroups:
    """The distribution of values of each group that explains its bids best, against what all groups were seen to bid.

    Bidders know of which groups their rivals are. Arguments as of `estimate_values`.

    Raises:
        AllpayError: if bidders are of no groups, or a group has too few bids; else as `estimate_values`.
    """
    if contests.group is None or len(contests.groups) < 2:
        raise AllpayError("bidders are of one group: estimate their values as those of bidders alike")
    asked = _Asked.of(cost, payments, family, resamples, confidence, seed)
    purse = _purse(contests)
    samples, counts = kinds_of_groups(contests, asked.first, purse, asked.payments)
    parts = _estimated(samples, contests.contests, purse, asked, reporter or Silent())
    found, times = np.unique(counts, axis=0, return_counts=True)
    most = int(np.argmax(times))
    return EstimatedGroups(
        tuple(replace(part, group=name) for part, name in zip(parts, contests.groups, strict=True)),
        tuple(found[most].tolist()),
        float(times[most] / contests.contests),
    )


@dataclass(frozen=True)
class _Asked:
    """What is asked of an estimate, checked."""

    cost: Cost | Sought
    payments: tuple[float, ...]
    families: "tuple[Smooth | Family, ...]"
    resamples: int
    confidence: float
    seed: int

    @property
    def first(self) -> Cost:
        """The cost that bids are read with: where its power is sought, bids as they are."""
        return PowerCost() if isinstance(self.cost, Sought) else self.cost

    @classmethod
    def of(
        cls,
        cost: Cost | Sought | None,
        payments: Sequence[float] | None,
        family: str | None,
        resamples: int,
        confidence: float,
        seed: int,
    ) -> "_Asked":
        confidence = real("confidence", confidence)
        if not 0 < confidence < 1:
            raise AllpayError(f"confidence must lie between 0 and 1: got {confidence:g}; 0.9 is usual")
        check_count("resamples", resamples, least=0, most=100_000)
        check_seed(seed)
        whole = (1.0,) if payments is None else tuple(real("payments", p) for p in payments)
        paying = PowerCost() if cost is None else cost
        return cls(paying, whole, chosen_families(family), resamples, confidence, seed)


def _purse(contests: Contests) -> float:
    """What all prizes of a contest come to on average."""
    return float(contests.prizes.sum(axis=1).mean())


def _estimated(
    samples: "Sequence[list[Bids]]", contests: int, purse: float, asked: _Asked, reporter: Reporter
) -> list[EstimatedValues]:
    """The values of each group, from the bids of its kinds of contests; resamples are the same for all."""
    rng = np.random.default_rng([asked.seed, 11])
    once = np.ones(contests)
    cost, search, as_they_are = asked.first, None, samples
    if isinstance(asked.cost, Sought):
        check_told(samples)
        search = partial(_cost, asked.cost)
        with reporter.stage("how fast the cost of bids rises"):
            begin = search(_as_seen(samples, once), once)
            as_they_are = _foretold(samples, once, begin)
            cost = search(as_they_are, once, begin)
        samples = costing(samples, cost)
    fits, orders, losses = [], [], []
    for sample in samples:
        targets = targets_of(sample, once)
        fits.append([family.fit(targets) for family in asked.families])
        order, loss = _held_out(asked.families, fits[-1], sample, targets, rng, contests)
        orders.append(order)
        losses.append(loss)
    draws: list[list[Distribution]] = [[] for _ in samples]
    presences: list[list[float]] = [[] for _ in samples]
    powers: list[float] = []
    with reporter.stage("drawing contests anew"):
        for done in range(asked.resamples):
            again = rng.multinomial(contests, once / contests).astype(float)
            there = samples
            if search is not None:
                paying = search(as_they_are, again, cost)
                powers.append(paying.power)
                there = costing(as_they_are, paying)
            for k, sample in enumerate(there):
                drawn = targets_of(sample, again)
                found = fits[k]
                if drawn:  # of few contests those of a group may all be left out
                    found = [family.fit(drawn, fit) for family, fit in zip(asked.families, fits[k], strict=True)]
                draws[k].append(min(found, key=lambda fit: fit.penalised).distribution)
                if sample[0].turnout is not None:
                    presences[k].append(sample[0].again(again).kind.presence)
            reporter.advance(done + 1, asked.resamples)
    power = None
    if isinstance(asked.cost, Sought) and isinstance(cost, PowerCost):
        power = FoundPower.of(asked.cost, cost.power, powers, asked.confidence, samples)
    told = []
    for k, sample in enumerate(samples):
        first = orders[k][0]
        best = fits[k][first]
        with reporter.stage("foretelling each kind of contest from the others"):
            answers = answers_to_prizes(
                as_they_are[k],
                asked.families[first],
                best,
                contests,
                cost,
                np.random.default_rng([asked.seed, 17, k]),
                reporter,
                asked.resamples > 0,
                search,
            )
        told.append(
            EstimatedValues.of_draws(
                *(best.distribution, draws[k], sample, asked.confidence),
                family=best.family,
                tried=tuple(
                    Tried(asked.families[i].name, float(losses[k][i]), fits[k][i].parameters) for i in orders[k]
                ),
                presences=tuple(presences[k]),
                purse=purse,
                contests=contests,
                cost=cost,
                payments=asked.payments,
                kinds=tuple(
                    replace(explained(bids, best.distribution, cost), beyond=beyond, error=error)
                    for bids, (beyond, error) in zip(sample, answers, strict=True)
                ),
                seed=asked.seed,
                power=power,
                misfit=_misfit(
                    sample, asked.families[first], best, contests, np.random.default_rng([asked.seed, 13, k])
                ),
                apart=_apart(sample, best.distribution, cost),
            )
        )
    return told


def _as_seen(samples: "Sequence[Sequence[Bids]]", weights: Array) -> list[list[Bids]]:
    """The bids with what neighbouring quantiles of themselves say of their slopes, whatever the power of their cost."""
    told = []
    for sample in samples:
        each = []
        for bids in sample:
            at, _ = bids.at_quantiles(weights)
            condition = bids.condition
            spent, won = at * condition.paid, condition.spent(np.ones(condition.nodes.shape))
            values = np.gradient(spent, won + NO_PRIZE * np.arange(len(won)) * (won[-1] or 1.0))
            slopes = condition.slopes(np.maximum(values, 0.0), spent)
            each.append(replace(bids, foretold=np.array([np.maximum(at, FLATTEST * (at.max() or 1.0)), slopes])))
        told.append(each)
    return told


def _foretold(samples: "Sequence[Sequence[Bids]]", weights: Array, cost: PowerCost) -> list[list[Bids]]:
    """The bids with what a first fit says of their quantiles."""
    told = []
    for plain, sample in zip(samples, costing(samples, cost), strict=True):
        values, each = FIRST.fit(targets_of(sample, weights)).distribution, []
        for bare, bids in zip(plain, sample, strict=True):
            costs = bids.condition.foreseen(values) / bids.condition.paid
            at = np.asarray(cost.bid(np.maximum(costs, FLATTEST * (costs.max() or 1.0))))
            each.append(replace(bare, foretold=np.array([at, judged(bids, values, weights).slopes / cost.slope(at)])))
        told.append(each)
    return told


def _cost(sought: Sought, samples: "Sequence[Sequence[Bids]]", weights: Array, begin: Cost | None = None) -> PowerCost:
    """The power at which bids are nearest to those of one distribution in each group, downhill from one, if one is given.

    All powers are judged by the same slopes. By its own a wrong power can explain bids as well: values that jump make its
    slopes steep, and what is left seem small.
    """
    seen = [[(again := bids.again(weights), *again.at_quantiles(weights)) for bids in sample] for sample in samples]

    def apart(power: float) -> float:
        cost, loss = PowerCost(power), 0.0
        for sample in seen:
            targets = []
            for bids, at, count in sample:
                if count > 0 and at[-1] > 0:
                    assert bids.foretold is not None
                    first, slopes = bids.foretold
                    spent = np.asarray(cost.cost(at)) * bids.condition.paid
                    targets.append(Target(bids, spent, count, slopes * cost.slope(first)))
            loss += FIRST.fit(targets).loss if targets else 0.0
        return loss

    return PowerCost(lowest(sought, apart, begin.power if isinstance(begin, PowerCost) else None))


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
    _check_some(contests)
    turnout = _turnout(contests, np.zeros(len(contests.contest), np.int64), 1)
    presence = turnout.presences()[0]
    found = []
    for first, rows, held in _alike(contests, contests.registered[:, None]):
        prizes = np.trim_zeros(contests.prizes[first], "b") / purse
        kind = Kind(int(contests.registered[first]), tuple(prizes.tolist()), payments, payments[-1], presence)
        bids = Bids.of(kind, contests.bid[rows], contests.contest[rows], cost, contests.step)
        found.append(replace(bids, turnout=turnout if presence < 1 else None, held=held))
    return sorted(found, key=lambda bids: -len(bids.costs))


def kinds_of_groups(
    contests: Contests, cost: Cost, purse: float, payments: tuple[float, ...], differ: bool = True
) -> tuple[list[list[Bids]], NDArray[np.int64]]:
    """The same of bidders of several groups, for each group; and `[contests, groups]` how many of each were registered.

    Kinds are contests with the same number of each group and the same prizes.

    Raises:
        AllpayError: if there are fewer than two contests, a group has no bid, or all its bids are equal and have to `differ`.
    """
    assert contests.group is not None
    _check_some(contests, differ)
    groups = len(contests.groups)
    for g, name in enumerate(contests.groups):
        bid = contests.bid[contests.there & (contests.group == g)]
        if len(bid) == 0 or (differ and bid.max() == bid.min()):
            what = "has no bid" if len(bid) == 0 else f"bids {numeral(float(bid[0]))} each time"
            raise AllpayError(
                f"the group {short(name, 40)} {what}, which tells nothing of its values: give more contests, "
                "or take all bidders as alike"
            )
    turnout = _turnout(contests, contests.group, groups)
    presences = turnout.presences()
    counts = turnout.registered.T.astype(np.int64)
    found: list[list[Bids]] = [[] for _ in range(groups)]
    for first, rows, held in _alike(contests, counts):
        prizes = tuple((np.trim_zeros(contests.prizes[first], "b") / purse).tolist())
        alike = Kind(
            int(contests.registered[first]), prizes, payments, payments[-1], 1.0, tuple(counts[first].tolist())
        )
        each = []
        for g in range(groups):
            own = rows & (contests.group == g)
            kind = replace(alike, presence=presences[g], group=g, presences=presences)
            each.append(Bids.of(kind, contests.bid[own], contests.contest[own], cost, contests.step))
        for g, bids in enumerate(each):
            if len(bids.costs):
                absent = turnout if min(presences) < 1 else None
                found[g].append(replace(bids, groups=tuple(each), turnout=absent, held=held))
    return [sorted(bids, key=lambda bids: -len(bids.costs)) for bids in found], counts


def _check_some(contests: Contests, differ: bool = True) -> None:
    if contests.contests < 2:
        raise AllpayError(f"one contest cannot tell values from chance: got {contests.contests}; give several")
    bid = contests.bid[contests.there]
    if len(bid) == 0 or (differ and bid.max() == bid.min()):
        raise AllpayError("all bids are equal, which tells nothing of values: give contests in which bids differ")


def _turnout(contests: Contests, group: NDArray[np.int64], groups: int) -> Turnout:
    """Who came, by group."""
    there, registered = np.zeros((2, groups, contests.contests))
    np.add.at(registered, (group, contests.contest), 1.0)
    np.add.at(there, (group, contests.contest), contests.there.astype(float))
    return Turnout(there, registered)


def _alike(contests: Contests, bidders: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.bool_], int]]:
    """Of contests with the same bidders `[contests, …]` and prizes: the first, `[rows]` all bids, and how many there are."""
    _, kind_of = np.unique(np.column_stack([bidders, contests.prizes]), axis=0, return_inverse=True)
    for k in range(int(kind_of.max()) + 1):
        rows = (kind_of[contests.contest] == k) & contests.there
        if rows.any():
            yield int(np.flatnonzero(kind_of == k)[0]), rows, int(np.sum(kind_of == k))


def explained(bids: Bids, distribution: Distribution, cost: Cost) -> Explained:
    """What was bid in contests of one kind, and what bidders with these values would bid."""
    at = (np.arange(len(bids.costs)) + 0.5) / len(bids.costs)
    condition = bids.condition.fine
    foretold = PchipInterpolator(condition.quantiles, condition.foreseen(distribution) / condition.paid)
    within = np.clip(LEVELS, *condition.quantiles[[0, -1]])
    return Explained(
        bids.kind,
        len(np.unique(bids.contest)),
        len(bids.costs),
        tuple(float(cost.bid(x)) for x in np.interp(LEVELS, at, bids.costs)),
        tuple(float(cost.bid(max(x, 0.0))) for x in foretold(within)),
        total=of_contests(bids, cost, np.add),
        best=of_contests(bids, cost, np.maximum),
    )


def of_contests(bids: Bids, cost: Cost, together: np.ufunc) -> tuple[float, float] | None:
    """The mean over contests of all their bids together, and its standard error; None if their number is not known."""
    if bids.held < 2:
        return None
    parts = bids.groups or (bids,)
    number, which = np.unique(np.concatenate([part.contest for part in parts]), return_inverse=True)
    each = np.zeros(max(bids.held, len(number)))
    together.at(each, which, np.concatenate([part.bids(cost) for part in parts]))
    return float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each)))


def answers_to_prizes(
    sample: Sequence[Bids],
    family: Smooth | Family,
    fit: Fit,
    contests: int,
    cost: Cost,
    rng: np.random.Generator,
    reporter: Reporter,
    asked: bool = True,
    search: Callable[..., PowerCost] | None = None,
) -> list[tuple[float | None, float | None]]:
    """How far bids of each kind of contest are from what the others foretell: a test of the model, for bidders answer to prizes
    and rivals as it says only if values of all kinds are the same.

    Where a `search` finds the cost, of bids as they are in the sample, the others foretell it too, and so have to be two or
    more.

    Returns:
        for each kind the mean bid observed over the one foretold, less 1, and its standard error; None where not tested.
    """
    most, least = (MOST_TESTED, 2) if search is None else (MOST_TESTED_BESIDE_POWER, 3)
    tested = min(len(sample), most) if len(sample) >= least and asked else 0
    found: list[tuple[float | None, float | None]] = [(None, None)] * len(sample)
    for k in range(tested):
        others = [bids for i, bids in enumerate(sample) if i != k]

        def apart(weights: Array, k: int = k, others: Sequence[Bids] = others) -> float:
            own, paying = sample[k], cost
            if search is not None:
                paying = search([others], weights, cost)
                own, *others = (bids.costing(paying) for bids in (own, *others))
            targets = targets_of(others, weights)
            if not targets:
                return np.nan
            return mean_beside(own, family.fit(targets, fit).distribution, paying, weights)

        drawn = []
        for done in range(TEST_DRAWS):
            drawn.append(apart(rng.multinomial(contests, np.full(contests, 1 / contests)).astype(float)))
            reporter.advance(k * TEST_DRAWS + done + 1, tested * TEST_DRAWS)
        value, error = apart(np.ones(contests)), float(np.std(drawn, ddof=1))
        if np.isfinite(value) and np.isfinite(error):
            found[k] = value, error
    return found


def mean_beside(bids: Bids, values: Distribution, cost: Cost, weights: Array) -> float:
    """The mean bid over that of bidders with these values in equilibrium, less 1; NaN where they would bid nothing."""
    each, condition = weights[bids.contest], bids.condition.fine
    foretold = np.array([float(cost.bid(x)) for x in condition.foreseen(values) / condition.paid])
    mean = float(np.interp(MIDDLES, condition.quantiles, foretold).mean())
    observed = float(each @ bids.bids(cost)) / max(float(each.sum()), 1e-300)
    return observed / mean - 1 if mean > 0 else np.nan


def targets_of(sample: Sequence[Bids], weights: Array) -> list[Target]:
    """What is to be explained where each contest counts so many times, with slopes from what a first curve makes of it."""
    again = [bids.again(weights) for bids in sample]
    seen = [(bids, *bids.spent(weights)) for bids in again]
    seen = [(bids, spent, count) for bids, spent, count in seen if count > 0 and spent[-1] > 0]
    targets = [Target(bids, spent, count, np.full(len(spent), spent[-1])) for bids, spent, count in seen]
    for _ in range(ROUNDS if targets else 0):
        targets = [judged(target.bids, FIRST.fit(targets).distribution, weights) for target in targets]
    return targets


def judged(bids: Bids, distribution: Distribution, weights: Array | None = None) -> Target:
    """What is to be explained of bids, with the slopes that values of a distribution give."""
    condition = bids.condition
    foreseen = condition.foreseen(distribution)
    slopes = condition.slopes(np.asarray(distribution.quantile(condition.quantiles)), foreseen)
    return Target(bids, *bids.spent(weights), slopes)


def _left(target: Target, distribution: Distribution) -> Array:
    """`[m + 1]` what a distribution leaves unexplained of bids that are `judged` by it, in units of standard errors."""
    return target.bids.condition.left(target.spent, distribution, target.slopes) * np.sqrt(target.count)


def _robust(distribution: Distribution, targets: Sequence[Target]) -> float:
    """The sum of squared residuals; where one is beyond `OUTLYING`, it adds only in proportion to itself (Huber 1964).

    So a lowest bid that is off by 20 standard errors, because its cost is curved, does not choose the family alone.
    """
    total = 0.0
    for target in targets:
        size = np.abs(target.residuals(target.spent - target.bids.condition.foreseen(distribution)))
        total += float(np.sum(np.where(size < OUTLYING, size**2, OUTLYING * (2 * size - OUTLYING))))
    return total


def _misfit(
    sample: Sequence[Bids], family: Smooth | Family, best: Fit, contests: int, rng: np.random.Generator
) -> float:
    """The mean square of what the best of a family leaves unexplained of bids, over what chance leaves.

    That is 1, or more where few quantiles are looked at: so much that `MISFIT` times it is exceeded in one sample of 500 at
    most. Of groups, what others were seen to bid moves it by more than standard errors say where bids are few. There contests
    are drawn anew to see how much a fit to them leaves otherwise, and mean squares of that are taken as lognormal.
    """
    left = _all_left(sample, best.distribution, np.ones(contests))
    chance, variance = float(chdtri(len(left), RARE)) / len(left), np.ones(len(left))
    if any(bids.groups for bids in sample):
        drawn = []
        for weights in rng.multinomial(contests, np.full(contests, 1 / contests), size=TEST_DRAWS).astype(float):
            targets = targets_of(sample, weights)
            again = family.fit(targets, best) if targets else best
            drawn.append(_all_left(sample, again.distribution, weights))
        variance = np.maximum(1.0, np.nanvar(drawn, axis=0))
        sizes = np.log(np.maximum(np.nanmean((np.array(drawn) - left) ** 2 / variance, axis=1), FLATTEST))
        chance = max(chance, float(np.exp(np.mean(sizes) + ndtri(1 - RARE) * np.std(sizes, ddof=1))))
    return float(np.mean(left**2 / variance)) / max(1.0, chance / MISFIT)


def _all_left(sample: Sequence[Bids], distribution: Distribution, weights: Array) -> Array:
    """What a distribution leaves unexplained of all kinds, where each contest counts so many times."""
    return np.concatenate([_left(judged(bids.again(weights), distribution, weights), distribution) for bids in sample])


def _apart(sample: Sequence[Bids], distribution: Distribution, cost: Cost) -> float:
    """How far bids are from those foretold at the same quantile, the root of the mean square over the mean bid of a kind."""
    squares, sizes = [], []
    for bids in sample:
        condition = bids.condition
        foreseen = condition.foreseen(distribution)
        costs = bids.spent()[0] / condition.paid, foreseen / condition.paid
        seen, told = (np.array([float(cost.bid(x)) for x in part]) for part in costs)
        between = np.concatenate([[0.0], (condition.quantiles[1:] + condition.quantiles[:-1]) / 2, [1.0]])
        squares.append(float(np.diff(between) @ (seen - told) ** 2) / float(np.diff(between) @ seen) ** 2)
        sizes.append(len(bids.costs))
    return float(np.sqrt(np.average(squares, weights=sizes)))


def _held_out(
    tried: Sequence[Smooth | Family],
    fits: Sequence[Fit],
    sample: Sequence[Bids],
    targets: Sequence[Target],
    rng: np.random.Generator,
    contests: int,
) -> tuple[list[int], Array]:
    """The families in the order of their mean loss on contests left out, and these `[families]`."""
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
        if not seen:
            continue
        terms += sum(len(target.slopes) + 1 for target in unseen)
        for i, family in enumerate(tried):
            losses[i] += _robust(family.fit(seen, fits[i]).distribution, unseen)
    losses /= max(terms, 1)
    return np.argsort(losses, kind="stable").tolist(), losses
