"""Exact expected payoffs of every bid of the grid against mixed rivals, ties included; revenue and exploitability.

A rival bids less than b with probability L and at most b with probability H. A random tie-break averages the rank
probabilities over q in [L, H]: a polynomial of degree n−1, which Gauss–Legendre quadrature integrates exactly. No tensor
of size K^n, no sampling, and no difference of nearly equal numbers.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from allpay.compiled import compiled
from allpay.errors import AllpayError
from allpay.frozen import ByValue
from allpay.game import Array, Game, check_game

EXACT_BIDDERS = 16
"""Up to this many bidders ⌈n/2⌉ ≤ 8 nodes are exact. Above it 8 nodes a panel of width 2/n, over which the powers
q^{n−1} change by a factor of at most e², leave less than 1e-15."""


@dataclass(frozen=True, eq=False)
class Terms(ByValue):
    """A game's expected payoff as a sum of polynomials in q: payoff[b, v] = Σ_g table[g, b, v] · (Σ_k coefficients[g, k] P_k).

    Risk-neutral bidders need two terms, the expected share (coefficients a) at weight v, and the expected fraction paid
    (coefficients p) at weight −c(b). With CARA or another utility each distinct pair (a_k, p_k) is a term of its own.

    Attributes:
        coefficients: `[terms, bidders]` Bernstein coefficients by rank.
        table: `[terms, bids, values]` what each term is worth; values last, so that loops over them run on vector registers.
        winnings: `[terms, values]` what each term would be worth to a bidder who paid nothing.
        fractions: `[terms]` the fraction of its bid that a bidder pays under each term.
    """

    coefficients: Array
    table: Array
    winnings: Array
    fractions: Array


def terms(game: Game) -> Terms:
    """The terms of a game's expected payoff."""
    a, p = np.asarray(game.mechanism.prizes), np.asarray(game.mechanism.payments)
    v, c = game.value_grid[None, :], game.costs[:, None]
    if game.risk_aversion == 0 and not game.own_utility:
        free = np.stack([v[0], np.zeros(v.shape[1])])
        return Terms(np.stack([a, p]), np.stack(np.broadcast_arrays(v, -c)), free, np.array([0.0, 1.0]))
    pairs, index = np.unique(np.stack([a, p], axis=1), axis=0, return_inverse=True)
    coefficients = (np.arange(len(pairs))[:, None] == index.reshape(1, -1)).astype(float)
    table = np.stack([game.utility(v * a_k - p_k * c) for a_k, p_k in pairs])
    free = np.stack([game.utility(v[0] * a_k) for a_k, _ in pairs])
    return Terms(coefficients, table, free, np.ascontiguousarray(pairs[:, 1]))


@dataclass(frozen=True, eq=False)
class Quadrature(ByValue):
    """Gauss–Legendre nodes and weights on [0, 1], and ln C(n−1, k): what tie averages need to know of n."""

    nodes: Array
    weights: Array
    log_binomials: Array


