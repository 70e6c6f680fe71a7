"""A cap on bids that binds: from some quantile on, all bid the cap, and ties there are broken at random.

Those below bid as they would without the cap, b(q), for nothing changes in their reach; at the threshold q* the cap and b(q*)
are worth the same. A higher value gains more from a higher rank, so that all above bid the cap (Che & Gale 1998 for a
common value, Gavious, Moldovanu & Sela 2002 for private ones).
"""

from dataclasses import dataclass

import numpy as np

from allpay.contest.game import Array, Game
from allpay.theory.costs import common_value, distribution_of
from allpay.theory.quantiles import SHORTEST, Curve, breaks_of, values_at
from allpay.theory.ranks import Ranks

ENDS = 1e-12
"""How near to quantile 1 a threshold is looked for, and how near to 0, or to a jump of the values, it is taken to be there."""

FALLS = 1e-9
"""The part of the highest cost by which costs may fall from one quantile to the next, and still count as rising."""


GAINS = 1e-7
"""The part of the highest value that some other bid may gain, and the bids still count as an equilibrium."""

CANDIDATE = (
    "so the one candidate that this program knows is no equilibrium; others, as bids that pool, are not ruled out"
)
"""What follows where the solution of the equilibrium condition fails: no theorem that nothing else exists."""

TOO_FAST = "the bids of the highest values change too fast for so much risk aversion to be found: give less of it"
"""What is wrong where the panels next to quantile 1 are too long."""


@dataclass(frozen=True)
class Pool:
    """Where bids pool.

    Attributes:
        start: q*, the quantile from which on all bid the cap; 0 if everybody does.
        chance: `[ranks]` how likely each rank is for one of them.
        jump: whether values jump at q*, so that the one below it prefers b(q*) and the one above it the cap.
    """

    start: float
    chance: Array
    jump: bool


def certain(rho: float, chance: Array, money: Array) -> Array:
    """`[...]` the certain money that is worth as much as a lottery over `money` `[..., ranks]`."""
    if rho == 0:
        return np.sum(chance * money, -1)
    least = money.min(-1)
    power = -rho * (money - least[..., None])
    loss, excess = np.sum(chance * np.exp(power), -1), np.sum(chance * np.expm1(power), -1)
    # to all digits also where ρ is tiny, and the sum near 1, or where the worst is unlikely, and the sum near 0
    return least - np.where(excess > -0.5, np.log1p(np.maximum(excess, -0.5)), np.log(loss)) / rho


def pool_at_cap(game: Game, ranks: Ranks, curve: Curve) -> Pool | None:
    """The pool of an equilibrium in which some bid the cap, if there is one with `curve` for the bids below.

    What the cap is worth, less what b(q) is, crosses 0 once, upwards, as far as b rises and stays below the cap: where
    it is 0, its slope is S(q)·(c(cap) − c(q))/(1 − q), and more where values rise.
    """
    assert game.max_bid is not None
    cap, rho, value = game.max_bid**game.cost_power, game.risk_aversion, common_value(game)

    def worth(chance: Array, q: float, cost: float) -> float:
        v = value if value is not None else float(values_at(distribution_of(game), np.array(q)))
        return float(certain(rho, chance, v * ranks.prizes - cost * ranks.paid))

    def gain(q: float) -> float:
        return worth(ranks.mean_above(q), q, cap) - worth(ranks.chances(q), q, float(curve.cost_at(np.array(q))))

    if gain(0.0) >= 0:
        return Pool(0.0, ranks.mean_above(0.0), jump=False)
    reach = _reach(curve, cap)
    if gain(reach) <= 0:
        return None
    from scipy.optimize import brentq

    start = float(brentq(gain, 0.0, reach, xtol=1e-16, rtol=1e-15, maxiter=200))
    if start < ENDS:
        return Pool(0.0, ranks.mean_above(0.0), jump=False)  # so few bid less that they count for nothing
    if curve.cost_at(np.array(start)) > cap * (1 + FALLS):
        return None
    jumps = np.array([]) if value is not None else breaks_of(distribution_of(game))
    at = jumps[np.abs(jumps - start) < ENDS]
    start = float(at[0]) if at.size else start
    return Pool(start, ranks.mean_above(start), jump=bool(at.size))


