"""Luck: how much of it the ranks of past contests show, and what bids say of values where it has a part in who wins.

How likely an order of bidders is, given what they bid, depends on the luck alone. So bids and ranks together identify one
number of it: r of a Tullock contest, or the scale of noise, by maximum likelihood over the orders that were seen (for Tullock's
contests the exploded logit of Luce 1959 and Plackett 1975; for noise one integral for each place, one inside the other).

With luck the expected prize Π of a bid b is smooth, also where all rivals bid the same, and the value of who bids it is had
from its first-order condition alone, v·Π′(b) = d[c(b)·S(b)]/db, against the bids that others were seen to make: no
distribution need be assumed. A group whose bids are all the same has one value.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allpay.contest.preferences import PowerCost
from allpay.contest.success import LEFT_OUT, Highest, Noise, Success, Tullock, law_of, success
from allpay.contest.values import HIGH, Curve, bernstein
from allpay.errors import AllpayError, shortened
from allpay.estimate.conditions import Bids, expected
from allpay.estimate.past import Contests

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

REACH = (0.04, 40.0)
"""The number of the luck is sought between these, times the spread of scores where it is a scale."""

TELLING = 1.0
"""Ranks tell nothing of luck where their log likelihood differs by less than this over all that is looked at."""

COARSE, FINE = 25, 17
"""At so many numbers the likelihood is computed over the whole reach, and around the best of them."""

AROUND = 2
"""So many coarse steps to either side of the best the fine ones go."""

IMPOSSIBLE = 1e-12
"""So likely an order counts that the luck excludes, as that one who bids 0 wins a Tullock contest: somebody wrote it down."""

STEP = 0.1
"""Distance of nodes of integrals over luck, in units of its scale."""

MOST_NODES = 4000

NODES, PER_BIDDER = 400, (12, 80)
"""Of integrals over the luck of a whole contest: so many, and between so many beside each score."""

SOME = 200
"""The likelihood over the whole reach is of so many contests."""

MOST_ORDERS = 5000
"""The ranks of so many contests say how much luck there is at most; more would add little and take long."""

CELLS = 4_000_000
"""So many numbers are held at a time."""

LEVELS = 300
"""The bids of a group in one kind of contest are summed up by so many at most."""

GRID, ITERATIONS = 60, 60
"""So many bids may stand behind scores, and so many steps find how they are spread; more would follow chance."""

DEGREE = 8
"""Of the curve that values are summed up by."""


@dataclass(frozen=True)
class FoundLuck:
    """How much luck there is, and how it is known.

    Attributes:
        text: as options name it, `tullock(1.02)`.
        number: r, or the scale.
        given: whether the user said so; else ranks do.
        said: what ranks say of the number; None where there are too few.
        band: between these it is to lie by the ranks, with the confidence; None where there are no resamples.
        draws: the number in each resample.
        orders: how many contests have ranks that say something.
        upsets: the part of neighbours by rank where the lower bid is ahead.
        scores: whether what was seen are scores, bids and luck together.
    """

    text: str
    number: float
    given: bool
    said: float | None
    band: tuple[float, float] | None
    draws: tuple[float, ...]
    orders: int
    upsets: float
    scores: bool = False

    def at(self, draw: int) -> str:
        """The same as options name it, in a resample."""
        return self.text if not self.draws else self.text.replace(repr(self.number), repr(self.draws[draw]))


@dataclass(frozen=True)
class Asked:
    """Luck as a user names it: a rule with one number, given or sought.

    Attributes:
        template: its text, with a place for the number.
        number: if it is given.
        within: the range in which it is sought, if one is given.
    """

    template: str
    number: float | None
    within: tuple[float, float] | None = None

    @classmethod
    def of(cls, text: str) -> "Asked":
        """`tullock(1)` is given; of `tullock`, `tullock(?)` and `tullock(r)` the number is sought; of `tullock(0.5:2)` too, in
        that range.

        Raises:
            AllpayError: if it cannot be read.

        >>> Asked.of("normal(0.2)").number, Asked.of("tullock").number
        (0.2, None)
        >>> Asked.of("normal(0.1:0.3,log)").within
        (0.1, 0.3)
        """
        ranged = re.fullmatch(r"\s*([a-z-]+)\s*\(\s*([^():,]+):([^():,]+)(,[^()]*)?\)\s*", str(text).lower())
        if ranged and ranged[1] != "none":
            return cls._in_range(f"{ranged[1]}({{}}{ranged[4] or ''})", ranged[2].strip(), ranged[3].strip())
        match = re.fullmatch(r"\s*([a-z-]+)\s*(?:\(\s*[?a-z]?\s*(,[^()]*)?\))?\s*", str(text).lower())
        if match and match[1] != "none":
            asked = cls(f"{match[1]}({{}}{match[2] or ''})", None)
            asked.rule(1.0)  # what it gets wrong is said now
            return asked
        rule = success(text)
        if isinstance(rule, Highest):
            raise AllpayError("--luck none says that there is none: leave it out")
        number = rule.r if isinstance(rule, Tullock) else float(rule.scale)  # type: ignore[attr-defined]
        return cls(re.sub(r"\([^(),]*", "({}", str(text).strip().lower(), count=1), number)

    @classmethod
    def _in_range(cls, template: str, low: str, high: str) -> "Asked":
        ends = []
        for end in (low, high):
            rule = success(template.format(end))
            ends.append(rule.r if isinstance(rule, Tullock) else float(rule.scale))  # type: ignore[attr-defined]
        if not 0 < ends[0] < ends[1]:
            raise AllpayError(
                f"a range of luck rises from above 0, as {template.format('0.1:0.3')}: got {shortened(low, 20)}:"
                f"{shortened(high, 20)}"
            )
        return cls(template, None, (ends[0], ends[1]))

    def rule(self, number: float) -> Success:
        """The rule with this number."""
        return success(self.text(number))

    def text(self, number: float) -> str:
        """The same as options name it."""
        return self.template.format(repr(float(number)))


# What ranks say -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Orders:
    """Who came before whom.

    Attributes:
        contest: `[contests]` which contest each is.
        bids: `[contests, bidders]` those who took part, those whose place is known first and in order; filled up with NaN.
        known: `[contests]` of how many the place is known.
    """

    contest: Whole
    bids: Array
    known: Whole

    @classmethod
    def of(cls, contests: Contests) -> "Orders":
        """The orders that ranks tell, as far as they are 1, 2, 3, … without a gap or two of the same."""
        there = contests.there
        contest, bid = contests.contest[there], contests.bid[there]
        rank = np.zeros(len(bid), np.int64) if contests.rank is None else contests.rank[there]
        order = np.lexsort((np.where(rank > 0, rank, np.iinfo(np.int64).max), contest))
        contest, bid, rank = contest[order], bid[order], rank[order]
        size = np.bincount(contest, minlength=contests.contests)
        place = np.arange(len(bid)) - (np.cumsum(size) - size)[contest]
        table = np.full((contests.contests, int(size.max(initial=1))), np.nan)
        table[contest, place] = bid
        ranks = np.zeros(table.shape, np.int64)
        ranks[contest, place] = rank
        right = ranks == np.arange(1, table.shape[1] + 1)
        right[:, :-1] &= ranks[:, 1:] != ranks[:, :-1]  # two who share a place
        known = np.cumprod(right, axis=1).sum(axis=1)
        telling = np.flatnonzero((known > 0) & (size > 1))
        telling = telling[:: max(1, -(-len(telling) // MOST_ORDERS))]
        return cls(telling, table[telling], np.minimum(known, size - 1)[telling])

    def some(self, most: int) -> "Orders":
        """At most so many of them, spread evenly."""
        chosen = slice(None, None, max(1, -(-len(self.known) // most)))
        return Orders(self.contest[chosen], self.bids[chosen], self.known[chosen])

    @property
    def upsets(self) -> float:
        """The part of neighbours whose places are known where the lower bid is ahead."""
        pairs = (np.arange(self.bids.shape[1] - 1) < self.known[:, None]) & (self.bids[:, 1:] != self.bids[:, :-1])
        return float(np.mean(np.diff(self.bids, axis=1)[pairs] > 0)) if pairs.any() else 0.0

    def loglikelihoods(self, rule: Success) -> Array:
        """`[contests]` how likely each order is, given what was bid."""
        scores = np.where(np.isnan(self.bids), -np.inf, rule.scores(np.nan_to_num(self.bids)))
        if isinstance(rule, Tullock):
            return _plackett_luce(scores, ~np.isnan(self.bids), self.known)
        assert isinstance(rule, Noise)
        step = max(1, CELLS // (NODES * 4))
        parts = [slice(k, k + step) for k in range(0, len(self.bids), step)]
        found = [_by_noise(scores[part], ~np.isnan(self.bids[part]), self.known[part], rule) for part in parts]
        return np.concatenate(found) if found else np.zeros(0)


def _plackett_luce(scores: Array, there: NDArray[np.bool_], known: Whole) -> Array:
    """ln of the product over places of e^score over the sum of those who are left; those of −∞ come last, by chance."""
    total, left = np.zeros(len(scores)), there.copy()
    for place in range(int(known.max(initial=0))):
        own, rest = scores[:, place], np.where(left, scores, -np.inf)
        most = rest.max(axis=1)
        count = left.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            summed = np.log(np.sum(np.exp(rest - most[:, None]), axis=1)) + most
            term = np.where(np.isfinite(most), own - summed, -np.log(count))
        total += np.where(place < known, np.maximum(term, np.log(IMPOSSIBLE)), 0.0)
        left[:, place] = False
    return total


def _by_noise(scores: Array, there: NDArray[np.bool_], known: Whole, rule: Noise) -> Array:
    """ln of ∫ g(t₁ − s₁) ∫^{t₁} g(t₂ − s₂) … Π G(t − s) over those without a place, inside out.

    Nodes are quantiles of the luck beside each score, and steps those of G, so that no kink and no long tail is missed.
    """
    law = law_of(rule)
    usable = there & np.isfinite(scores)
    x = np.where(usable, scores, 0.0) / rule.scale
    per = int(np.clip(NODES // scores.shape[1], *PER_BIDDER))
    beside = law.quantile((np.arange(per) + 0.5) / per)
    ends = law.quantile(np.array([1e-9, 1 - 1e-9]))
    nodes = (x[:, :, None] + np.concatenate([ends[:1], beside, ends[1:]])).reshape(len(x), -1)
    some = np.repeat(usable, per + 2, axis=1)
    last = np.max(np.where(some, nodes, -np.inf), axis=1, initial=-1e300)
    nodes = np.sort(np.where(some, nodes, last[:, None]), axis=1)
    inside = np.ones(nodes.shape)
    for k in range(scores.shape[1]):
        open_ = usable[:, k] & (k >= known)
        if open_.any():
            inside[open_] *= law.below(nodes[open_] - x[open_, k, None])
    for k in range(int(known.max(initial=0)) - 1, -1, -1):
        asked = (k < known) & usable[:, k]
        steps = np.diff(law.below(nodes[asked] - x[asked, k, None]), axis=1)
        inside[asked, 1:] = np.cumsum(steps * (inside[asked, 1:] + inside[asked, :-1]) / 2, axis=1)
        inside[asked, 0] = 0.0
    found = np.log(np.maximum(inside[:, -1], IMPOSSIBLE))
    left = there.copy()
    for k in range(int(known.max(initial=0))):  # those who lose to all others, and among each other by chance
        nothing = (k < known) & there[:, k] & ~np.isfinite(scores[:, k])
        beaten = np.any(left & np.isfinite(scores), axis=1)
        found += np.where(nothing, np.where(beaten, np.log(IMPOSSIBLE), -np.log(np.maximum(left.sum(axis=1), 1))), 0.0)
        left[:, k] = False
    return np.asarray(found)


@dataclass(frozen=True, eq=False)
class Likelihood:
    """How likely the orders of all contests are by how much luck there is.

    Attributes:
        numbers: `[numbers]` rising, on equal steps of their logarithm.
        by_contest: `[contests of the orders, numbers]`.
        contest: `[contests of the orders]` which each is.
    """

    numbers: Array
    by_contest: Array
    contest: Whole

    @classmethod
    def of(cls, asked: Asked, orders: Orders) -> "Likelihood":
        """The likelihood around its maximum.

        Raises:
            AllpayError: if ranks follow bids without exception, or do not depend on them, or bids are too alike to tell.
        """
        rule = asked.rule(1.0)
        spread = 1.0
        if not isinstance(rule, Tullock):
            scores = rule.scores(orders.bids[np.nan_to_num(orders.bids) > 0])
            spread = float(np.std(scores)) or 1.0
        if asked.within is not None:
            numbers = np.geomspace(*asked.within, FINE)
            each = np.column_stack([orders.loglikelihoods(asked.rule(x)) for x in numbers])
            _check_telling(asked, each.sum(axis=0))
            return cls(numbers, each, orders.contest)
        numbers = spread * np.geomspace(*REACH, COARSE)
        some = orders.some(SOME)
        total = np.array([some.loglikelihoods(asked.rule(x)).sum() for x in numbers])
        _check_telling(asked, total)
        best = int(np.argmax(total))
        if best in (0, COARSE - 1):
            much = (best == 0) == isinstance(rule, Tullock)
            what = (
                "ranks do not depend on bids: they are what chance alone brings; name what decides them"
                if much
                else "the higher bid came first always, or nearly always: leave --luck out, or say how much there is, as "
                f"--luck '{asked.template.format(1)}'"
            )
            raise AllpayError(f"how much luck there is cannot be found: {what}")
        step = np.log(numbers[1] / numbers[0])
        near = numbers[best] * np.exp(np.linspace(-AROUND, AROUND, FINE) * step)
        return cls(near, np.column_stack([orders.loglikelihoods(asked.rule(x)) for x in near]), orders.contest)

    def best(self, weights: Array) -> float:
        """The number of the highest likelihood where each contest counts so many times."""
        total = weights[self.contest] @ self.by_contest
        k = int(np.clip(np.argmax(total), 1, len(total) - 2))
        before, at, after = total[k - 1 : k + 2]
        curve = before - 2 * at + after
        shift = 0.0 if curve >= 0 else float(np.clip(0.5 * (before - after) / curve, -1, 1))
        return float(np.exp(np.log(self.numbers[k]) + shift * np.log(self.numbers[1] / self.numbers[0])))


def _check_telling(asked: Asked, total: Array) -> None:
    """Raise AllpayError if ranks are as likely with any luck: `total` is the log likelihood by how much there is."""
    if np.ptp(total) < TELLING:
        raise AllpayError(
            "how much luck there is cannot be found: the bids of a contest are so alike that ranks do not tell it; say how "
            f"much there is, as --luck '{asked.template.format(1)}'"
        )


# What bids say of values ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Levels:
    """The bids of a group in one kind of contest, summed up.

    Attributes:
        bids: `[levels]` rising.
        chance: `[levels]` the part of bids that each stands for.
        count: of how many bids.
    """

    bids: Array
    chance: Array
    count: float

    @classmethod
    def of(cls, bids: Array, each: Array) -> "Levels":
        """Of bids that rise, each counting so many times."""
        count = float(each.sum())
        if count == 0:
            return cls(np.zeros(0), np.zeros(0), 0.0)
        values, which = np.unique(bids, return_inverse=True)
        weight = np.bincount(which, each)
        if len(values) > LEVELS:
            bins = np.minimum((np.cumsum(weight) - weight / 2) / count * LEVELS, LEVELS - 1).astype(int)
            bins = np.where(values == 0, 0, bins)
            total = np.bincount(bins, weight, LEVELS)
            values = np.bincount(bins, weight * values, LEVELS) / np.maximum(total, 1e-300)
            weight = total
        kept = weight > 0
        return cls(values[kept], weight[kept] / count, count)


@dataclass(frozen=True, eq=False)
class Standing:
    """What bids bring to a group in one kind of contest, against the bids that others were seen to make.

    Attributes:
        bids: `[bids]` rising.
        chance: `[bids]` the part of the group's bids that each stands for.
        count: of how many bids.
        won, paid: `[bids]` Π, the prize that each wins, and S, the part of it that is paid, both on average.
        won_moves, paid_moves: `[bids]` their slopes in the bid; NaN of a bid of 0.
    """

    bids: Array
    chance: Array
    count: float
    won: Array
    paid: Array
    won_moves: Array
    paid_moves: Array

    def values(self, cost: PowerCost) -> Array:
        """`[bids]` the value of who makes each, by its first-order condition; NaN of those who bid 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            steep = cost.slope(np.where(self.bids > 0, self.bids, 1.0))
            spent = (steep * self.paid + np.asarray(cost.cost(self.bids)) * self.paid_moves) / self.won_moves
            return np.asarray(np.where((self.bids > 0) & (self.won_moves > 0), spent, np.nan))

    def replies(self, values: Array, cost: PowerCost) -> Array:
        """The best of the bids to each of some values, any shape."""
        spent = np.asarray(cost.cost(self.bids)) * self.paid
        return np.asarray(self.bids[np.argmax(values[..., None] * self.won - spent, axis=-1)])


