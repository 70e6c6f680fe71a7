"""Exact expected payoffs of every bid of the grid against mixed rivals, ties included; revenue and exploitability.

A rival bids less than b with probability L and at most b with probability H. A random tie-break averages the rank
probabilities over q in [L, H]: a polynomial of degree n−1, which Gauss–Legendre quadrature integrates exactly. No tensor
of size K^n, no sampling, and no difference of nearly equal numbers.
"""

import math
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.compiled import compiled
from allpay.contest.attendance import effective, none_above
from allpay.contest.attitudes import slopes_of, worth_of
from allpay.contest.game import Array, Game, check_game
from allpay.contest.preferences import Neutral
from allpay.contest.ranking import NODES, Ranking, gauss_rules, rank_averages, rank_chances, stretches
from allpay.contest.success import Highest
from allpay.errors import AllpayError
from allpay.frozen import ByValue, Itself
from allpay.scalars import whole

EXACT_BIDDERS = 16
"""Up to this many bidders ⌈n/2⌉ ≤ 8 nodes are exact. Above it there are as many as a tie's width needs, see
`ranking.stretches`."""

MOST_LOGARITHM = 500.0
"""Up to this logarithm binomial coefficients are taken as numbers; above it only through their logarithms."""


TOGETHER = 4
"""So many bids are looked at together where the best is sought."""

SAME_SCORE = 1e-12
"""Scores that differ by less, relative to the highest, tie."""


@dataclass(frozen=True, eq=False)
class Terms(ByValue):
    """A game's expected payoff as a sum: payoff[i, b, v] = Σ_g table[i, g, b, v] · (Σ_k coefficients[g, k] P_k) of group i.

    Risk-neutral bidders need two terms, the expected share (coefficients a) at weight v, and the expected fraction paid
    (coefficients p) at weight −c(b); a fee is a third, whose coefficients are 1, and joy of winning one that has a 1 for the
    first rank alone. With another utility or attitude to chances each distinct pair (a_k, p_k) is a term of its own, the first
    rank too where there is joy: terms are then outcomes, and the sums their chances, of which `attitudes.worth_of` makes
    what a bid is worth. To stay out is worth 0: its rows are 0.

    Attributes:
        coefficients: `[terms, bidders]` Bernstein coefficients by rank, of the ranks of those who turn up.
        table: `[groups, terms, bids, values]` what each term is worth; values last, so that loops over them run on vector
            registers.
        winnings: `[groups, terms, values]` what each term would be worth to a bidder who paid nothing.
        fractions: `[terms]` the fraction of its bid that a bidder pays under each term.
        straight: whether the first term alone depends on the value, and the table of it is the value.
    """

    coefficients: Array
    table: Array
    winnings: Array
    fractions: Array
    straight: bool


def terms(game: Game) -> Terms:
    """The terms of a game's expected payoff."""
    a, p = np.asarray(game.mechanism.prizes), np.asarray(game.mechanism.payments)
    neutral = all(isinstance(bidder.utility, Neutral) for bidder, _ in game.groups) and not game.own_utility
    first = np.zeros(len(a))
    first[0] = float(game.joys.any())
    straight = neutral and not game.attitudes.any()
    if straight:
        rows = [a, p] + ([np.ones(len(a))] if game.mechanism.fee > 0 else []) + ([first] if first[0] else [])
        coefficients, worth = np.stack(rows), _neutral
        fractions = np.array([0.0, 1.0, 0.0, 0.0][: len(rows)])
    else:
        pairs, index = np.unique(np.stack([a, p, first], axis=1), axis=0, return_inverse=True)
        coefficients = (np.arange(len(pairs))[:, None] == index.reshape(1, -1)).astype(float)
        worth, fractions = partial(_of_pairs, pairs), np.ascontiguousarray(pairs[:, 1])
    table, free = (np.stack(parts) for parts in zip(*(worth(game, i) for i in range(len(game.groups))), strict=True))
    if game.mechanism.may_stay_out:
        table[:, :, 0] = 0.0
    return Terms(seen(game, coefficients), table, free, fractions, straight)


def _neutral(game: Game, group: int) -> tuple[Array, Array]:
    """The table `[terms, bids, values]` and the winnings `[terms, values]` of risk-neutral bidders."""
    v, c = game.value_grids[group][None, :], game.cost_grids[group][:, None]
    fee = [np.array(-game.mechanism.fee)] if game.mechanism.fee > 0 else []
    joy = [np.array(game.joys[group])] if game.joys.any() else []
    free = np.zeros((2 + len(fee) + len(joy), v.shape[1]))
    free[0] = v[0]
    free[2 + len(fee) :] = game.joys[group]
    return np.stack(np.broadcast_arrays(v, -c, *fee, *joy)), free