@dataclass(frozen=True)
class Moved:
    """How the threshold of a pool moves: dq*/dc where c is the cost c(q*) below it, dq*/da_k and dq*/dp_k, each `[n]`."""

    by_cost: float
    by_prizes: Array
    by_payments: Array


@dataclass(frozen=True)
class Threshold:
    """The threshold of a pool that starts where values do not jump.

    Attributes:
        start: q*.
        chance, mean: `[n]` P_k(q*), and its mean over [q*, 1].
        cost: c(q*), of the bid below the cap.
        value, steep: v(q*) and v′(q*); a slope of 0 for a common value.
    """

    start: float
    chance: Array
    mean: Array
    cost: float
    value: float
    steep: float

    def moved(self, game: Game, prizes: Array, payments: Array) -> Moved:
        """By the implicit function theorem, from Σ_k P̄_k u(v a_k − p_k c(cap)) = Σ_k P_k u(v a_k − p_k c) at q*.

        Along b(q) the right side changes with v alone, by the first-order condition.
        """
        assert game.max_bid is not None
        cap = game.max_bid**game.cost_power
        won, kept = (self.value * prizes - c * payments for c in (cap, self.cost))
        least = min(won.min(), kept.min())  # a common factor of all utilities makes no difference
        at_cap, below = (np.exp(-game.risk_aversion * (money - least)) for money in (won, kept))
        utility = won if game.risk_aversion == 0 else -at_cap / game.risk_aversion
        at_cap, below = self.mean * at_cap, self.chance * below
        slope = (self.mean - self.chance) @ utility / (1 - self.start) + self.steep * ((at_cap - below) @ prizes)
        return Moved(
            by_cost=float(-(below @ payments) / slope),
            by_prizes=-self.value * (at_cap - below) / slope,
            by_payments=(cap * at_cap - self.cost * below) / slope,
        )


def _reach(curve: Curve, cap: float) -> float:
    """The quantile up to which costs rise without passing the cap, or the first node at which they have."""
    cost = np.concatenate([[curve.first], curve.cost.ravel()])
    rising = np.append(True, cost[1:] >= cost[:-1] - FALLS * cap)  # not where there is no number
    fallen = np.flatnonzero(~rising)
    passed = np.flatnonzero(cost > cap)
    q = np.append(0.0, curve.q.ravel())
    last = len(q) if not fallen.size else int(fallen[0])  # the first node that does not count
    if passed.size and passed[0] < last:
        return float(q[passed[0]])
    return 1 - ENDS if last == len(q) else float(q[last - 1])


def not_best_responses(
    game: Game, ranks: Ranks, q: Array, rest: Array, cost: Array, values: Array, pool: Pool | None = None
) -> str | None:
    """What is wrong if a bidder of some value gains by bidding as another value does.

    Args:
        q, rest, cost, values: `[nodes]`, rest being 1 − q; costs at and above the start of a pool do not count.
    """
    apart = np.flatnonzero(rest >= SHORTEST)  # nearer to 1, values are not told apart well enough
    some = apart[np.unique(np.linspace(0, apart.size - 1, 120).astype(int))]
    q, v, c = q[some], values[some], cost[some]
    chance = ranks.chances(q, rest[some])
    if pool is not None:
        assert game.max_bid is not None
        pooled = q >= pool.start
        c = np.where(pooled, game.max_bid**game.cost_power, c)
        chance = np.where(pooled[:, None], pool.chance, chance)
    money = v[:, None, None] * ranks.prizes - c[:, None] * ranks.paid  # [values, bids, ranks]
    worth = certain(game.risk_aversion, chance, money)
    own, much = np.diag(worth), GAINS * v[-1]
    if np.min(np.diff(own)) < -much:  # a higher value is never worth less
        return TOO_FAST
    if np.max(worth - own[:, None]) > much:
        return f"the bids that solve the first-order condition are no best responses, {CANDIDATE}"
    return None