def standing(group: int, bids: Bids, levels: Sequence[Levels], rule: Success, at: Array | None = None) -> Standing:
    """What the bids of a group bring, or bids `at` some grid.

    Args:
        group: whose.
        bids: of it, for the kind of contest.
        levels: what each group was seen to bid there.
        rule: who beats whom.
        at: `[bids]` others than those that were seen.
    """
    assert isinstance(rule, (Noise, Tullock))
    law, scale = law_of(rule), rule.scale if isinstance(rule, Noise) else 1.0
    scores = [np.asarray(rule.scores(one.bids)) / scale for one in levels]
    known = np.concatenate([s[np.isfinite(s)] for s in scores])
    b = levels[group].bids if at is None else at
    own = np.asarray(rule.scores(b)) / scale
    chance = levels[group].chance if at is None else np.zeros(len(b))
    if not len(known):
        return Standing(b, chance, levels[group].count, *np.full((4, len(b)), np.nan))
    low, high = known.min() + float(law.quantile(LEFT_OUT)), known.max() + min(float(law.quantile(1 - 1e-15)), 60.0)
    count = int(np.clip((high - low) / STEP, 200, MOST_NODES))
    t = np.linspace(low, high, count)
    beaten = np.ones((len(levels), count))
    for h, (one, score) in enumerate(zip(levels, scores, strict=True)):
        if one.count:
            finite = np.isfinite(score)
            lost = law.below(t - np.where(finite, score, 0.0)[:, None])
            beaten[h] = one.chance @ np.where(finite[:, None], lost, 1.0)
    kind, middle = bids.kind, (t[1:] + t[:-1]) / 2
    prizes, extra = np.array(kind.prizes), np.array(kind.payments) - kind.rest
    positive = np.isfinite(own) & (b > 0)
    density = law.density(middle - np.where(positive, own, 0.0)[:, None])  # [levels, count - 1]
    wins, pays = expected(prizes, kind, beaten), expected(extra, kind, beaten)
    above = 1.0 - law.below(middle - np.where(positive, own, 0.0)[:, None])
    log = isinstance(rule, Tullock) or (isinstance(rule, Noise) and rule.log)
    factor = rule.r if isinstance(rule, Tullock) else 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (factor / b if log else np.ones(len(b))) / scale  # of the score, in units of the scale
    slope = np.where(positive, slope, np.nan)
    won, paid = (of[0] + np.where(np.isfinite(own), above @ np.diff(of), 0.0) for of in (wins, pays))
    moves, paid_moves = (density @ np.diff(of) * slope for of in (wins, pays))
    return Standing(b, chance, levels[group].count, won, kind.rest + paid, moves, paid_moves)


