"""Symmetric equilibria of a game on continuous bids: bids, revenue, highest bid, and their gradients in a design's weights.

By formula and quadrature, in NumPy. No bid grid, no learning, no sampling: the exact payoffs of a game on its grid are in
`payoffs`.

Notation: q is the quantile of a bidder's value (of its mixture, where values are common), c(q) the cost of its bid,
Π(q) and S(q) the share it expects to win and the fraction of its bid it expects to pay.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from allpay.errors import AllpayError, one_of
from allpay.game import Array, Common, Discrete, Distribution, Game
from allpay.mechanism import RULES

OBJECTIVES = ("revenue", "highest-bid")
"""What a designer can want most of: the sum of payments, or the expected highest bid."""

QUANTILES = 201
"""Points of the bid curve that an `Equilibrium` carries, equally spaced quantiles from 0 to 1."""

_TINY = 1e-300  # stands for a probability of 0 where its logarithm is taken, which yields the limits at q = 0 and 1
_NODES = 16  # Gauss–Legendre nodes in each panel
_STEP = 5.0  # most that ln Π or ln S may change within a panel: 16 nodes then integrate to about 1e-10
_END = 1e-6  # length of the first and the last panel

_ATOMS = (
    "values that occur with positive probability have no equilibrium in increasing bids: "
    "use a continuous distribution, or a common value"
)


# Public ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """The symmetric equilibrium in nondecreasing bids.

    Attributes:
        revenue: expected sum of what all bidders pay, n·∫ S(q) b(q) dq; in units of bids.
        highest_bid: its expectation, n·∫ b(q) q^{n−1} dq.
        payoff: expected utility of one bidder before it knows its value.
        quantile: `[201]` quantiles of a bidder's value, equally spaced from 0 to 1; of its mixture for common values.
        bid: `[201]` the bid at each.
    """

    revenue: float
    highest_bid: float
    payoff: float
    quantile: Array = field(repr=False)
    bid: Array = field(repr=False)
    _curve: "_Curve" = field(repr=False)

    def bid_at(self, q: ArrayLike) -> Array:
        """The bid at quantiles `q` in [0, 1], same shape; with private values, a bidder of value v bids `bid_at(F(v))`.

        Raises:
            AllpayError: if a quantile lies outside [0, 1].
        """
        q = np.asarray(q, float)
        if not np.all((q >= 0) & (q <= 1)):
            raise AllpayError(f"quantiles must lie in [0, 1]: got {q[~((q >= 0) & (q <= 1))].flat[0]:g}")
        return self._curve.bid(q)


def equilibrium(game: Game) -> Equilibrium | None:
    """The symmetric equilibrium of a game when every bid from 0 to its cap is allowed; None where there is none.

    `why_no_equilibrium` says why. The bid grid of the game plays no part. The settings:

    - private values, risk-neutral: c(q) S(q) = ∫₀^q v(t) dΠ(t) (Moldovanu & Sela 2001 for prizes);
    - a common value, risk-neutral or CARA: Σ_k P_k(q) u(v·a_k − p_k·c(q)) = u(v·a_n), since every bid of the mixture
      earns what the lowest bid does (Barut & Kovenock 1998 for prizes); in closed form if all ranks pay alike;
    - private values, CARA: the first-order condition Σ_k P_k′ u_k = c′ Σ_k P_k p_k u_k′, an integral if all ranks pay
      alike, else a differential equation whose solution is then checked for profitable deviations.

    Values must have a continuous distribution (or be all the same). Where the quantile function is smooth inside
    (0, 1), the relative error of revenue and highest bid is below 1e-9; a kink in it costs some of these digits.

    Raises:
        AllpayError: if the quantile function of the values is not finite, ≥ 0 and nondecreasing.

    >>> from allpay.game import game
    >>> round(equilibrium(game("prizes", 0.8, 3, values="common")).highest_bid, 6)
    0.54
    """
    found = _solve(game)
    return None if isinstance(found, str) else found


def why_no_equilibrium(game: Game) -> str | None:
    """One sentence that says why `equilibrium` returns None; None where it returns an equilibrium.

    Raises:
        AllpayError: as `equilibrium`.
    """
    found = _solve(game)
    return found if isinstance(found, str) else None


def design_objective(game: Game, rule: str, objective: str = "revenue") -> Callable[[ArrayLike], tuple[Array, Array]]:
    """Revenue or highest bid at equilibrium, with its gradient, as a function of a design's weights.

    What does not depend on the weights is computed here, once. The function returned takes weights `[..., n]` and gives
    values `[...]` and gradients `[..., n]`, both NaN where `equilibrium` finds none. The weights are taken as n free
    numbers: they need not sum to 1, and the gradient is that of n separate changes. On the boundary of the designs it
    can be very large: with convex costs the first bit of a low prize moves the lowest bids without bound.

    Args:
        game: who bids; of its mechanism only the number of bidders counts.
        rule: `prizes` or `payments`, what the weights set; as in `mechanism`.
        objective: `revenue` or `highest-bid`.

    Raises:
        AllpayError: if rule or objective are unknown, if no design has an equilibrium since values have atoms, or for
            `payments` with private values and risk aversion, where the equilibrium is known only through a differential
            equation. The function returned raises it unless it is given n finite numbers ≥ 0.

    >>> from allpay.game import game
    >>> value, gradient = design_objective(game("prizes", 1.0, 3), "prizes")([0.8, 0.2, 0])
    >>> round(float(value), 9), gradient.round(9)
    (0.4, array([ 0.5,  0. , -0.5]))
    """
    one_of("rule", rule, RULES)
    one_of("objective", objective, OBJECTIVES)
    n, free_prizes = game.bidders, rule == "prizes"
    value = _common_value(game)
    if value is None and _has_atoms(_distribution(game)):
        raise AllpayError(_ATOMS)
    if value is None and game.risk_aversion > 0 and not free_prizes:
        raise AllpayError(
            "no exact gradient for payments with private values and risk aversion: take differences of `equilibrium`"
        )
    alone = np.eye(n)[0]
    # a root of c, or a ratio of two integrals as small as q^{n−1}, needs them resolved at their own scale, not that of 1
    if game.cost_power <= 1 and (free_prizes or value is not None):
        edges = _base_edges(n)
    else:
        ranks = _Ranks.from_arrays(alone, np.ones(n) if free_prizes else alone)
        edges = _panels(ranks, _distribution(game) if value is None else None).edges
    q, weight = _in_panels(edges)
    chance = rank_probabilities(n, q.ravel())
    respond = _responses(game, value, edges, q, chance)
    weight = n * weight.ravel()
    values = _values(_distribution(game), q.ravel()) if value is None else value

    def one(w: Array) -> tuple[float, Array]:
        prizes, payments = (w, np.ones(n)) if free_prizes else (alone, w)
        paid = chance @ payments
        cost, pull_back = respond(prizes, payments, paid)
        bid = np.maximum(cost, 0.0) ** (1.0 / game.cost_power)
        if (
            np.min(np.diff(cost, prepend=0.0)) < -1e-9 * np.max(cost)
            or (game.max_bid is not None and bid[-1] > game.max_bid * (1 + 1e-6))
            or (not game.overbidding and np.any(bid > values * (1 + 1e-9)))
        ):
            return np.nan, np.full(n, np.nan)
        # db/dc = b/(power·c), also at the nodes where c is 0
        at_zero = 1.0 if game.cost_power == 1 else 0.0
        slope = np.where(cost > 0, bid / (game.cost_power * np.where(cost > 0, cost, 1.0)), at_zero)
        counted = weight * (paid if objective == "revenue" else q.ravel() ** (n - 1))
        by_prizes, by_payments = pull_back(counted * slope)
        if free_prizes:
            return float(counted @ bid), by_prizes
        return float(counted @ bid), by_payments + ((weight * bid) @ chance if objective == "revenue" else 0.0)

    def value_and_gradient(weights: ArrayLike) -> tuple[Array, Array]:
        w = np.asarray(weights, float)
        if w.ndim == 0 or w.shape[-1] != n or not (np.all(np.isfinite(w)) and np.all(w >= 0)):
            raise AllpayError(f"weights must be {n} finite numbers ≥ 0, one per rank: got {w.tolist()}")
        results = [one(row) for row in w.reshape(-1, n)]
        values = np.array([r[0] for r in results]).reshape(w.shape[:-1])
        return values, np.array([r[1] for r in results]).reshape(w.shape)

    return value_and_gradient


def value_and_gradient(game: Game, rule: str, weights: ArrayLike, objective: str = "revenue") -> tuple[Array, Array]:
    """`design_objective(game, rule, objective)(weights)`: to evaluate many designs, call that once instead."""
    return design_objective(game, rule, objective)(weights)


def rank_probabilities(n: int, q: Any, xp: Any = np) -> Any:
    """P_k(q) = C(n−1, k−1) q^{n−k} (1−q)^{k−1}: how likely rank k is when each rival is beaten with probability q.

    Args:
        n: number of bidders.
        q: `[...]` probabilities in [0, 1].
        xp: the array namespace, `numpy` or `jax.numpy`; under JAX it can be differentiated in q inside (0, 1).

    Returns:
        `[..., n]`, summing to 1; in float64 each is right to 1e-12, also for a thousand bidders.

    >>> rank_probabilities(3, 0.5)
    array([0.25, 0.5 , 0.25])
    """
    q = xp.asarray(q)[..., None]
    inside = (q > 0) & (q < 1)
    safe = xp.where(inside, q, 0.5)  # keeps logarithms, and their derivatives, finite at the ends
    k = np.arange(1, n + 1)
    log = _log_binomials(n) + (n - k) * xp.log(safe) + (k - 1) * xp.log1p(-safe)
    return xp.where(inside, xp.exp(log), xp.where(q > 0, k == 1, k == n))


def two_bidder_all_pay(v1: float, v2: float) -> tuple[float, float, float]:
    """Revenue and both payoffs of the all-pay auction between two bidders who know each other's values v1 and v2.

    The stronger bids uniformly on [0, min]; the weaker bids 0 with probability 1 − min/max, else uniformly on the same
    interval. Revenue is min/2 + min²/(2 max) (Baye, Kovenock & de Vries 1996).

    Returns:
        revenue, payoff of bidder 1, payoff of bidder 2.

    Raises:
        AllpayError: if a value is not a finite number above 0.

    >>> two_bidder_all_pay(2, 1)
    (0.75, 1.0, 0.0)
    """
    for v in (v1, v2):
        if not (math.isfinite(v) and v > 0):
            raise AllpayError(f"values must be above 0: got {v:g}")
    low, high = min(v1, v2), max(v1, v2)
    return low / 2 + low**2 / (2 * high), float(v1 - low), float(v2 - low)


# The equilibrium ------------------------------------------------------------------------------------------------------


def _solve(game: Game) -> "Equilibrium | str":
    """The equilibrium, or the sentence that says why there is none."""
    ranks = _Ranks.of(game)
    if ranks.gains[0] == 0:
        return _nobody_bids(game)
    fault = _unpaid(ranks)
    if fault:
        return fault
    value = _common_value(game)
    if value is None and _has_atoms(_distribution(game)):
        return _ATOMS
    panels = _panels(ranks, _distribution(game) if value is None else None)
    found = _private_cost(game, ranks, panels) if value is None else _common_cost(value, game, ranks, panels)
    if isinstance(found, str):
        return found
    cost, first, last = found
    curve = _Curve(panels.edges, cost, first, last, game.cost_power)
    values = _values(_distribution(game), panels.q) if value is None else np.full_like(panels.q, value)
    return _fault(game, curve, values, panels) or _outcome(game, ranks, panels, curve, values)


def _outcome(game: Game, ranks: "_Ranks", panels: "_Panels", curve: "_Curve", values: Array) -> Equilibrium:
    n, q = ranks.n, panels.q
    bid = curve.cost ** (1.0 / game.cost_power)
    chance = np.exp(panels.odds.log_scale)[..., None] * panels.odds.relative[..., : ranks.top]
    paid = ranks.paid[-1] + chance @ (ranks.paid[:-1] - ranks.paid[-1])
    value = _common_value(game)
    if value is None:
        utility = game.utility(values[..., None] * ranks.prizes - curve.cost[..., None] * ranks.paid)
        last = utility[..., -1]
        payoff = float(np.sum(panels.weight * (last + np.sum(chance * (utility[..., :-1] - last[..., None]), -1))))
    else:
        payoff = float(game.utility(value * ranks.prizes[-1]))  # every bid earns what 0 does
    grid = np.linspace(0.0, 1.0, QUANTILES)
    return Equilibrium(
        revenue=n * float(np.sum(panels.weight * paid * bid)),
        highest_bid=n * float(np.sum(panels.weight * q ** (n - 1) * bid)),
        payoff=payoff,
        quantile=grid,
        bid=curve.bid(grid),
        _curve=curve,
    )


def _nobody_bids(game: Game) -> Equilibrium:
    """Where no rank is worth more than another: everyone bids 0."""
    grid = np.linspace(0.0, 1.0, QUANTILES)
    edges = np.array([0.0, 0.5, 1.0])
    curve = _Curve(edges, np.zeros((2, _NODES)), 0.0, 0.0, game.cost_power)
    value, share = _common_value(game), sum(game.mechanism.prizes) / game.bidders
    if value is None:
        q, weight = _in_panels(_base_edges(game.bidders))
        payoff = float(np.sum(weight * game.utility(_values(_distribution(game), q) * share)))
    else:
        payoff = float(game.utility(value * share))
    return Equilibrium(0.0, 0.0, payoff, grid, curve.bid(grid), curve)


def _unpaid(ranks: "_Ranks") -> str | None:
    """What is wrong if bids would have no bound, because the best or the lowest rank that wins anything pays nothing."""
    if ranks.paid[0] == 0:
        return "the highest bidder pays nothing, so bids have no bound: let rank 1 pay"
    if ranks.paid[-1] == 0 and ranks.paid[-2] == 0:
        return (
            f"rank {ranks.top} wins more than the last and pays nothing, so bids of the lowest values have no bound: "
            f"let rank {ranks.top} pay"
        )
    return None


def _fault(game: Game, curve: "_Curve", values: Array, panels: "_Panels") -> str | None:
    """Why this bid curve is no equilibrium of the game, if it is none."""
    cost = np.concatenate([[curve.first], curve.cost.ravel(), [curve.last]])
    q = np.concatenate([[0.0], panels.q.ravel(), [1.0]])
    if not np.all(np.isfinite(cost)):
        return "no finite bids solve the equilibrium condition"
    drop = np.diff(cost)
    if np.min(drop) < -1e-9 * np.max(cost):
        where = q[int(np.argmin(drop))]
        return (
            f"the bids that solve the equilibrium condition fall near quantile {where:.3g}, "
            "so no equilibrium in nondecreasing bids exists"
        )
    top = curve.last ** (1.0 / game.cost_power)
    if game.max_bid is not None and top > game.max_bid * (1 + 1e-9):
        return f"the equilibrium bids rise to {top:.6g}, above the cap of {game.max_bid:g}"
    excess = curve.cost ** (1.0 / game.cost_power) - values
    if not game.overbidding and np.max(excess) > 1e-9 * np.max(values):
        where = panels.q.flat[int(np.argmax(excess))]
        return (
            f"the equilibrium bids exceed the bidder's value (at quantile {where:.3g}), which the game does not allow"
        )
    return None


# Values ---------------------------------------------------------------------------------------------------------------


def _distribution(game: Game) -> Distribution:
    assert not isinstance(game.values, Common)
    return game.values.distribution


def _common_value(game: Game) -> float | None:
    """The value that all bidders share, if they do."""
    if isinstance(game.values, Common):
        return game.values.value
    given = game.values.distribution
    if isinstance(given, Discrete):
        return given.points[0] if given.points[0] == given.points[-1] else None
    return None


def _has_atoms(given: Distribution) -> bool:
    """Whether the quantile function is flat somewhere; the ends are left out, where rounding may make it so."""
    return bool(np.any(np.diff(given.quantile(np.linspace(0.01, 0.99, 393))) == 0))


def _values(given: Distribution, q: Array) -> Array:
    values = np.asarray(given.quantile(q), float)
    if not (np.all(np.isfinite(values)) and np.all(values >= 0) and np.all(np.diff(values.ravel()) >= 0)):
        raise AllpayError(f"the quantile function of {given} must be finite, ≥ 0 and nondecreasing")
    return values


# Costs of bids: [panels, nodes], and at quantiles 0 and 1 -------------------------------------------------------------

_Cost = tuple[Array, float, float]


def _common_cost(value: float, game: Game, ranks: "_Ranks", panels: "_Panels") -> _Cost:
    cost = value * np.exp(panels.odds.log_gain - panels.odds.log_paid)
    if game.risk_aversion > 0:
        chance = panels.odds.relative / panels.odds.relative.sum(-1, keepdims=True)
        cost = _indifferent(chance, value * ranks.gains, ranks.paid, game.risk_aversion, cost)
    first = 0.0 if ranks.paid[-1] > 0 else value * ranks.gains[-2] / ranks.paid[-2]
    return cost, float(first), float(value * ranks.gains[0] / ranks.paid[0])


def _indifferent(chance: Array, gains: Array, paid: Array, rho: float, start: Array) -> Array:
    """The cost c at which Σ_k P_k e^{−ρ(g_k − p_k c)} = 1: the lottery over ranks is worth as much as bidding 0.

    `start` is the risk-neutral cost, which is never lower (Jensen); the logarithm of the sum is convex in c, so that
    Newton's steps fall from there to the root without passing it. With equal payments the first step is exact.

    Args:
        chance: `[..., ranks]`, P_k, summing to 1 except for ranks of gain and payment 0.
    """
    cost = start
    for _ in range(100):
        power = rho * (paid * cost[..., None] - gains)
        peak = np.maximum(power.max(-1), 0.0)
        tilted = chance * np.exp(power - peak[..., None])
        total = np.maximum(tilted.sum(-1), _TINY)
        # the logarithm of the sum, to all digits also where the sum is near 1
        excess = np.maximum(np.sum(chance * np.expm1(np.minimum(power, 300.0)), -1), _TINY - 1)
        log = np.where(peak < 300.0, np.log1p(excess), peak + np.log(total))
        step = log / np.maximum(rho * (tilted @ paid) / total, _TINY)
        before, cost = cost, np.clip(cost - step, 0.0, start)
        if np.all(np.abs(cost - before) <= 1e-9 * cost):  # the next step would be its square
            break
    return cost


def _private_cost(game: Game, ranks: "_Ranks", panels: "_Panels") -> "_Cost | str":
    given = _distribution(game)
    values = _values(given, panels.q)
    lowest = float(np.asarray(given.quantile(0.0)))
    first = 0.0 if ranks.paid[-1] > 0 else lowest * float(ranks.gains[-2] / ranks.paid[-2])
    if game.risk_aversion == 0:
        return _risk_neutral_cost(given, values, lowest, first, ranks, panels)
    if np.all(ranks.paid == ranks.paid[0]):
        found: _Cost | str = _averse_all_pay_cost(values, game.risk_aversion, ranks, panels)
    else:
        found = _averse_cost(values, first, game, ranks, panels)
    if not isinstance(found, str) and game.risk_aversion * found[2] * float(np.max(ranks.paid)) > 600:
        return "the utility of what is at stake overflows: give less risk aversion, or values in a larger unit"
    return found


def _risk_neutral_cost(
    given: Distribution, values: Array, lowest: float, first: float, ranks: "_Ranks", panels: "_Panels"
) -> _Cost:
    """c S = ∫₀^q v dΠ = v̄(q)·(Π(q) − a_n), with v̄ the mean of the values below q, weighted by dΠ.

    v̄ lies between the lowest value and v(q), so that it can be found to many digits also where Π and S underflow.
    """
    odds, q, edges, log_edge, rule = panels.odds, panels.q, panels.edges, panels.log_gain_at_edges, _rule()
    # Π′/(Π − a_n)
    rate = (odds.relative[..., : ranks.top] @ ranks.falls) / (q * np.exp(odds.log_gain - odds.log_scale))
    grown = np.exp(odds.log_gain - log_edge[1:, None])  # Π − a_n, relative to the panel's right edge
    half = np.diff(edges)[:, None] / 2
    partial = half * ((values * rate * grown) @ rule.integrate.T)
    whole = half[:, 0] * ((values * rate * grown) @ rule.weights)
    # in the first panel Π − a_n is a power of q
    average = _mean_under_power(given, np.append(q[0], edges[1]), ranks.n - 1 - int(np.max(np.nonzero(ranks.gains)[0])))
    mean = np.empty_like(edges)
    mean[:2] = lowest, average[-1]
    for i in range(1, len(whole)):
        mean[i + 1] = mean[i] * math.exp(log_edge[i] - log_edge[i + 1]) + whole[i]
    below = np.empty_like(q)  # v̄
    below[0] = average[:-1]
    below[1:] = mean[1:-1, None] * np.exp(log_edge[1:-1, None] - odds.log_gain[1:]) + partial[1:] / grown[1:]
    below = np.clip(below, lowest, values)
    return below * np.exp(odds.log_gain - odds.log_paid), first, float(mean[-1] * ranks.gains[0] / ranks.paid[0])


def _mean_under_power(given: Distribution, q: Array, power: int) -> Array:
    """The mean value below quantiles `q` weighted by d(q^power): ∫₀^∞ v(q·e^{−t/power}) e^{−t} dt by Gauss–Laguerre.

    It converges fast for quantile functions that start as any power of q.
    """
    t, weights = np.polynomial.laguerre.laggauss(_NODES)
    return np.asarray(given.quantile(q[:, None] * np.exp(-t / power)), float) @ weights


def _averse_all_pay_cost(values: Array, rho: float, ranks: "_Ranks", panels: "_Panels") -> _Cost:
    """All ranks pay the fraction p: ρ p c′ = −∂ ln M(q, v)/∂q at v = v(q), with M(q, v) = Σ_k P_k(q) e^{−ρ v a_k}.

    Nothing is left to check: a higher value gains more from a higher rank (the ranks that a bidder expects, tilted by
    e^{−ρ v a_k}, rise with q in the likelihood-ratio order), so that the first-order condition suffices.
    """
    relative, top = panels.odds.relative, ranks.top
    loss = np.exp(-rho * values[..., None] * ranks.gains)
    drop = -loss[..., 1:] * np.expm1(-rho * values[..., None] * (ranks.gains[:-1] - ranks.gains[1:]))
    places = ranks.n - np.arange(1, top + 1)
    slope = np.sum(relative[..., :top] * places * drop, -1) / (panels.q * np.sum(relative * loss, -1))
    cost, last = _cumulative(panels.edges, slope / (rho * ranks.paid[0]))
    return np.maximum(cost, 0.0), 0.0, last


def _averse_cost(values: Array, first: float, game: Game, ranks: "_Ranks", panels: "_Panels") -> "_Cost | str":
    """Σ_k P_k′(q) u_k = c′ Σ_k P_k p_k u_k′, by collocation at the nodes of one panel after the other.

    Collocation at Gauss nodes is implicit and never evaluates q = 0, where the equation is singular if the last rank
    does not pay.
    """
    rule, rho, paid, top = _rule(), game.risk_aversion, ranks.paid, ranks.top
    places = ranks.n - np.arange(1, top + 1)
    cost, left = np.empty_like(panels.q), first
    for i, half in enumerate(np.diff(panels.edges) / 2):
        relative, worth = panels.odds.relative[i], values[i][:, None] * ranks.gains
        rise = relative[:, :top] * places / panels.q[i][:, None]

        def slope(
            c: Array, relative: Array = relative, worth: Array = worth, rise: Array = rise
        ) -> tuple[Array, Array]:
            money = worth - c[:, None] * paid
            marginal = np.exp(-rho * money)
            utility, pays = -np.expm1(-rho * money) / rho, marginal * paid
            above = np.sum(rise * (utility[:, :-1] - utility[:, 1:]), -1)
            above_slope = np.sum(rise * (pays[:, 1:] - pays[:, :-1]), -1)
            below = np.sum(relative * pays, -1)
            below_slope = rho * np.sum(relative * pays * paid, -1)
            return above / below, (above_slope - above / below * below_slope) / below

        c = np.full(_NODES, left)
        for _ in range(50):
            with np.errstate(all="ignore"):  # a step too far is seen below
                f, df = slope(c)
                jacobian = np.eye(_NODES) - half * rule.integrate * df
                if not (np.all(np.isfinite(f)) and np.all(np.isfinite(jacobian))):
                    return "the equilibrium condition has no solution in finite bids"
                step = np.linalg.solve(jacobian, c - left - half * rule.integrate @ f)
            c = c - step
            if np.max(np.abs(step)) <= 1e-9 * np.max(np.abs(c)) + _TINY:  # the next step would be its square
                break
        else:
            return "the equilibrium condition could not be solved for these values and this risk aversion"
        cost[i] = c
        left = float(left + half * rule.weights @ slope(c)[0])
    cost = np.maximum(cost, 0.0)
    if _gain_of_deviating(game, ranks, panels, values, cost) > 1e-7 * float(np.max(values)):
        return (
            "the bids that solve the first-order condition are no best responses, so no increasing equilibrium exists"
        )
    return cost, first, left


def _gain_of_deviating(game: Game, ranks: "_Ranks", panels: "_Panels", values: Array, cost: Array) -> float:
    """The most that a risk-averse bidder of any value gains by bidding as another value does, in certain money."""
    some = np.unique(np.linspace(0, panels.q.size - 1, 120).astype(int))
    v, c = values.ravel()[some], cost.ravel()[some]
    chance = (np.exp(panels.odds.log_scale)[..., None] * panels.odds.relative).reshape(-1, ranks.top + 1)[some]
    chance[:, -1] = 1 - chance[:, :-1].sum(-1)
    certain = np.empty((len(some), len(some)))  # [values, bids]
    for i, value in enumerate(v):
        money = value * ranks.prizes - c[:, None] * ranks.paid
        certain[i] = -np.log(np.sum(chance * np.exp(-game.risk_aversion * money), -1)) / game.risk_aversion
    return float(np.max(certain - np.diag(certain)[:, None]))


# Costs of bids as a function of the design, with derivatives ------------------------------------------------------------

_PullBack = Callable[[Array], tuple[Array, Array]]
"""From dJ/dc at the nodes `[nodes]` to dJ/da and dJ/dp, each `[n]`, for a number J that depends on all the costs."""

_Respond = Callable[[Array, Array, Array], tuple[Array, _PullBack]]
"""From prizes `[n]`, payments `[n]` and S at the nodes to the costs of the bids there, and their derivative."""


def _responses(game: Game, value: float | None, edges: Array, q: Array, chance: Array) -> _Respond:
    rho = game.risk_aversion
    if value is not None:
        return _common_response(value, rho, chance)
    given = _distribution(game)
    values = _values(given, q)
    if rho > 0:
        return _averse_response(values.ravel(), rho, edges, q.ravel(), chance)
    return _private_response(given, values, edges, q, chance)


def _common_response(value: float, rho: float, chance: Array) -> _Respond:
    """By the implicit function theorem, with P_k tilted by e^{−ρ(v(a_k − a_n) − p_k c)} if bidders are risk-averse."""

    def respond(prizes: Array, payments: Array, paid: Array) -> tuple[Array, _PullBack]:
        gains = value * (prizes - prizes[-1])
        cost = _ratio(chance @ gains, paid)
        tilted = chance
        if rho > 0:
            cost = _indifferent(chance, gains, payments, rho, cost)
            tilted = chance * np.exp(np.minimum(rho * (cost[:, None] * payments - gains), 700.0))

        def pull_back(by_cost: Array) -> tuple[Array, Array]:
            push = _ratio(by_cost, tilted @ payments)
            by_prizes = value * (push @ tilted)
            by_prizes[-1] = -by_prizes[:-1].sum()
            return by_prizes, -(push * cost) @ tilted

        return cost, pull_back

    return respond


def _private_response(given: Distribution, values: Array, edges: Array, q: Array, chance: Array) -> _Respond:
    """c S = Σ_k (a_k − a_{k+1}) L_k with L_k(q) = ∫₀^q v(t) (n−k) P_k(t)/t dt: linear in the prizes."""
    n = chance.shape[1]
    places = n - np.arange(1, n)
    density = (values / q)[..., None] * places * chance[:, :-1].reshape(*q.shape, n - 1)
    parts = np.stack([_cumulative(edges, density[..., k])[0] for k in range(n - 1)], -1)  # [panels, nodes, n − 1]
    means = np.stack([_mean_under_power(given, q[0], m) for m in places], -1)
    parts[0] = means * np.cumsum(chance[:_NODES, :-1], -1)  # ∫₀^q (n−k) P_k(t)/t dt = Σ_{j≤k} P_j(q)
    parts = np.maximum(parts, 0.0).reshape(-1, n - 1)

    def respond(prizes: Array, payments: Array, paid: Array) -> tuple[Array, _PullBack]:
        cost = _ratio(parts @ (prizes[:-1] - prizes[1:]), paid)

        def pull_back(by_cost: Array) -> tuple[Array, Array]:
            push = _ratio(by_cost, paid)
            by_falls = push @ parts
            return np.append(by_falls, 0.0) - np.append(0.0, by_falls), -(push * cost) @ chance

        return cost, pull_back

    return respond


def _averse_response(values: Array, rho: float, edges: Array, q: Array, chance: Array) -> _Respond:
    """Every bidder pays its bid: c = ∫₀^q f with f = Σ_k (n−k) P_k (x_{k+1} − x_k) / (ρ t M), x_k = e^{−ρ v a_k}."""
    n = chance.shape[1]
    rises = chance * (n - np.arange(1, n + 1))  # (n−k) P_k
    shape = (len(edges) - 1, _NODES)

    def respond(prizes: Array, payments: Array, paid: Array) -> tuple[Array, _PullBack]:
        loss = np.exp(-rho * values[:, None] * (prizes - prizes[-1]))
        mean = np.sum(chance * loss, -1)
        climbs = -loss[:, 1:] * np.expm1(-rho * values[:, None] * (prizes[:-1] - prizes[1:]))  # x_{k+1} − x_k
        slope = np.sum(rises[:, :-1] * climbs, -1) / (rho * q * mean)
        cost = _cumulative(edges, slope.reshape(shape))[0].ravel()

        def pull_back(by_cost: Array) -> tuple[Array, Array]:
            by_slope = _cumulative_back(edges, by_cost.reshape(shape)).ravel()
            before = np.concatenate([np.zeros((len(q), 1)), rises[:, :-1]], -1)  # (n−k+1) P_{k−1}
            by_loss = (before - rises) / (rho * q)[:, None] - slope[:, None] * chance
            by_prizes = (by_slope / mean) @ (by_loss * loss * (-rho * values[:, None]))
            return by_prizes, np.zeros(n)

        return cost, pull_back

    return respond


def _ratio(x: Array, y: Array) -> Array:
    """x/y, and 0 where y is next to nothing: such nodes carry no weight in revenue or the highest bid."""
    return np.where(y > 1e-280, x / np.maximum(y, 1e-280), 0.0)


# Ranks and their odds -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Ranks:
    """The ranks that differ from the last, and one entry at the end for all others, who win and pay as the last does.

    Attributes:
        n: bidders.
        top: how many ranks stand alone.
        prizes, gains, paid: `[top + 1]` a_k, a_k − a_n, p_k.
    """

    n: int
    top: int
    prizes: Array
    gains: Array
    paid: Array

    @classmethod
    def of(cls, game: Game) -> "_Ranks":
        return cls.from_arrays(np.array(game.mechanism.prizes), np.array(game.mechanism.payments))

    @classmethod
    def from_arrays(cls, a: Array, p: Array) -> "_Ranks":
        differs = np.nonzero((a != a[-1]) | (p != p[-1]))[0]
        top = int(differs[-1]) + 1 if len(differs) else 0
        keep = np.append(np.arange(top), len(a) - 1)
        return cls(len(a), top, a[keep], a[keep] - a[-1], p[keep])

    @property
    def falls(self) -> Array:
        """`[top]` (n−k)(a_k − a_{k+1}), so that Π′(q) = Σ_k falls_k P_k(q)/q."""
        return (self.n - np.arange(1, self.top + 1)) * (self.gains[:-1] - self.gains[1:])

    def odds(self, q: Array) -> "_Odds":
        """How likely each rank is for a bidder who beats each rival with probability q, in a form that cannot underflow.

        Where the last rank pays nothing it matters to no formula, and its probability is left out: what remains is
        relative to the ranks that matter, which gives the limits at q = 0.
        """
        log_q, log_1q = np.log(np.maximum(q, _TINY)), np.log(np.maximum(1 - q, _TINY))
        log_1q = np.where(q < 0.5, np.log1p(-np.minimum(q, 0.5)), log_1q)
        k = np.arange(1, self.top + 1)
        log = np.empty((*q.shape, self.top + 1))
        log[..., :-1] = (
            _log_binomials(self.n)[: self.top] + (self.n - k) * log_q[..., None] + (k - 1) * log_1q[..., None]
        )
        if self.paid[-1] > 0:
            from scipy.special import betainc

            # P(rank > top), the chance that at least `top` of n−1 rivals bid higher
            log[..., -1] = np.log(np.maximum(betainc(self.top, self.n - self.top, 1 - q), _TINY))
        else:
            log[..., -1] = -np.inf
        scale = log.max(-1)
        relative = np.exp(log - scale[..., None])
        log_gain = scale + np.log(np.maximum(relative @ self.gains, _TINY))
        log_paid = scale + np.log(np.maximum(relative @ self.paid, _TINY))
        return _Odds(relative, scale, log_gain, log_paid)


@dataclass(frozen=True)
class _Odds:
    """Rank probabilities at quantiles `[...]`.

    Attributes:
        relative: `[..., top + 1]` probability of each rank over e^log_scale; 0 for the last if it pays nothing.
        log_scale: `[...]`.
        log_gain: `[...]` ln(Π − a_n).
        log_paid: `[...]` ln S.
    """

    relative: Array
    log_scale: Array
    log_gain: Array
    log_paid: Array


@lru_cache(maxsize=64)
def _log_binomials(n: int) -> Array:
    """`[n]` ln C(n−1, k−1) for k = 1…n, each to the last digit since the binomials are exact integers."""
    logs, binomial = np.empty(n), 1
    for k in range(1, n + 1):
        logs[k - 1] = math.log(binomial)
        binomial = binomial * (n - k) // k
    logs.setflags(write=False)
    return logs


# Quadrature -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rule:
    """Gauss–Legendre on [−1, 1]: `integrate[i, j]` gives the integral from −1 to node i of the interpolant at the nodes."""

    nodes: Array
    weights: Array
    integrate: Array
    barycentric: Array


@lru_cache(maxsize=1)
def _rule() -> _Rule:
    legendre = np.polynomial.legendre
    nodes, weights = legendre.leggauss(_NODES)
    antiderivatives = np.stack([legendre.legval(nodes, legendre.legint(e, lbnd=-1)) for e in np.eye(_NODES)], -1)
    integrate = antiderivatives @ np.linalg.inv(legendre.legvander(nodes, _NODES - 1))
    barycentric = np.asarray((-1.0) ** np.arange(_NODES) * np.sqrt((1 - nodes**2) * weights), float)
    return _Rule(nodes, weights, integrate, barycentric)


@dataclass(frozen=True)
class _Panels:
    """Quantiles for integration from 0 to 1.

    Attributes:
        edges: `[panels + 1]`, from 0 to 1.
        q: `[panels, nodes]`.
        weight: `[panels, nodes]`, summing to 1.
        odds: at q.
        log_gain_at_edges: `[panels + 1]` ln(Π − a_n).
    """

    edges: Array
    q: Array
    weight: Array
    odds: _Odds
    log_gain_at_edges: Array


def _cumulative(edges: Array, f: Array) -> tuple[Array, float]:
    """∫₀^q f at the nodes of panels, and over all of [0, 1]; `f` is `[panels, nodes]`."""
    half, rule = np.diff(edges)[:, None] / 2, _rule()
    whole = np.concatenate([[0.0], np.cumsum(half[:, 0] * (f @ rule.weights))])
    return whole[:-1, None] + half * (f @ rule.integrate.T), float(whole[-1])


def _cumulative_back(edges: Array, g: Array) -> Array:
    """The transpose of `_cumulative`: dJ/df where g = dJ/d(∫₀^q f), both `[panels, nodes]`."""
    half, rule = np.diff(edges)[:, None] / 2, _rule()
    later = np.append(np.cumsum(g.sum(-1)[::-1])[::-1][1:], 0.0)
    return half * (later[:, None] * rule.weights + g @ rule.integrate)


def _base_edges(n: int) -> Array:
    """Edges that resolve a binomial of n trials (equal steps of arcsin √q) and powers of q and 1−q at the ends."""
    angles = np.linspace(0.0, np.pi, 1 + max(8, math.ceil(np.pi * math.sqrt(n) / 2.5)))
    end = _END * 4.0 ** np.arange(9)
    return np.unique(np.concatenate([[0.0, 1.0], np.sin(angles[1:-1] / 2) ** 2, end, 1 - end]))


def _panels(ranks: _Ranks, given: Distribution | None = None) -> _Panels:
    """Panels so short that none of Π, S and private values changes by more than a factor e⁵ in one, the first apart."""
    edges = _base_edges(ranks.n)
    inside = 1 - _END / 4  # the highest value itself may be infinite
    for _ in range(8):
        odds = ranks.odds(edges)
        change = np.maximum(np.abs(np.diff(odds.log_gain)), np.abs(np.diff(odds.log_paid)))
        if given is not None:
            change = np.maximum(change, np.diff(np.log(np.maximum(_values(given, np.minimum(edges, inside)), _TINY))))
        pieces = np.ceil(change / _STEP).astype(int).clip(1)
        pieces[0] = 1
        if np.all(pieces == 1):
            break
        ratio = np.log(edges[2:] / edges[1:-1])
        start = np.repeat(np.arange(1, len(edges) - 1), pieces[1:])
        piece = np.concatenate([np.arange(m) for m in pieces[1:]])
        inner = edges[start] * np.exp(ratio[start - 1] * piece / pieces[start])
        edges = np.concatenate([[0.0], inner, [1.0]])
    q, weight = _in_panels(edges)
    return _Panels(edges, q, weight, ranks.odds(q), ranks.odds(edges).log_gain)


def _in_panels(edges: Array) -> tuple[Array, Array]:
    """Quantiles and their weights, each `[panels, nodes]`."""
    half, rule = np.diff(edges)[:, None] / 2, _rule()
    return edges[:-1, None] + half * (1 + rule.nodes), half * rule.weights


@dataclass(frozen=True)
class _Curve:
    """The cost of the bid at every quantile, and so the bid.

    Attributes:
        edges: `[panels + 1]` of the panels.
        cost: `[panels, nodes]` at their nodes.
        first, last: at quantiles 0 and 1.
        cost_power: p of the cost b^p.
    """

    edges: Array
    cost: Array
    first: float
    last: float
    cost_power: float

    def bid(self, q: Array) -> Array:
        """The bid at quantiles `q`, any shape, by interpolation through the nodes of each quantile's panel."""
        rule = _rule()
        panel = np.clip(np.searchsorted(self.edges, q, side="right") - 1, 0, len(self.cost) - 1)
        left, right = self.edges[panel], self.edges[panel + 1]
        distance = ((2 * q - left - right) / (right - left))[..., None] - rule.nodes
        pull = rule.barycentric / np.where(distance == 0, _TINY, distance)
        smooth = np.sum(pull * self.cost[panel], -1) / pull.sum(-1)
        # a curve may be steep without bound at either end, where no polynomial follows it
        nodes = np.concatenate([[0.0], _in_panels(self.edges)[0].ravel(), [1.0]])
        straight = np.interp(q, nodes, np.concatenate([[self.first], self.cost.ravel(), [self.last]]))
        cost = np.where((panel == 0) | (panel == len(self.cost) - 1), straight, smooth)
        return np.maximum(cost, 0.0) ** (1.0 / self.cost_power)