def _of_pairs(pairs: Array, game: Game, group: int) -> tuple[Array, Array]:
    """The same of bidders for whom each pair of prize and payment has a utility of its own."""
    v, c = game.value_grids[group][None, :], game.cost_grids[group][:, None]
    fee, joy = game.mechanism.fee, game.joys[group]
    won = [v * a_k + joy if first else v * a_k for a_k, _, first in pairs]
    # without a fee nothing is subtracted: the numbers are those of games that know of none, to the last bit
    money = [gain - p_k * c - fee if fee else gain - p_k * c for gain, (_, p_k, _) in zip(won, pairs, strict=True)]
    table = [game.utility_of(group, left) for left in money]
    return np.stack(table), np.stack([game.utility_of(group, gain[0]) for gain in won])


def seen(game: Game, coefficients: Array) -> Array:
    """Coefficients `[rows, bidders]` by rank, as numbers by place among all who might turn up; see `attendance.effective`."""
    return coefficients if game.field is None else effective(coefficients, game.field.among(game.bidders))


@dataclass(frozen=True, eq=False)
class Quadrature(ByValue):
    """What tie averages need to know of n: Gauss–Legendre nodes and weights on [0, 1] `[rules, nodes]`, a row for each rule,
    filled up with zeros; and ln C(n−1, k)."""

    nodes: Array
    weights: Array
    log_binomials: Array