def standing_of_scores(group: int, bids: Bids, levels: Sequence[Levels], rule: Noise) -> Standing:
    """The same where what was seen are scores, bids and luck together, and how much luck there is is known; all pay all.

    What a score wins follows from the scores of others, so that a bid wins ∫ g(t − s(b)) W(t) dt with no more ado. How bids are
    spread is what makes the scores likeliest, by some steps of expectation and maximisation (Laird 1978).
    """
    law, scale = law_of(rule), rule.scale
    seen = [np.asarray(rule.scores(one.bids)) / scale for one in levels]
    known = [s[np.isfinite(s)] for s in seen]
    low, high = min(s.min() for s in known if len(s)), max(s.max() for s in known if len(s))
    t = np.linspace(low, high, int(np.clip((high - low) / STEP, 200, MOST_NODES)))
    below = np.zeros((len(levels), len(t)))
    for h, (one, score) in enumerate(zip(levels, seen, strict=True)):
        if one.count:
            middle = np.cumsum(one.chance) - one.chance / 2
            finite = np.isfinite(score)
            below[h] = np.interp(t, score[finite], middle[finite], left=float(one.chance[~finite].sum()), right=1.0)
    kind, middle = bids.kind, (t[1:] + t[:-1]) / 2
    least = known[group].min() if rule.log else 0.0
    place = np.linspace(least, known[group].max(), GRID)
    b = np.exp(scale * place) if rule.log else scale * place
    density = law.density(middle - place[:, None])
    wins = expected(np.array(kind.prizes), kind, below)
    slope = (1 / b if rule.log else np.ones(len(b))) / scale
    finite = np.isfinite(seen[group])
    likely, weight = law.density(seen[group][finite][:, None] - place), levels[group].chance[finite]
    chance = np.full(GRID, 1 / GRID)
    for _ in range(ITERATIONS):
        both = likely * chance
        total = both.sum(axis=1, keepdims=True)
        chance = weight @ (both / np.maximum(total, 1e-300))
        chance /= max(float(chance.sum()), 1e-300)
    steps = np.diff(wins)
    won = wins[0] + (1.0 - law.below(middle - place[:, None])) @ steps
    moves = density @ steps * slope
    return Standing(b, chance, levels[group].count, won, np.full(GRID, kind.rest), moves, np.zeros(GRID))


