"""Revenue or highest bid at equilibrium as a function of a design's weights, with its exact gradient.

The equilibria are those of `symmetric`, whose notation this follows; what does not depend on the weights is computed once.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from allpay.errors import AllpayError, one_of
from allpay.game import Array, Distribution, Game
from allpay.mechanism import RULES
from allpay.theory.costs import common_value, distribution_of, indifferent
from allpay.theory.quantiles import (
    breaks_of,
    cumulative,
    cumulative_back,
    edges_for,
    in_panels,
    interpolation,
    mean_under_power,
    panels_for,
    values_at,
    values_below,
)
from allpay.theory.ranks import Ranks, rank_probabilities
from allpay.theory.symmetric import indistinct

OBJECTIVES = ("revenue", "highest-bid")
"""What a designer can want most of: the sum of payments, or the expected highest bid."""


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
        AllpayError: if rule or objective are unknown, if values have atoms but do not say where, or for `payments` with
            private values and risk aversion, where the equilibrium is known only through a differential equation. The
            function returned raises it unless it is given n finite numbers ≥ 0.

    >>> from allpay.game import game
    >>> value, gradient = design_objective(game("prizes", 1.0, 3), "prizes")([0.8, 0.2, 0])
    >>> round(float(value), 9), gradient.round(9)
    (0.4, array([ 0.5,  0. , -0.5]))
    """
    one_of("rule", rule, RULES)
    one_of("objective", objective, OBJECTIVES)
    n, free_prizes = game.bidders, rule == "prizes"
    value = common_value(game)
    given = distribution_of(game) if value is None else None
    fault = None if given is None else indistinct(given, n)
    if fault:
        raise AllpayError(fault)
    if value is None and game.risk_aversion > 0 and not free_prizes:
        raise AllpayError(
            "no exact gradient for payments with private values and risk aversion: take differences of `equilibrium`"
        )
    alone = np.eye(n)[0]
    # a root of c, or a ratio of two integrals as small as q^{n−1}, needs them resolved at their own scale, not that of 1
    if game.cost_power <= 1 and (free_prizes or value is not None):
        edges = edges_for(n, given)
    else:
        ranks = Ranks.of(alone, np.ones(n) if free_prizes else alone)
        edges = panels_for(ranks, given).edges
    q, weight = in_panels(edges)
    chance = rank_probabilities(n, q.ravel())
    respond = _responses(game, value, edges, q, chance)
    weight = n * weight.ravel()
    values = np.full(q.size, value, float) if given is None else values_at(given, q.ravel())
    jumps = np.array([]) if given is None else breaks_of(given)
    before, values_before = np.searchsorted(edges, jumps) - 1, jumps if given is None else values_below(given, jumps)

    def overbids(cost: Array, bid: Array) -> bool:
        """Whether some value's bids exceed it; each value bids most where the next one begins."""
        at_jumps = cost.reshape(q.shape)[before] @ interpolation(1.0)
        most = np.maximum(at_jumps, 0.0) ** (1.0 / game.cost_power)
        return bool(np.any(bid > values * (1 + 1e-9)) or np.any(most > values_before * (1 + 1e-9)))

    def one(w: Array) -> tuple[float, Array]:
        prizes, payments = (w, np.ones(n)) if free_prizes else (alone, w)
        paid = chance @ payments
        cost, pull_back = respond(prizes, payments, paid)
        bid = np.maximum(cost, 0.0) ** (1.0 / game.cost_power)
        if (
            np.min(np.diff(cost, prepend=0.0)) < -1e-9 * np.max(cost)
            or (game.max_bid is not None and bid[-1] > game.max_bid * (1 + 1e-6))
            or (not game.overbidding and overbids(cost, bid))
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


# Costs of bids as a function of the design, with derivatives ------------------------------------------------------------

_PullBack = Callable[[Array], tuple[Array, Array]]
"""From dJ/dc at the nodes `[nodes]` to dJ/da and dJ/dp, each `[n]`, for a number J that depends on all the costs."""

_Respond = Callable[[Array, Array, Array], tuple[Array, _PullBack]]
"""From prizes `[n]`, payments `[n]` and S at the nodes to the costs of the bids there, and their derivative."""


def _responses(game: Game, value: float | None, edges: Array, q: Array, chance: Array) -> _Respond:
    rho = game.risk_aversion
    if value is not None:
        return _common_response(value, rho, chance)
    given = distribution_of(game)
    values = values_at(given, q)
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
            cost = indifferent(chance, gains, payments, rho, cost)
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
    parts = np.stack([cumulative(edges, density[..., k])[0] for k in range(n - 1)], -1)  # [panels, nodes, n − 1]
    means = np.stack([mean_under_power(given, q[0], m) for m in places], -1)
    parts[0] = means * np.cumsum(chance[: q.shape[1], :-1], -1)  # ∫₀^q (n−k) P_k(t)/t dt = Σ_{j≤k} P_j(q)
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
    shape = (len(edges) - 1, -1)

    def respond(prizes: Array, payments: Array, paid: Array) -> tuple[Array, _PullBack]:
        loss = np.exp(-rho * values[:, None] * (prizes - prizes[-1]))
        mean = np.sum(chance * loss, -1)
        climbs = -loss[:, 1:] * np.expm1(-rho * values[:, None] * (prizes[:-1] - prizes[1:]))  # x_{k+1} − x_k
        slope = np.sum(rises[:, :-1] * climbs, -1) / (rho * q * mean)
        cost = cumulative(edges, slope.reshape(shape))[0].ravel()

        def pull_back(by_cost: Array) -> tuple[Array, Array]:
            by_slope = cumulative_back(edges, by_cost.reshape(shape)).ravel()
            before = np.concatenate([np.zeros((len(q), 1)), rises[:, :-1]], -1)  # (n−k+1) P_{k−1}
            by_loss = (before - rises) / (rho * q)[:, None] - slope[:, None] * chance
            by_prizes = (by_slope / mean) @ (by_loss * loss * (-rho * values[:, None]))
            return by_prizes, np.zeros(n)

        return cost, pull_back

    return respond


def _ratio(x: Array, y: Array) -> Array:
    """x/y, and 0 where y is next to nothing: such nodes carry no weight in revenue or the highest bid."""
    return np.where(y > 1e-280, x / np.maximum(y, 1e-280), 0.0)
