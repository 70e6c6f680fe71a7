"""Symmetric equilibria of a simple game on continuous bids: who bids what, what it brings, or why there is none such.

By formula and quadrature: no bid grid, no learning, no sampling. How integrals are taken is in `quantiles`.

Notation: q is the quantile of a bidder's value (of its mixture, where values are common), c(q) the cost of its bid,
P_k(q) the chance of rank k, Π and S the share it expects to win and the fraction of its bid it expects to pay; a_k and
p_k what rank k wins and pays.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from allpay.contest.game import Array, Game
from allpay.contest.values import Distribution
from allpay.errors import AllpayError
from allpay.frozen import ByValue, Drawn, Framed
from allpay.scalars import numeral
from allpay.theory.costs import common_value, costs, distribution_of
from allpay.theory.pooling import CANDIDATE, FALLS, TOO_FAST, Pool, not_best_responses, pool_at_cap
from allpay.theory.quantiles import (
    MOST_BREAKS,
    SHORTEST,
    Curve,
    Panels,
    breaks_of,
    declared_breaks,
    edges_for,
    has_atoms,
    in_panels,
    panels_for,
    values_at,
)
from allpay.theory.ranks import Ranks

QUANTILES = 201
"""Points of the bid curve that an `Equilibrium` carries, equally spaced quantiles from 0 to 1."""

ATOMS = (
    "some values occur with positive probability, and theory must know where they begin and end: give the distribution a "
    "property `breaks`, the quantiles between 0 and 1 at which its quantile function jumps, or use Discrete"
)
"""What is missing where a distribution has atoms, and does not say where."""


@dataclass(frozen=True, eq=False)
class Play(ByValue):
    """What each bidder of a group does in equilibrium, where it turns up.

    Attributes:
        bidders: how many the group has.
        mean_bid: its expected bid, 0 where it stays out.
        entry: the chance that it bids more than 0; where there is a reserve or a fee, that it does not stay out.
        win: the chance that it has rank 1.
        payoff: its expected utility before it knows its value; fees are paid.
    """

    bidders: int
    mean_bid: float
    entry: float
    win: float
    payoff: float
    _bid: Callable[[Array], Array] = field(repr=False, compare=False)

    def bid_at(self, q: ArrayLike) -> Array:
        """The bid at quantiles `q` in [0, 1] of its value, or of its mixture, same shape; 0 where it stays out.

        Raises:
            AllpayError: if a quantile lies outside [0, 1].
        """
        return self._bid(_quantiles(q))

    def values(self, q: ArrayLike) -> dict[str, Any]:
        """For JSON: all of it, and the bids at quantiles `q`."""
        numbers = {name: getattr(self, name) for name in ("bidders", "mean_bid", "entry", "win", "payoff")}
        return {**numbers, "bid": self.bid_at(q).tolist()}


@dataclass(frozen=True, eq=False)
class Equilibrium(ByValue, Drawn, Framed):
    """An equilibrium in which the bidders of a group bid alike, in bids that do not fall with the value.

    Attributes:
        revenue: expected sum of what all bidders pay of their bids, n·∫ S(q) b(q) dq; in units of bids, without fees.
        highest_bid: its expectation, n·∫ b(q) q^{n−1} dq; 0 where nobody bids.
        payoff: expected utility of one bidder who turns up, before it knows its value; the mean over bidders who differ.
        pooled_from: the quantile from which on all bid the cap, where it binds; None where it does not.
        quantile: `[201]` quantiles of a bidder's value, equally spaced from 0 to 1; of its mixture for common values.
        bid: `[201]` the bid at each, 0 for those who stay out; NaN where bidders differ, see `groups`.
        fees: expected sum of entry fees.
        groups: what bidders of each group of the game do; one group where all are alike.
    """

    revenue: float
    highest_bid: float
    payoff: float
    pooled_from: float | None
    quantile: Array = field(repr=False)
    bid: Array = field(repr=False)
    _bid: Callable[[Array], Array] = field(repr=False, compare=False)
    fees: float = 0.0
    groups: tuple[Play, ...] = ()

    @property
    def top_bid(self) -> float:
        """The highest bid that anybody makes."""
        return max(float(play.bid_at(1.0)) for play in self.groups)

    def bid_at(self, q: ArrayLike) -> Array:
        """The bid at quantiles `q` in [0, 1], same shape, where bidders are alike; see `groups` where they differ.

        With private values, a bidder of value v bids `bid_at(F(v))`; where v has a probability of its own, a bid drawn
        at random: `bid_at` of a quantile that is uniform on all those that have this value.

        Raises:
            AllpayError: if a quantile lies outside [0, 1], or bidders differ.
        """
        return self._bid(_quantiles(q))


def _quantiles(q: ArrayLike) -> Array:
    q = np.asarray(q, float)
    if not np.all((q >= 0) & (q <= 1)):
        raise AllpayError(f"quantiles must lie in [0, 1]: got {numeral(q[~((q >= 0) & (q <= 1))].flat[0])}")
    return q


OWN_UTILITY = "The game has a utility of its own, and the closed forms are for risk-neutral and CARA bidders."
"""Why there is no closed form for a subclass of `Game`."""


def symmetric_equilibrium(game: Game) -> Equilibrium | str:
    """The symmetric equilibrium of a simple game, every bid from 0 to its cap being allowed; or a sentence: why none is known.

    There may be others: where several ranks win and ranks pay differently, all may bid the same without a cap, as .5 under
    prizes (.5, .5, 0), payments (1, .2, .2) and the common value 1. The bid grid of the game plays no part. The settings:

    - private values, risk-neutral: c(q) S(q) = ∫₀^q v(t) dΠ(t) (Moldovanu & Sela 2001 for prizes);
    - a common value, risk-neutral or CARA: Σ_k P_k(q) u(v·a_k − p_k·c(q)) = u(v·a_n), since every bid of the mixture
      earns what the lowest bid does (Barut & Kovenock 1998 for prizes); in closed form if all ranks pay alike;
    - private values, CARA: the first-order condition Σ_k P_k′ u_k = c′ Σ_k P_k p_k u_k′, an integral if all ranks pay
      alike, else a differential equation whose solution is then checked for profitable deviations.

    Where these bids pass the cap, they hold up to a threshold q*, and all above it bid the cap (`pooled_from`). There the
    cap is worth as much as b(q*) below it: Σ_k P̄_k u(v(q*)·a_k − p_k·c(cap)) = Σ_k P_k(q*) u(v(q*)·a_k − p_k·c(q*)), with
    P̄ the mean of P over [q*, 1], since ties are broken at random (Che & Gale 1998 for a common value, Gavious, Moldovanu &
    Sela 2002 for private ones). Where a ban on overbidding binds there is no formula.

    Values that occur with positive probability are mixed over: the bids of each fill an interval, above those of the value
    before it, and all bring the same. The conditions above hold as they stand, with the step function v(t); a distribution
    must say where it jumps (`breaks`, see `Distribution`). Jumps between values that have no probability of their own are
    found. The relative error of revenue and highest bid, against other mathematics, was below 1e-9 in nearly all settings
    tried. The largest found were 1.6e-6 (8 bidders, ρ = 10, cost b⁴) and 1.5e-5 (values without an upper end); a kink in the
    quantile function that is not declared, or a jump too small to be found, costs digits too.

    Raises:
        AllpayError: if the quantile function of the values is not finite, ≥ 0 and nondecreasing.
    """
    if game.own_utility:
        return OWN_UTILITY
    ranks = Ranks.of(game.mechanism.prizes, game.mechanism.payments)
    if ranks.gains[0] == 0:
        return _nobody_bids(game)
    given = distribution_of(game) if common_value(game) is None else None
    fault = _unpaid(ranks) or (None if given is None else indistinct(given, ranks.top))
    if fault:
        return fault
    solved = _curve(game, ranks, panels_for(ranks, given, game.risk_aversion))
    if isinstance(solved, str):
        return solved
    panels, curve = solved
    pool, fault = None, _fault(game, curve)
    if fault and game.max_bid is not None:
        pool = pool_at_cap(game, ranks, curve)
        fault = None if pool else f"{fault}; nor is one found in which bids pool at the cap"
    if fault:
        return fault
    if pool is not None and pool.start > 0:  # integrals end and begin there
        solved = _curve(game, ranks, panels_for(ranks, given, game.risk_aversion, also=pool.start))
        assert not isinstance(solved, str)
        panels, curve = solved
    played = Played.of(game, ranks, panels, curve, pool)
    return _not_best(game, ranks, played) or _outcome(game, ranks, played)


def _curve(game: Game, ranks: Ranks, panels: Panels) -> tuple[Panels, Curve] | str:
    """What solves the equilibrium condition on these panels."""
    found = costs(game, ranks, panels)
    return found if isinstance(found, str) else (panels, Curve(panels.edges, *found, game.cost_power))


@dataclass(frozen=True)
class Played:
    """What is played at the nodes of panels.

    Attributes:
        panels, curve, pool: the panels; what solves the equilibrium condition; where bids pool, if they do.
        values: `[panels, nodes]`.
        cost: `[panels, nodes]` of the bids, also of those that pool.
        chance: `[panels, nodes, top + 1]` of ranks, as in `Odds.chances`.
    """

    panels: Panels
    curve: Curve
    pool: Pool | None
    values: Array
    cost: Array
    chance: Array

    @classmethod
    def of(cls, game: Game, ranks: Ranks, panels: Panels, curve: Curve, pool: Pool | None) -> "Played":
        value, cost, chance = common_value(game), curve.cost, panels.odds.chances
        values = values_at(distribution_of(game), panels.q) if value is None else np.full_like(panels.q, value)
        if pool is not None:
            assert game.max_bid is not None
            pooled = panels.q >= pool.start
            cost = np.where(pooled, game.max_bid**game.cost_power, cost)
            chance = np.where(pooled[..., None], pool.chance, chance)
        return cls(panels, curve, pool, values, cost, chance)

    def bid(self, game: Game, q: Array) -> Array:
        """The bids at quantiles `q`."""
        bid = self.curve.bid(q)
        if self.pool is None or game.max_bid is None:
            return bid
        return np.where(q >= self.pool.start, game.max_bid, bid)


def _outcome(game: Game, ranks: Ranks, played: Played) -> Equilibrium:
    n, panels, pool = ranks.n, played.panels, played.pool
    bid = played.cost ** (1.0 / game.cost_power)
    paid = ranks.paid[-1] + played.chance[..., :-1] @ (ranks.paid[:-1] - ranks.paid[-1])
    value = common_value(game)
    if value is None or (pool is not None and pool.start == 0):
        utility = game.utility(played.values[..., None] * ranks.prizes - played.cost[..., None] * ranks.paid)
        last = utility[..., -1]
        gained = last + np.sum(played.chance[..., :-1] * (utility[..., :-1] - last[..., None]), -1)
        payoff = float(np.sum(panels.weight * gained))
    else:
        payoff = float(game.utility(value * ranks.prizes[-1]))  # every bid earns what 0 does
    grid = np.linspace(0.0, 1.0, QUANTILES)
    mean, bids = float(np.sum(panels.weight * bid)), partial(played.bid, game)
    return Equilibrium(
        revenue=n * float(np.sum(panels.weight * paid * bid)),
        highest_bid=n * float(np.sum(panels.weight * panels.q ** (n - 1) * bid)),
        payoff=payoff,
        pooled_from=None if pool is None else pool.start,
        quantile=grid,
        bid=bids(grid),
        _bid=bids,
        groups=(Play(n, mean, float(np.sum(panels.weight * (bid > 0))), 1 / n, payoff, bids),),
    )


def _nobody_bids(game: Game) -> Equilibrium:
    """Where no rank is worth more than another: everyone bids 0."""
    grid = np.linspace(0.0, 1.0, QUANTILES)
    value, share = common_value(game), sum(game.mechanism.prizes) / game.bidders
    if value is None:
        q, weight = in_panels(edges_for(game.bidders, distribution_of(game)))
        payoff = float(np.sum(weight * game.utility(values_at(distribution_of(game), q) * share)))
    else:
        payoff = float(game.utility(value * share))
    play = Play(game.bidders, 0.0, 0.0, 1 / game.bidders, payoff, np.zeros_like)
    return Equilibrium(0.0, 0.0, payoff, None, grid, np.zeros(QUANTILES), np.zeros_like, groups=(play,))


def _unpaid(ranks: Ranks) -> str | None:
    """What is wrong if bids would have no bound, because the best or the lowest rank that wins anything pays nothing."""
    if ranks.paid[0] == 0:
        return "the highest bidder pays nothing, so bids have no bound: let rank 1 pay"
    if ranks.paid[-1] == 0 and ranks.paid[-2] == 0:
        return (
            f"rank {ranks.top} wins more than the last and pays nothing, so bids of the lowest values have no bound: "
            f"let rank {ranks.top} pay"
        )
    return None


def indistinct(given: Distribution, ranks: int) -> str | None:
    """What is wrong with private values if theory cannot tell them apart."""
    if not declared_breaks(given).size and has_atoms(given):
        return ATOMS
    jumps = len(breaks_of(given))
    if jumps * ranks > MOST_BREAKS:
        return (
            f"theory takes at most {MOST_BREAKS:,} different values × ranks: got {jumps + 1:,} × {ranks:,}; "
            "give fewer values, or a continuous distribution"
        )
    return None


def _fault(game: Game, curve: Curve) -> str | None:
    """Why bids that follow this curve at all quantiles are no equilibrium of the game, if they are none."""
    cost = np.concatenate([[curve.first], curve.cost.ravel(), [curve.last]])
    q = np.concatenate([[0.0], curve.q.ravel(), [1.0]])
    if not np.all(np.isfinite(cost)):
        return "no finite bids solve the equilibrium condition"
    drop = np.diff(cost)
    if np.min(drop) < -FALLS * np.max(cost):
        where = q[int(np.argmin(drop))]
        return f"the bids that solve the equilibrium condition fall near quantile {where:.3g}, {CANDIDATE}"
    top = curve.last ** (1.0 / game.cost_power)
    if game.max_bid is not None and top > game.max_bid * (1 + 1e-9):
        return f"the equilibrium bids rise to {numeral(top)}, above the cap of {numeral(game.max_bid)}"
    return None


def _not_best(game: Game, ranks: Ranks, played: Played) -> str | None:
    """Why some bids are not allowed, or no best responses, if so."""
    given = None if common_value(game) is not None else distribution_of(game)
    q, most = played.panels.q, float(np.max(played.values))
    if not game.overbidding:
        jumps = np.array([]) if given is None else breaks_of(given)  # each value bids most where the next one begins
        inside = jumps * (1 - 1e-12)
        own = played.values if given is None else np.append(played.values, values_at(given, inside))
        where = np.append(q, jumps)
        excess = np.append(played.cost ** (1.0 / game.cost_power), played.bid(game, inside)) - own.ravel()
        if np.max(excess) > 1e-9 * most:
            return (
                f"the equilibrium bids exceed the bidder's value (at quantile {where[int(np.argmax(excess))]:.3g}), "
                "which the game does not allow"
            )
    if given is None or game.risk_aversion == 0 or np.all(ranks.paid == ranks.paid[0]):
        return None  # a higher value gains more from a higher rank, so that the first-order condition suffices
    flat = (played.panels.q.ravel(), played.panels.rest.ravel(), played.curve.cost.ravel(), played.values.ravel())
    wrong = not_best_responses(game, ranks, *flat, played.pool)
    unresolved = 1 - played.panels.edges[-2] < 1.01 * SHORTEST
    return TOO_FAST if wrong and unresolved and played.pool is None else wrong


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
            raise AllpayError(f"values must be above 0: got {numeral(v)}")
    low, high = min(v1, v2), max(v1, v2)
    return low / 2 + low**2 / (2 * high), float(v1 - low), float(v2 - low)