def summed_up(values: Sequence[Array], weights: Sequence[Array]) -> Curve | None:
    """The quantile function of values, each of a weight; of those who bid 0, which are NaN, but that they are the lowest.

    Returns:
        a constant where there is one value for each kind of contest; None where there is none.
    """
    v, w = np.concatenate(values), np.concatenate(weights)
    seen = np.isfinite(v) & (w > 0)
    if not seen.any():
        return None
    if all(np.sum(np.isfinite(x)) <= 1 and not np.isnan(x).any() for x in values):
        mean = float(np.average(v[seen], weights=w[seen]))
        return Curve((mean, mean))
    low = float(w[~seen].sum())
    order = np.argsort(v[seen])
    v, w = v[seen][order], w[seen][order]
    q = (low + np.cumsum(w) - w / 2) / (low + w.sum())
    from scipy.optimize import nnls

    later = np.cumsum(bernstein(q, DEGREE)[:, ::-1], axis=1)[:, ::-1]
    root = np.sqrt(w)[:, None]
    increments, _ = nnls(later * root, v * root[:, 0], maxiter=100 * (DEGREE + 1))
    coefficients = np.cumsum(increments)
    coefficients[-1] = max(coefficients[-1], HIGH.at_least or 0.0)
    return Curve(tuple(coefficients.tolist()))