@cache
def quadrature(bidders: int) -> Quadrature:
    """Nodes that integrate rank probabilities of n bidders over a tie: ⌈n/2⌉, which is exact, or those of `gauss_rules`."""
    if bidders <= EXACT_BIDDERS:
        x, w = np.polynomial.legendre.leggauss((bidders + 1) // 2)
        nodes, weights = (x[None] + 1) / 2, w[None] / 2
    else:
        nodes, weights = gauss_rules()
    return Quadrature(nodes, weights, np.array([math.log(math.comb(bidders - 1, k)) for k in range(bidders)]))


@compiled
def tie_averages(coefficients, cdf, nodes, weights, log_binomials, out):  # type: ignore[no-untyped-def]
    """Fill out `[terms, K]` with Σ_k coefficients[g, k] P_k(q) averaged over q in [cdf[b], cdf[b+1]]; cdf is `[K+1]`."""
    n = coefficients.shape[1]
    if n <= EXACT_BIDDERS:
        _exact_averages(coefficients, cdf, nodes[0], weights[0], log_binomials, out)
        return
    q, share, first = _points(cdf, n, nodes, weights)
    value, power = np.empty(len(q)), np.empty(len(q))
    for g in range(len(coefficients)):
        tail = coefficients[g, n - 1]
        used = _used(coefficients, g)
        out[g] = tail
        if used == 0:
            continue
        falls = coefficients[g, :used] - tail
        if log_binomials[min(used - 1, n // 2)] > MOST_LOGARITHM:
            for i in range(len(q)):
                value[i] = _bernstein(falls, 0.0, used, log_binomials, q[i])
        else:
            _polynomial(np.exp(log_binomials[:used]) * falls, n, q, value, power)
        for b in range(out.shape[1]):
            total = 0.0
            for i in range(first[b], first[b + 1]):
                total += share[i] * value[i]
            out[g, b] = total + tail


@compiled
def _used(coefficients, g):  # type: ignore[no-untyped-def]
    """How many coefficients of a row differ from the last: a constant tail, as where every rank pays, needs no polynomial,
    since probabilities sum to 1."""
    n = coefficients.shape[1]
    used = n
    while used > 0 and coefficients[g, used - 1] == coefficients[g, n - 1]:
        used -= 1
    return used


@compiled
def _exact_averages(coefficients, cdf, nodes, weights, log_binomials, out):  # type: ignore[no-untyped-def]
    """`tie_averages` for few bidders. All inner loops run over bids, on vector registers."""
    terms, n = coefficients.shape
    bids = out.shape[1]
    room = np.empty((3, bids))
    q, total, power = room[0], room[1], room[2]
    for g in range(terms):
        tail = coefficients[g, n - 1]
        used = _used(coefficients, g)
        for b in range(bids):
            out[g, b] = 0.0 if used > 0 else tail
        if used == 0:
            continue
        scaled = np.exp(log_binomials[:used]) * (coefficients[g, :used] - tail)
        for m in range(len(nodes)):
            for b in range(bids):
                q[b] = cdf[b] + nodes[m] * (cdf[b + 1] - cdf[b])
                total[b] = scaled[0]
            if used > 1:
                for b in range(bids):
                    power[b] = 1.0 - q[b]
                    total[b] = total[b] * q[b] + scaled[1] * power[b]
            for k in range(2, used):
                for b in range(bids):
                    power[b] *= 1.0 - q[b]
                    total[b] = total[b] * q[b] + scaled[k] * power[b]
            for _ in range(used, n):
                for b in range(bids):
                    total[b] *= q[b]
            for b in range(bids):
                out[g, b] += weights[m] * total[b]
        for b in range(bids):
            out[g, b] += tail


@compiled
def _points(cdf, n, nodes, weights):  # type: ignore[no-untyped-def]
    """Where the chances of n bidders are looked at to average them over each tie, `[points]`; the weight of each point; and
    where those of each bid begin, `[bids + 1]`. How many there are follows from the tie's width, see `ranking.stretches`."""
    bids = len(cdf) - 1
    parts, rules = np.empty(bids, np.int64), np.empty(bids, np.int64)
    first = np.zeros(bids + 1, np.int64)
    for b in range(bids):
        parts[b], rules[b] = stretches((cdf[b + 1] - cdf[b]) * n)
        first[b + 1] = first[b] + parts[b] * NODES[rules[b]]
    q, share = np.empty(first[-1]), np.empty(first[-1])
    for b in range(bids):
        part = 1.0 / parts[b]
        width = (cdf[b + 1] - cdf[b]) * part
        i = first[b]
        for j in range(parts[b]):
            for m in range(NODES[rules[b]]):
                q[i] = cdf[b] + (j + nodes[rules[b], m]) * width
                share[i] = weights[rules[b], m] * part
                i += 1
    return q, share, first


@compiled
def _polynomial(scaled, n, q, out, power):  # type: ignore[no-untyped-def]
    """Fill out `[places]` with Σ_k scaled[k] q^{n−1−k} (1−q)^k at q `[places]`; power `[places]` is scratch.

    All inner loops run over places, on vector registers: Horner's rule in q and 1 − q, and one power of q, by squaring.
    """
    used, places = len(scaled), len(q)
    for i in range(places):
        out[i] = scaled[0]
        power[i] = 1.0
    for k in range(1, used):
        for i in range(places):
            power[i] *= 1.0 - q[i]
            out[i] = out[i] * q[i] + scaled[k] * power[i]
    for i in range(places):
        power[i] = q[i]
    left = n - used
    while left > 0:
        if left & 1:
            for i in range(places):
                out[i] *= power[i]
        left >>= 1
        for i in range(places):
            power[i] *= power[i]


@compiled
def _bernstein(coefficients, tail, used, log_binomials, q):  # type: ignore[no-untyped-def]
    """Σ_{k<used} (coefficients[k] − tail) P_k(q) through logarithms, which neither overflow nor underflow for large n."""
    last = len(log_binomials) - 1
    if q <= 0.0:
        return coefficients[last] - tail if used > last else 0.0
    if q >= 1.0:
        return coefficients[0] - tail
    log_q, log_rest = math.log(q), math.log1p(-q)
    total = 0.0
    for k in range(used):
        total += (coefficients[k] - tail) * math.exp(log_binomials[k] + (last - k) * log_q + k * log_rest)
    return total


@compiled
def tie_slopes(falls, cdf, nodes, weights, log_binomials, lower, upper):  # type: ignore[no-untyped-def]
    """Fill lower and upper `[terms, K]` with the derivatives of `tie_averages` at cdf[b] and at cdf[b+1].

    The average is ∫₀¹ p(L + u(H − L)) du, so its derivatives are ∫ p′·(1 − u) du and ∫ p′·u du, and p′ is in Bernstein form
    itself: falls `[terms, n−1]` are (n−1)·(c_k − c_{k+1}), log_binomials are those of n−1 bidders.
    """
    n = falls.shape[1] + 1
    for g in range(falls.shape[0]):
        used = n - 1
        while used > 0 and falls[g, used - 1] == 0.0:
            used -= 1
        for b in range(lower.shape[1]):
            lower[g, b] = upper[g, b] = 0.0
            if used == 0:
                continue
            gap = cdf[b + 1] - cdf[b]
            parts, rule, count = 1, 0, nodes.shape[1]
            if n > EXACT_BIDDERS:
                parts, rule = stretches(gap * n)
                rule = max(rule, 1)  # there is a factor of u more than in an average
                count = NODES[rule]
            for j in range(parts):
                for m in range(count):
                    u = (j + nodes[rule, m]) / parts
                    slope = weights[rule, m] / parts * _bernstein(falls[g], 0.0, used, log_binomials, cdf[b] + gap * u)
                    lower[g, b] += slope * (1.0 - u)
                    upper[g, b] += slope * u


@compiled
def fill_cdf(mass, cdf):  # type: ignore[no-untyped-def]
    """Fill cdf `[K+1]` with 0 and the running sums of mass `[K]`, scaled so that it ends at exactly 1."""
    total = 0.0
    cdf[0] = 0.0
    for b in range(len(mass)):
        total += mass[b]
        cdf[b + 1] = total
    for b in range(len(mass)):
        cdf[b + 1] = min(cdf[b + 1] / total, 1.0)
    cdf[len(mass)] = 1.0


class Payoffs(NamedTuple):
    """What a kernel needs to know of a game, built once by `payoffs_of` and passed whole.

    Shapes: coefficients `[terms, bidders]`, table `[groups, terms, bids, values]`, allowed `[groups, values]`; nodes, weights
    and log_binomials of `Quadrature`, for `tie_averages`; plain is 1 where that is enough: all bidders alike, and the highest
    bid wins; ranking is for all other games; winnings `[groups, terms, values]` and fractions `[terms]` as in `Terms`; bids
    `[bids]` the grid; attitudes `[groups, 3]` the codes of `attitudes.Attitude`; lines `[groups, terms, bids]` is the table at
    a value of 1 where what a bid is worth is a line in the value, see `_best_of_lines`, else it has no terms.
    """

    coefficients: Array
    table: Array
    allowed: NDArray[np.int64]
    nodes: Array
    weights: Array
    log_binomials: Array
    plain: int
    ranking: Ranking
    winnings: Array
    fractions: Array
    bids: Array
    attitudes: Array
    lines: Array


def payoffs_of(game: Game, each: bool = False) -> Payoffs:
    """The payoffs of a game, for strategies by group, or, with `each`, for a strategy of each bidder: then every bidder is a
    group of one. Those of the last few games are kept, since a run asks for the same ones at each of its checkpoints."""
    return _payoffs_of(Itself(game), each)


@lru_cache(maxsize=8)
@np.errstate(under="ignore")  # whatever the user has set: a chance of 1e-400 is 0
def _payoffs_of(key: Itself[Game], each: bool) -> Payoffs:
    game = key.thing
    parts, rule = terms(game), quadrature(game.bidders)
    which = np.repeat(np.arange(len(game.groups)), game.counts) if each else np.arange(len(game.groups))
    plain = game.plain and len(which) == 1
    straight = parts.straight and bool(np.all(game.limits == game.bid_levels))
    return Payoffs(
        coefficients=parts.coefficients,
        table=parts.table[which] if each else parts.table,
        allowed=game.limits[which] if each else game.limits,
        nodes=rule.nodes,
        weights=rule.weights,
        log_binomials=rule.log_binomials,
        plain=int(plain),
        ranking=_ranking(game, which, game.counts if not each else np.ones(len(which), np.int64)),
        winnings=parts.winnings[which] if each else parts.winnings,
        fractions=parts.fractions,
        bids=game.bid_grid,
        attitudes=game.attitudes[which],
        lines=_lines(game, parts.table[which, :, :, 0]) if straight else np.empty((len(which), 0, game.bid_levels)),
    )


def _lines(game: Game, table: Array) -> Array:
    """The table `[groups, terms, bids]` of straight terms at a value of 1, of that at another."""
    table = table.copy()
    table[:, 0] = 1.0
    if game.mechanism.may_stay_out:
        table[:, :, 0] = 0.0
    return table


def _ranking(game: Game, which: NDArray[np.int64], counts: NDArray[np.int64]) -> Ranking:
    """What rank chances need of a game whose groups are these rows of its own."""
    rules, rule_weights = gauss_rules()
    out = int(game.mechanism.may_stay_out)
    scores = game.mechanism.success.scores(game.efforts)
    lucky = game.mechanism.success.lucky
    kinds, bids = scores.shape
    lower, upper = np.zeros((kinds, kinds, bids), np.int64), np.zeros((kinds, kinds, bids), np.int64)
    floors = np.full(kinds, -1)
    if lucky:
        scores[:, :out] = -np.inf
        floored = np.isneginf(scores[:, out])
        floors[floored] = out
        lower[:, :, out], upper[:, :, out] = out, out + floored
        sums = game.mechanism.success.sums(scores)
    else:
        sums = Highest().sums(scores)
        if not game.plain or len(which) > 1:
            near = SAME_SCORE * max(1.0, float(np.abs(scores).max()))
            for g, h in np.ndindex(kinds, kinds):
                lower[g, h] = out + np.searchsorted(scores[h, out:], scores[g] - near, side="left")
                upper[g, h] = out + np.searchsorted(scores[h, out:], scores[g] + near, side="right")
    return Ranking(
        counts=counts,
        kinds=which,
        presence=game.presence[which],
        rules=rules,
        rule_weights=rule_weights,
        lower=lower,
        upper=upper,
        floors=floors,
        out=out,
        lucky=int(lucky),
        below=sums.below,
        density=sums.density,
        seconds=int(game.mechanism.ties != "random"),
    )


@compiled
def averages_against(payoffs, mass, cdf, averages):  # type: ignore[no-untyped-def]
    """Fill averages `[groups, terms, bids]` with the expected coefficients of every bid, rivals of each group bidding `mass`
    `[groups, bids]`, rows of any positive sum; cdf `[bids + 1]` is scratch."""
    if payoffs.plain:
        fill_cdf(mass[0], cdf)
        tie_averages(payoffs.coefficients, cdf, payoffs.nodes, payoffs.weights, payoffs.log_binomials, averages[0])
    else:
        rank_averages(payoffs.ranking, payoffs.coefficients, mass, averages)


@compiled
def regret(averages, table, allowed, attitude, strategy):  # type: ignore[no-untyped-def]
    """Mean over values of best-response payoff minus the payoff of `strategy` `[V, K]` (rows of any positive sum)."""
    values = len(strategy)
    room = np.zeros((4, values))
    best, mean, weight, u = room[0], room[1], room[2], room[3]
    best[:] = -np.inf
    for b in range(allowed.max()):
        worths(averages, table, attitude, b, u)
        for v in range(values):  # innermost, since values stand side by side in the table
            if b < allowed[v]:
                best[v] = max(best[v], u[v])
                mean[v] += strategy[v, b] * u[v]
                weight[v] += strategy[v, b]
    total = 0.0
    for v in range(values):
        total += max(best[v] - mean[v] / weight[v], 0.0)
    return total / values


@compiled
def mean_regret(payoffs, averages, strategy):  # type: ignore[no-untyped-def]
    """Mean over bidders of `regret`, for strategies `[groups, V, K]`."""
    counts = payoffs.ranking.counts
    total = 0.0
    for i in range(len(strategy)):
        total += (
            counts[i]
            / counts.sum()
            * regret(averages[i], payoffs.table[i], payoffs.allowed[i], payoffs.attitudes[i], strategy[i])
        )
    return total


@compiled
def appraise(averages, table, winnings, fractions, bids, allowed, attitude, strategy):  # type: ignore[no-untyped-def]
    """What `strategy` `[V, K]` (rows of any positive sum) brings and leaves to gain: five means over values.

    The gain by a best response; the payoff; the utility of what is won, if it cost nothing; the money paid; and the excess:
    the part of that money whose bidders would rather keep it. Of a payment it is min(1, gain / cost), the part of the
    payment's cost in utility that its bidder would gain by a best response.
    """
    values = len(strategy)
    room = np.zeros((8, values))
    best, u, weight, mean = room[0], room[1], room[2], room[3]
    mean_free, mean_paid, mean_excess, free = room[4], room[5], room[6], room[7]
    unpaid = winnings.copy().reshape(len(winnings), 1, values)  # a table of one bid, which costs nothing
    best[:] = -np.inf
    for b in range(allowed.max()):
        worths(averages, table, attitude, b, u)
        for v in range(values):
            if b < allowed[v]:
                best[v] = max(best[v], u[v])
    for b in range(allowed.max()):
        worths(averages, table, attitude, b, u)
        worths(averages[:, b : b + 1], unpaid, attitude, 0, free)
        fraction = 0.0
        for g in range(averages.shape[0]):
            fraction += fractions[g] * averages[g, b]
        for v in range(values):
            x = strategy[v, b]
            if x > 0.0 and b < allowed[v]:
                cost = free[v] - u[v]
                weight[v] += x
                mean[v] += x * u[v]
                mean_free[v] += x * free[v]
                mean_paid[v] += x * fraction * bids[b]
                if cost > 0.0:
                    mean_excess[v] += x * fraction * bids[b] * min(1.0, (best[v] - u[v]) / cost)
    gain = worth = won = paid = excess = 0.0
    for v in range(values):
        gain += max(best[v] - mean[v] / weight[v], 0.0)
        worth += mean[v] / weight[v]
        won += mean_free[v] / weight[v]
        paid += mean_paid[v] / weight[v]
        excess += mean_excess[v] / weight[v]
    return gain / values, worth / values, won / values, paid / values, excess / values


@compiled
def worths(averages, table, attitude, b, u):  # type: ignore[no-untyped-def]
    """Fill u `[values]` with what bid b is worth at each value."""
    if attitude[0] != 0.0:
        for v in range(len(u)):
            u[v] = worth_of(table[:, b, v], averages[:, b], attitude)
        return
    u[:] = 0.0
    for g in range(table.shape[0]):
        row, average = table[g, b], averages[g, b]
        for v in range(len(u)):  # innermost, so that it runs on vector registers
            u[v] += row[v] * average


@compiled
def best_responses(payoffs, i, averages, best, payoff, u):  # type: ignore[no-untyped-def]
    """Fill best `[values]` with the lowest of the best bids of each value of group i, payoff `[values]` with their worth; u
    `[values]` is scratch; averages are those of the group, `[terms, bids]`."""
    if payoffs.lines.shape[1] > 0:
        _best_of_lines(payoffs.winnings[i, 0], averages, payoffs.lines[i], best, payoff)
        return
    table, allowed = payoffs.table[i], payoffs.allowed[i]
    best[:] = 0
    payoff[:] = -np.inf
    for b in range(table.shape[1]):
        worths(averages, table, payoffs.attitudes[i], b, u)
        for v in range(len(u)):
            if u[v] > payoff[v] and b < allowed[v]:
                payoff[v] = u[v]
                best[v] = b


@partial(compiled, fastmath={"nnan", "nsz"})
def _best_of_lines(values, averages, lines, best, payoff):  # type: ignore[no-untyped-def]
    """The same where the worth of a bid is a line in the value, value·lines[0]·averages[0] + Σ_{g≥1} lines[g]·averages[g].

    Every bid is looked at for every value: values side by side on vector registers, `TOGETHER` bids between reading what is
    the best so far and writing it. There is no jump to foretell, which costs more than the bids that it might leave out.
    """
    terms, bids = lines.shape
    padded = TOGETHER * ((bids + TOGETHER - 1) // TOGETHER)
    room = np.empty((2, padded))
    slope, level = room[0], room[1]
    for b in range(bids):
        slope[b] = lines[0, b] * averages[0, b]
        level[b] = lines[1, b] * averages[1, b]
    for g in range(2, terms):
        for b in range(bids):
            level[b] += lines[g, b] * averages[g, b]
    for b in range(bids, padded):
        slope[b], level[b] = 0.0, -np.inf
    for v in range(len(values)):
        best[v], payoff[v] = 0, -np.inf
    for first in range(0, padded, TOGETHER):
        for v in range(len(values)):
            top, at = payoff[v], best[v]
            for b in range(first, first + TOGETHER):  # unrolled
                worth = values[v] * slope[b] + level[b]
                at = b if worth > top else at
                top = worth if worth > top else top
            payoff[v], best[v] = top, at


@dataclass(frozen=True, eq=False)
class Evaluation(ByValue):
    """What a profile of strategies is worth, exactly, on the grid.

    Attributes:
        revenue: expected sum of what bidders pay for their ranks (of bids, not costs; without fees).
        highest_bid: expected highest bid; 0 where nobody bids.
        fees: expected sum of fees.
        prizes: the part of the prizes that is expected to be handed out; the rest is for ranks that nobody fills.
        exploitability: `[bidders]` expected best-response payoff minus payoff, in units of utility; one number each
            where strategies differ, the same number where all of a group play one strategy; of one who turns up.
        payoff: `[bidders]` expected utility of one who turns up.
        winnings: `[bidders]` expected utility of what is won, if it cost nothing; less the payoff, it is what is spent.
        paid: `[bidders]` expected money paid by one who turns up, without fees.
        excess: `[bidders]` the part of that money whose bidders would rather keep it, see `appraise`.
        entry: `[bidders]` the chance to turn up and not stay out.
        win: `[bidders]` the chance to be ranked first.
        share: `[bidders]` expected share of the prizes won.
    """

    revenue: float
    highest_bid: float
    fees: float
    prizes: float
    exploitability: Array
    payoff: Array
    winnings: Array
    paid: Array
    excess: Array
    entry: Array
    win: Array
    share: Array


@np.errstate(under="ignore")  # whatever the user has set: a probability of 1e-400 is 0
def expected_payoffs(game: Game, mass: Array, group: int = 0) -> Array:
    """Exact expected utility `[values, bids]` of every bid of the grid against rivals who bid with probabilities `mass`.

    Args:
        game: the game.
        mass: `[bids]` where every rival mixes alike; `[groups, bids]`, a row for each group, where bidders differ; or
            `[bidders−1, bids]`, a row per rival, those of a group beside each other; or `[bidders, bids]`, with a row, which
            is not looked at, for the first bidder of the group itself. Each row sums to 1.
        group: whose payoffs they are.

    Raises:
        AllpayError: if a mass is negative or not finite, a row does not sum to 1, the shape does not fit the game, or it has
            no such group.
    """
    check_game(game)
    group = whole("group", group)
    if not 0 <= group < len(game.groups):
        raise AllpayError(f"group must lie in 0 … {len(game.groups) - 1}, for so many the game has: got {group}")
    mass = _as_array("mass", mass)
    groups, levels = len(game.groups), game.bid_levels
    if mass.shape == (levels,) and groups == 1:
        mass = mass[None]
    elif mass.shape in ((game.bidders - 1, levels), (game.bidders, levels)) and groups != len(mass):
        _check_mixture("the probabilities of a rival's bids", mass)
        own = int(game.counts[:group].sum())
        if len(mass) < game.bidders:
            mass = np.insert(mass, own, mass.mean(axis=0), axis=0)  # what the bidder itself bids is not looked at
        parts = payoffs_of(game, each=True)
        return _worth(parts, averages_of(parts, mass))[own]
    elif mass.shape != (groups, levels):
        raise AllpayError(f"mass must have the shape (bids,) or (bidders − 1, bids): got {mass.shape}")
    _check_mixture("the probabilities of a rival's bids", mass)
    parts = payoffs_of(game)
    return _worth(parts, averages_of(parts, mass))[group]


@compiled
def _of_profiles(payoffs, levels, out):  # type: ignore[no-untyped-def]
    """Fill out `[bidders, values, levels^bidders]` with payoffs at profiles of bids, the last bidder's running fastest.

    One call of `averages_against` says what every own bid of every bidder is worth against a profile of the others. So only
    profiles whose sum is a multiple of the number of levels are looked at: each profile of the others is a part of one.
    """
    n, bids = len(out), payoffs.table.shape[2]
    averages, cdf = np.empty((n, len(payoffs.coefficients), bids)), np.empty(bids + 1)
    places = levels ** np.arange(n - 1, -1, -1)
    bid, mass = np.zeros(n, np.int64), np.zeros((n, bids))
    for code in range(levels ** (n - 1)):
        total, rest, place = 0, code, 0
        mass[:] = 0.0
        for i in range(n - 1):
            bid[i] = rest % levels
            rest //= levels
            total += bid[i]
        bid[n - 1] = -total % levels
        for i in range(n):
            mass[i, bid[i]] = 1.0
            place += bid[i] * places[i]
        averages_against(payoffs, mass, cdf, averages)
        for i in range(n):
            for b in range(levels):
                at = place + (b - bid[i]) * places[i]
                for v in range(out.shape[1]):
                    out[i, v, at] = worth_of(payoffs.table[i, :, b, v], averages[i, :, b], payoffs.attitudes[i])


def profile_payoffs(game: Game, levels: int) -> Array:
    """`[bidders, values, levels, …, levels]` the exact expected utility of each bidder at its values, for every profile of
    the first so many bids; of one who is there, where bidders may be absent.

    Its size is all that bounds it: it is for small games.
    """
    n = game.bidders
    out = np.empty((n, game.value_levels, levels**n))
    _of_profiles(payoffs_of(game, each=True), levels, out)
    return out.reshape(n, game.value_levels, *(levels,) * n)


def _worth(parts: Payoffs, averages: Array) -> Array:
    """`[groups, values, bids]` the payoff of every bid."""
    if not parts.attitudes.any():
        return np.einsum("igbv,igb->ivb", parts.table, averages)
    out = np.empty((len(averages), parts.table.shape[2], parts.table.shape[3]))
    _fill_worths(parts, averages, out)
    return np.ascontiguousarray(out.transpose(0, 2, 1))


@compiled
def _fill_worths(payoffs, averages, out):  # type: ignore[no-untyped-def]
    """Fill out `[groups, bids, values]` with the payoff of every bid."""
    for i in range(len(out)):
        for b in range(out.shape[1]):
            worths(averages[i], payoffs.table[i], payoffs.attitudes[i], b, out[i, b])


def marginal_worths(parts: Payoffs, averages: Array) -> Array:
    """`[groups, terms, bids, values]` how what a bid is worth moves with the averages of its terms: the table itself, where
    chances count as they are."""
    if not parts.attitudes.any():
        return parts.table
    out = np.empty(parts.table.shape)
    _fill_marginals(parts, averages, out)
    return out


@compiled
def _fill_marginals(payoffs, averages, out):  # type: ignore[no-untyped-def]
    slopes = np.empty(out.shape[1])
    for i in range(len(out)):
        for b in range(out.shape[2]):
            for v in range(out.shape[3]):
                slopes_of(payoffs.table[i, :, b, v], averages[i, :, b], payoffs.attitudes[i], slopes)
                out[i, :, b, v] = slopes


def averages_of(parts: Payoffs, mass: Array, coefficients: Array | None = None) -> Array:
    """`[groups, rows, bids]` expected coefficients, those of the payoff's terms or others, against masses `[groups, bids]`."""
    if coefficients is not None:
        parts = parts._replace(coefficients=np.ascontiguousarray(coefficients))
    out = np.empty((len(mass), len(parts.coefficients), mass.shape[1]))
    averages_against(parts, np.ascontiguousarray(mass), np.empty(mass.shape[1] + 1), out)
    return out


@np.errstate(under="ignore")  # whatever the user has set: a probability of 1e-400 is 0
def evaluate(game: Game, strategy: Array) -> Evaluation:
    """What a profile of strategies is worth.

    Args:
        game: the game.
        strategy: `[groups, values, bids]` where all bidders of a group play alike, or `[bidders, values, bids]`, those of a
            group beside each other; the probability of each bid given the value.

    Raises:
        AllpayError: if the shape does not fit, a row is not a probability vector, or a bid that is not allowed is played.
    """
    strategy = as_strategy(game, strategy)
    each = by_bidder(game, strategy)
    parts = payoffs_of(game, each)
    mass = strategy.mean(axis=1)
    averages = averages_of(parts, mass)
    found = [
        appraise(
            *(averages[i], parts.table[i], parts.winnings[i], parts.fractions, parts.bids, parts.allowed[i]),
            parts.attitudes[i],
            np.ascontiguousarray(strategy[i]),
        )
        for i in range(len(strategy))
    ]
    counts = parts.ranking.counts
    first = np.zeros(game.bidders)
    first[0] = 1.0
    rows = np.stack([np.asarray(game.mechanism.prizes), first])
    won, led = np.moveaxis(averages_of(parts, mass, seen(game, rows)), 1, 0)
    out = parts.ranking.out
    if out:
        won[:, 0] = led[:, 0] = 0.0
    turnout = game.turnout[parts.ranking.kinds]
    entry = turnout * (1.0 - mass[:, 0] if out else 1.0)
    share = turnout * np.einsum("ib,ib->i", mass, won)
    gain, worth, winnings, paid, excess = np.repeat(np.array(found).T, counts, axis=1)
    return Evaluation(
        revenue=float(np.sum(np.repeat(turnout, counts) * paid)),
        highest_bid=_highest_bid(game, parts, mass),
        fees=float(game.mechanism.fee * np.sum(counts * entry)),
        prizes=float(np.sum(counts * share)),
        exploitability=gain,
        payoff=worth,
        winnings=winnings,
        paid=paid,
        excess=excess,
        entry=np.repeat(entry, counts),
        win=np.repeat(turnout * np.einsum("ib,ib->i", mass, led), counts),
        share=np.repeat(share, counts),
    )


def _highest_bid(game: Game, parts: Payoffs, mass: Array) -> float:
    """The expected highest bid of those who turn up; nothing if nobody does.

    The chance that nobody bids above b is ∏ (1 − π + π·F(b)); with a random field, it is the chance that none of the j bidders
    above b is there, in expectation over j.
    """
    at_most = np.minimum(np.cumsum(mass, axis=1), 1.0)
    at_most[:, -1] = 1.0
    counts, presence = parts.ranking.counts, parts.ranking.presence[:, None]
    if game.field is None:
        at_most = 1.0 - presence * (1.0 - at_most) if np.any(presence < 1) else at_most
        below = np.prod(at_most ** counts[:, None], axis=0)
    else:
        absent = none_above(game.field.among(game.bidders))
        chances, scratch = np.empty(len(absent)), np.empty(len(absent))
        below = np.empty(at_most.shape[1])
        for b, q in enumerate(np.ascontiguousarray(at_most.T)):
            rank_chances(counts, parts.ranking.presence, -1, -1, q, len(absent), chances, scratch)
            below[b] = absent @ chances
    # what is left at the lowest bid is the chance that nobody turns up
    return float(game.bid_grid @ np.diff(below, prepend=0.0))


def by_bidder(game: Game, strategy: Array) -> bool:
    """Whether a profile has a strategy for each bidder, rather than one for each group."""
    return len(strategy) != len(game.groups)


def as_strategy(game: Game, strategy: ArrayLike) -> Array:
    """A strategy of a game, `[1 or bidders, values, bids]`, as an array of numbers.

    Raises:
        AllpayError: if it is no array of numbers, the shape does not fit, a row is not a probability vector, or a bid that is
            not allowed is played.
    """
    strategy = _as_array("a strategy", strategy)
    check_game(game)
    shape, groups = (game.value_levels, game.bid_levels), len(game.groups)
    if strategy.ndim != 3 or strategy.shape[1:] != shape or strategy.shape[0] not in (groups, game.bidders):
        raise AllpayError(
            f"a strategy must have the shape ({groups} or {game.bidders}, {shape[0]}, {shape[1]}): got {strategy.shape}"
        )
    _check_mixture("a strategy", strategy)
    limits = game.limits if len(strategy) == groups else np.repeat(game.limits, game.counts, axis=0)
    if np.any(strategy[np.arange(game.bid_levels) >= limits[..., None]] > 0):
        raise AllpayError("a strategy plays a bid above the bidder's value where overbidding is not allowed")
    return strategy


def exploitability(game: Game, strategy: Array) -> Array:
    """`[bidders]` what each bidder gains by a best response to the others' strategies, in utility; never negative.

    The mean of these is the exploitability of the profile, their sum its Nash convergence measure. Arguments and errors are
    those of `evaluate`.
    """
    strategy = as_strategy(game, strategy)
    parts = payoffs_of(game, by_bidder(game, strategy))
    return np.repeat(_gains(parts, averages_of(parts, strategy.mean(axis=1)), strategy), parts.ranking.counts)


def _gains(parts: Payoffs, averages: Array, strategy: Array) -> list[float]:
    """`[groups]` what a bidder of each gains by a best response."""
    return [
        regret(averages[i], parts.table[i], parts.allowed[i], parts.attitudes[i], np.ascontiguousarray(strategy[i]))
        for i in range(len(strategy))
    ]


def _as_array(what: str, given: ArrayLike) -> Array:
    """Numbers as an array of floats: what has an imaginary part, or is text or anything else, is refused."""
    try:
        array = np.asarray(given)
    except Exception:  # ragged, or somebody else's `__array__`
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf":
        raise AllpayError(f"{what} must be an array of numbers: got {_kind(given)}")
    with np.errstate(over="ignore"):  # a long number above 1e308 is refused as infinite
        return array.astype(float)


def _kind(given: object) -> str:
    """What is given instead of numbers, in words."""
    dtype = getattr(given, "dtype", None)
    return f"a {type(given).__name__}" if dtype is None else f"an array of {dtype}"


def _check_mixture(what: str, rows: Array) -> None:
    if not np.all(np.isfinite(rows)) or np.any(rows < 0):
        raise AllpayError(f"{what} must be finite and not negative: the least is {rows.min():g}")
    sums = np.minimum(rows, 2.0).sum(axis=-1)  # a number above 1 is wrong in any case, and must not overflow
    if np.any(np.abs(sums - 1.0) > 1e-9):
        raise AllpayError(f"{what} must sum to 1: got {sums.flat[np.argmax(np.abs(sums - 1.0))]:.10g}")