@cache
def quadrature(bidders: int, exact: bool = False) -> Quadrature:
    """Nodes that integrate rank probabilities of n bidders over a tie; as many as exactness needs, or at most 8."""
    count = (bidders + 1) // 2
    x, w = np.polynomial.legendre.leggauss(count if exact else min(count, EXACT_BIDDERS // 2))
    return Quadrature((x + 1) / 2, w / 2, np.array([math.log(math.comb(bidders - 1, k)) for k in range(bidders)]))


@compiled
def tie_averages(coefficients, cdf, nodes, weights, log_binomials, out):  # type: ignore[no-untyped-def]
    """Fill out `[terms, K]` with Σ_k coefficients[g, k] P_k(q) averaged over q in [cdf[b], cdf[b+1]]; cdf is `[K+1]`."""
    n = coefficients.shape[1]
    bids = out.shape[1]
    out[:] = 0.0
    for g in range(coefficients.shape[0]):
        # A constant tail of coefficients, as where every rank pays, needs no polynomial: probabilities sum to 1.
        tail = coefficients[g, n - 1]
        used = n
        while used > 0 and coefficients[g, used - 1] == tail:
            used -= 1
        if used > 0 and n <= EXACT_BIDDERS:
            scaled = np.exp(log_binomials[:used]) * (coefficients[g, :used] - tail)
            for m in range(len(nodes)):
                for b in range(bids):  # innermost, so that it runs on vector registers
                    q = cdf[b] + nodes[m] * (cdf[b + 1] - cdf[b])
                    total = scaled[0]
                    power = 1.0
                    for k in range(1, used):
                        power *= 1.0 - q
                        total = total * q + scaled[k] * power
                    for _ in range(used, n):
                        total *= q
                    out[g, b] += weights[m] * total
        elif used > 0:
            for b in range(bids):
                gap = cdf[b + 1] - cdf[b]
                panels = math.ceil(gap * n / 2.0) if gap > 0 else 1
                total = 0.0
                for j in range(panels):
                    for m in range(len(nodes)):
                        q = cdf[b] + gap * (j + nodes[m]) / panels
                        total += weights[m] * _bernstein(coefficients[g], tail, used, log_binomials, q)
                out[g, b] = total / panels
        for b in range(bids):
            out[g, b] += tail


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
            panels = math.ceil(gap * n / 2.0) if gap > 0 and n > EXACT_BIDDERS else 1
            for j in range(panels):
                for m in range(len(nodes)):
                    u = (j + nodes[m]) / panels
                    slope = weights[m] / panels * _bernstein(falls[g], 0.0, used, log_binomials, cdf[b] + gap * u)
                    lower[g, b] += slope * (1.0 - u)
                    upper[g, b] += slope * u


@compiled
def tie_averages_against(coefficients, cdfs, nodes, weights, out):  # type: ignore[no-untyped-def]
    """The same against rivals who differ: cdfs is `[n−1, K+1]`, a row per rival; nodes exact for n.

    Given the bidder's place u in the tie-break, it beats each rival independently with probability L + u(H − L); how many
    it loses to is Poisson-binomial, counted rival by rival.
    """
    rivals = cdfs.shape[0]
    lost_to = np.empty(rivals + 1)
    out[:] = 0.0
    for b in range(out.shape[1]):
        for m in range(len(nodes)):
            lost_to[:] = 0.0
            lost_to[0] = 1.0
            for r in range(rivals):
                q = cdfs[r, b] + nodes[m] * (cdfs[r, b + 1] - cdfs[r, b])
                for k in range(r + 1, 0, -1):
                    lost_to[k] = lost_to[k] * q + lost_to[k - 1] * (1.0 - q)
                lost_to[0] *= q
            for g in range(coefficients.shape[0]):
                for k in range(rivals + 1):
                    out[g, b] += weights[m] * coefficients[g, k] * lost_to[k]


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


@compiled
def regret(averages, table, allowed, strategy):  # type: ignore[no-untyped-def]
    """Mean over values of best-response payoff minus the payoff of `strategy` `[V, K]` (rows of any positive sum)."""
    values = len(strategy)
    total = 0.0
    for v in range(values):
        best = -np.inf
        mean = 0.0
        weight = 0.0
        for b in range(allowed[v]):
            payoff = 0.0
            for g in range(averages.shape[0]):
                payoff += table[g, b, v] * averages[g, b]
            best = max(best, payoff)
            mean += strategy[v, b] * payoff
            weight += strategy[v, b]
        total += max(best - mean / weight, 0.0)
    return total / values


@compiled
def appraise(averages, table, winnings, fractions, bids, allowed, strategy):  # type: ignore[no-untyped-def]
    """What `strategy` `[V, K]` (rows of any positive sum) brings and leaves to gain: five means over values.

    The gain by a best response; the payoff; the utility of what is won, if it cost nothing; the money paid; and the excess:
    the part of that money whose bidders would rather keep it. Of a payment it is min(1, gain / cost), the part of the
    payment's cost in utility that its bidder would gain by a best response.
    """
    values = len(strategy)
    gain = worth = won = paid = excess = 0.0
    payoff, free = np.empty(table.shape[1]), np.empty(table.shape[1])
    for v in range(values):
        best = -np.inf
        for b in range(allowed[v]):
            payoff[b] = free[b] = 0.0
            for g in range(averages.shape[0]):
                payoff[b] += table[g, b, v] * averages[g, b]
                free[b] += winnings[g, v] * averages[g, b]
            best = max(best, payoff[b])
        weight = mean = mean_free = mean_paid = mean_excess = 0.0
        for b in range(allowed[v]):
            x = strategy[v, b]
            if x > 0.0:
                fraction = 0.0
                for g in range(averages.shape[0]):
                    fraction += fractions[g] * averages[g, b]
                cost = free[b] - payoff[b]
                weight += x
                mean += x * payoff[b]
                mean_free += x * free[b]
                mean_paid += x * fraction * bids[b]
                if cost > 0.0:
                    mean_excess += x * fraction * bids[b] * min(1.0, (best - payoff[b]) / cost)
        gain += max(best - mean / weight, 0.0)
        worth += mean / weight
        won += mean_free / weight
        paid += mean_paid / weight
        excess += mean_excess / weight
    return gain / values, worth / values, won / values, paid / values, excess / values


@compiled
def best_responses(averages, table, allowed, best, payoff, u):  # type: ignore[no-untyped-def]
    """Fill best `[values]` with the lowest of each value's best bids, payoff `[values]` with their worth; u is scratch."""
    best[:] = 0
    payoff[:] = -np.inf
    for b in range(table.shape[1]):
        u[:] = 0.0
        for g in range(table.shape[0]):
            row, average = table[g, b], averages[g, b]
            for v in range(len(u)):
                u[v] += row[v] * average
        for v in range(len(u)):
            if u[v] > payoff[v] and b < allowed[v]:
                payoff[v] = u[v]
                best[v] = b


@dataclass(frozen=True, eq=False)
class Evaluation(ByValue):
    """What a profile of strategies is worth, exactly, on the grid.

    Attributes:
        revenue: expected sum of what bidders pay (of bids, not costs).
        highest_bid: expected highest bid.
        exploitability: `[bidders]` expected best-response payoff minus payoff, in units of utility; one number each
            where strategies differ, the same number where all play one strategy.
        payoff: `[bidders]` expected utility.
        winnings: `[bidders]` expected utility of what is won, if it cost nothing; less the payoff, it is what is spent.
        paid: `[bidders]` expected money paid.
        excess: `[bidders]` the part of that money whose bidders would rather keep it, see `appraise`.
    """

    revenue: float
    highest_bid: float
    exploitability: Array
    payoff: Array
    winnings: Array
    paid: Array
    excess: Array


@np.errstate(under="ignore")  # whatever the user has set: a probability of 1e-400 is 0
def expected_payoffs(game: Game, mass: Array) -> Array:
    """Exact expected utility `[values, bids]` of every bid of the grid against rivals who bid with probabilities `mass`.

    Args:
        game: the game.
        mass: `[bids]` where every rival mixes alike, or `[bidders−1, bids]`, a row per rival; each row sums to 1.

    Raises:
        AllpayError: if a mass is negative or not finite, a row does not sum to 1, or the shape does not fit the game.
    """
    check_game(game)
    mass = _as_array("mass", mass)
    if mass.shape not in {(game.bid_levels,), (game.bidders - 1, game.bid_levels)}:
        raise AllpayError(f"mass must have the shape (bids,) or (bidders − 1, bids): got {mass.shape}")
    _check_mixture("the probabilities of a rival's bids", mass)
    parts = terms(game)
    return np.einsum("gbv,gb->vb", parts.table, _averages(game, parts, mass))


def _averages(game: Game, parts: Terms, mass: Array) -> Array:
    """`[terms, bids]` tie averages against one mass `[bids]` of every rival, or against rivals `[bidders−1, bids]`."""
    out = np.empty((len(parts.coefficients), game.bid_levels))
    if mass.ndim == 1:
        cdf = np.empty(game.bid_levels + 1)
        fill_cdf(mass, cdf)
        rule = quadrature(game.bidders)
        tie_averages(parts.coefficients, cdf, rule.nodes, rule.weights, rule.log_binomials, out)
        return out
    cdfs = np.empty((len(mass), game.bid_levels + 1))
    for rival, row in zip(cdfs, mass, strict=True):
        fill_cdf(row, rival)
    rule = quadrature(game.bidders, exact=True)
    tie_averages_against(parts.coefficients, cdfs, rule.nodes, rule.weights, out)
    return out


@np.errstate(under="ignore")  # whatever the user has set: a probability of 1e-400 is 0
def evaluate(game: Game, strategy: Array) -> Evaluation:
    """Exact revenue, highest bid, exploitability and payoff of a profile of strategies.

    Args:
        game: the game.
        strategy: `[1, values, bids]` where all bidders play alike, or `[bidders, values, bids]`; the probability of each
            bid given the value.

    Raises:
        AllpayError: if the shape does not fit, a row is not a probability vector, or a bid that is not allowed is played.
    """
    strategy = as_strategy(game, strategy)
    parts = terms(game)
    mass = strategy.mean(axis=1)
    copies = game.bidders if len(strategy) == 1 else 1
    found = []
    for i in range(len(strategy)):
        averages = _averages(game, parts, _rivals(mass, i))
        args = (parts.table, parts.winnings, parts.fractions, game.bid_grid, game.allowed, strategy[i])
        found.append(appraise(averages, *args))
    gain, worth, won, paid, excess = np.repeat(np.array(found).T, copies, axis=1)
    at_most = np.minimum(np.cumsum(mass, axis=1), 1.0)
    at_most[:, -1] = 1.0
    highest_at_most = np.prod(at_most, axis=0) ** copies
    return Evaluation(
        revenue=float(paid.sum()),
        highest_bid=float(game.bid_grid @ np.diff(highest_at_most, prepend=0.0)),
        exploitability=gain,
        payoff=worth,
        winnings=won,
        paid=paid,
        excess=excess,
    )


def as_strategy(game: Game, strategy: ArrayLike) -> Array:
    """A strategy of a game, `[1 or bidders, values, bids]`, as an array of numbers.

    Raises:
        AllpayError: if it is no array of numbers, the shape does not fit, a row is not a probability vector, or a bid that is
            not allowed is played.
    """
    strategy = _as_array("a strategy", strategy)
    check_game(game)
    shape = (len(game.value_grid), game.bid_levels)
    if strategy.ndim != 3 or strategy.shape[1:] != shape or strategy.shape[0] not in (1, game.bidders):
        raise AllpayError(
            f"a strategy must have the shape (1 or {game.bidders}, {shape[0]}, {shape[1]}): got {strategy.shape}"
        )
    _check_mixture("a strategy", strategy)
    forbidden = np.arange(game.bid_levels) >= game.allowed[:, None]
    if np.any(strategy[:, forbidden] > 0):
        raise AllpayError("a strategy plays a bid above the bidder's value where overbidding is not allowed")
    return strategy


def exploitability(game: Game, strategy: Array) -> Array:
    """`[bidders]` what each bidder gains by a best response to the others' strategies, in utility; never negative.

    The mean of these is the exploitability of the profile, their sum its Nash convergence measure. Arguments and errors are
    those of `evaluate`.
    """
    strategy = as_strategy(game, strategy)
    parts = terms(game)
    mass = strategy.mean(axis=1)
    gains = [
        regret(_averages(game, parts, _rivals(mass, i)), parts.table, game.allowed, strategy[i])
        for i in range(len(strategy))
    ]
    return np.repeat(gains, game.bidders // len(strategy))


def _rivals(mass: Array, i: int) -> Array:
    """What the rivals of bidder i bid: the one mass that all play, or a row for each of the others."""
    return mass[0] if len(mass) == 1 else np.delete(mass, i, axis=0)


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
