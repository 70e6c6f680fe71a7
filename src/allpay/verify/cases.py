"""The known cases: games whose equilibrium has been published or can be written down, and numbers computed without `theory`.

What is expected is either a closed form, typed here as it is printed, or an adaptive quadrature (QUADPACK) of the bid
function written out anew: no panel, node or rank table of `theory` is used.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from allpay.contest.game import Array, Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.values import Common, Discrete, Private, integers

MOLDOVANU_SELA = "Moldovanu & Sela 2001"
BARUT_KOVENOCK = "Barut & Kovenock 1998"
BAYE_KOVENOCK_DE_VRIES = "Baye, Kovenock & de Vries 1996"
CHE_GALE = "Che & Gale 1998"
RILEY_SAMUELSON = "Riley & Samuelson 1981"
MYERSON = "revenue equivalence, Myerson 1981"
INDIFFERENCE = "indifference over the ranks, written out"

TEN, FOUR = integers(0, 9), Discrete((1.0, 1.0, 2.0, 4.0))
"""Values that are each as likely as the others."""

SIX_DIGITS, FOUR_DIGITS = 5e-7, 5e-5
"""How far a number may be off: half a unit of the sixth decimal, and of the fourth where only four were printed."""


@dataclass(frozen=True)
class Known:
    """A number, and how far its digits reach."""

    value: float
    tolerance: float = SIX_DIGITS


def printed(value: float) -> Known:
    """A number of which four decimals are known."""
    return Known(value, FOUR_DIGITS)


@dataclass(frozen=True)
class Case:
    """A game whose equilibrium is known.

    Attributes:
        family: what it is a case of.
        point: which of that family, as `w = 0.8`.
        game: the game; its bid grid is replaced where a check needs another.
        source: where the closed form comes from.
        revenue, highest_bid: by closed form; None where there is only the quadrature.
        bid: the bid at quantiles, by closed form.
    """

    family: str
    point: str
    game: Game
    source: str
    revenue: Known | None = None
    highest_bid: Known | None = None
    bid: Callable[[Array], Array] | None = None

    @property
    def lumpy(self) -> bool:
        """Whether many have the same private value, or make the same bid."""
        values = self.game.values
        return self.game.max_bid is not None or (isinstance(values, Private) and values.exact)

    def on(self, bid_levels: int, value_levels: int) -> Game:
        """The game on a grid with so many bids, and so many values where they are private and not a grid themselves."""
        values = self.game.values
        if isinstance(values, Private) and not values.exact:
            values = replace(values, levels=value_levels)
        return replace(self.game, bid_levels=bid_levels, values=values)


def known_cases(full: bool = False) -> list[Case]:
    """Every row of the tables, at several points each; more points if `full`."""
    splits = np.linspace(0.5, 1, 11 if full else 6).round(3).tolist()
    bidders = (2, 3, 5, 7, 10, 15, 20) if full else (2, 5, 10, 20)
    caps = (0.125, 0.375, 0.5625, 0.6875, 0.8125, 0.9375) if full else (0.375, 0.6875)
    return [
        *(case for w in splits for case in _three_bidders(w)),
        *(case for n in bidders for case in _many_bidders(n)),
        *(_capped(cap) for cap in caps),
    ]


def _three_bidders(w: float) -> list[Case]:
    """Weights (w, 1−w, 0), values uniform on [0, 1] where private and 1 where common."""
    point = f"w = {w:g}"

    def prizes(values: Private | Common, **options: float) -> Game:
        return Game(Mechanism.from_weights("prizes", w, 3), values, **options)  # type: ignore[arg-type]

    def paid_by_rank(q: Array) -> Array:
        return (2 / 3) * q**2 / np.maximum(w * q + 2 * (1 - w) * (1 - q), 1e-300)

    none = (None, None)
    quadratic_private = {
        0.5: (printed(0.7829), printed(0.3600)),
        0.8: (printed(0.9185), printed(0.4815)),
        1.0: (printed(0.9798), printed(0.5443)),
    }
    quadratic_common = {
        0.5: (printed(1.6661), printed(0.6684)),
        0.8: (printed(1.5944), printed(0.7219)),
        1.0: (Known(1.5), Known(0.75)),
    }
    averse = {
        0.5: (printed(0.8965), printed(0.4289)),
        0.6: (printed(0.9013), printed(0.4543)),
        0.8: (printed(0.8304), printed(0.4674)),
        1.0: (printed(0.6526), printed(0.4284)),
    }
    by_payment = {0.5: printed(0.6948), 0.8: printed(0.5491), 1.0: Known(0.5)}
    third = Known(w / 3 - (1 - w) / 15)
    return [
        Case("prizes, common value", point, prizes(Common()), BARUT_KOVENOCK, Known(1.0), Known(0.3 + 0.3 * w)),
        Case("prizes, private values", point, prizes(Private()), MOLDOVANU_SELA, Known(w / 2), third),
        Case(
            "prizes, private values, cost b²",
            point,
            prizes(Private(), cost_power=2.0),
            MOLDOVANU_SELA,
            *quadratic_private.get(w, none),
        ),
        Case(
            "prizes, common value, cost b²",
            point,
            prizes(Common(), cost_power=2.0),
            BARUT_KOVENOCK,
            *quadratic_common.get(w, none),
        ),
        Case(
            "prizes, common value, CARA ρ = 2",
            point,
            prizes(Common(), risk_aversion=2.0),
            INDIFFERENCE,
            *averse.get(w, none),
        ),
        Case(
            "payments, private values",
            point,
            Game(Mechanism.from_weights("payments", w, 3)),
            f"{MYERSON}; bids in closed form",
            Known(0.5),
            by_payment.get(w),
            paid_by_rank,
        ),
        Case("prizes, values 0, 1, …, 9", point, prizes(Private(TEN)), MYERSON, Known(_resold((w, 1 - w, 0.0), TEN))),
        Case(
            "payments, values 0, 1, …, 9",
            point,
            Game(Mechanism.from_weights("payments", w, 3), Private(TEN)),
            MYERSON,
            Known(_resold((1.0, 0.0, 0.0), TEN)),
        ),
        Case("prizes, values 1, 1, 2, 4, cost b²", point, prizes(Private(FOUR), cost_power=2.0), INDIFFERENCE),
        Case(
            "payments, private values, no bid above 1",
            point,
            Game(Mechanism.from_weights("payments", w, 3), max_bid=1.0),
            INDIFFERENCE,
        ),
        Case("prizes, values 1, 1, 2, 4, no bid above ½", point, prizes(Private(FOUR), max_bid=0.5), INDIFFERENCE),
    ]


def _resold(prizes: tuple[float, ...], values: Discrete) -> float:
    """Revenue with a linear cost: Σ_k (a_k − a_{k+1})·k·E[the (k+1)th highest value], an exact sum over the values.

    So much would be paid if each fall of the prizes were sold on its own, to the k highest for what the next one bids; and
    whoever gives the same prizes to the same bidders, and nothing to the lowest value, earns the same.
    """
    n, points = len(prizes), np.asarray(values.points)
    above = 1 - np.arange(len(points)) / len(points)  # P(a value is at least this point)
    least = [sum(math.comb(n, j) * above**j * (1 - above) ** (n - j) for j in range(k, n + 1)) for k in range(1, n + 1)]
    means = [float(np.diff(points, prepend=0.0) @ chance) for chance in least]  # of the kth highest value
    return sum((prizes[k - 1] - prizes[k]) * k * means[k] for k in range(1, n))


def _many_bidders(n: int) -> list[Case]:
    point = f"n = {n}"
    one_prize = Mechanism.from_weights("prizes", 1.0, n)
    first_price = Mechanism.from_weights("payments", (1.0,), n)
    by_rank = Mechanism.from_weights("payments", tuple(np.arange(n, 0, -1) * 2 / (n * (n + 1))), n)
    return [
        Case(
            "winner takes all, private values",
            point,
            Game(one_prize),
            MOLDOVANU_SELA,
            Known((n - 1) / (n + 1)),
            Known((n - 1) / (2 * n)),
            bid=lambda q: (n - 1) / n * q**n,
        ),
        Case(
            "winner takes all, common value",
            point,
            Game(one_prize, Common()),
            BAYE_KOVENOCK_DE_VRIES,
            Known(1.0),
            Known(n / (2 * n - 1)),
            bid=lambda q: q ** (n - 1),
        ),
        Case(
            "first price, private values",
            point,
            Game(first_price),
            RILEY_SAMUELSON,
            Known((n - 1) / (n + 1)),
            Known((n - 1) / (n + 1)),
            bid=lambda q: (n - 1) / n * q,
        ),
        Case("every rank pays, ever less; private values", point, Game(by_rank), MYERSON, Known((n - 1) / (n + 1))),
    ]


def _capped(cap: float) -> Case:
    """Two bidders, winner takes all, a value of 1: both bid a cap below ½; one above ½, or else they mix up to 2·cap − 1."""
    start = max(2 * cap - 1, 0.0)
    return Case(
        "winner takes all, two bidders, common value, no bid above m",
        f"m = {cap:g}",
        Game(Mechanism.from_weights("prizes", 1.0, 2), Common(), max_bid=cap),
        CHE_GALE,
        Known(1.0 if cap > 0.5 else 2 * cap),
        Known(2 / 3 * start**3 + cap * (1 - start**2)),
        bid=lambda q: np.where(q < start, q, cap),
    )


def by_quadrature(game: Game) -> tuple[float, float]:
    """Revenue and highest bid of a known case: its bid function, written out, and adaptive quadrature.

    For values uniform on [0, 1], discrete values or a common value; risk-averse bidders must all pay their bids.
    """
    from scipy.integrate import quad

    n, jumps = game.bidders, [0.0, 1.0]
    if isinstance(game.values, Private) and isinstance(game.values.distribution, Discrete):
        jumps = np.linspace(0, 1, len(game.values.distribution.points) + 1).tolist()

    def integral(f: Callable[[float], float]) -> float:
        pieces = pairwise(jumps)
        return math.fsum(quad(f, a, b, epsabs=1e-11, epsrel=1e-11, limit=400)[0] for a, b in pieces)

    def paid(q: float) -> float:
        return _mean(game.mechanism.payments, _chances(n, q))

    start = _threshold(game, integral)
    jumps = sorted({*jumps, min(start, 1.0)})

    def bid(q: float) -> float:
        if q >= start:
            assert game.max_bid is not None
            return game.max_bid
        return _cost(game, q, paid(q)) ** (1 / game.cost_power)

    return n * integral(lambda q: paid(q) * bid(q)), n * integral(lambda q: q ** (n - 1) * bid(q))


def _threshold(game: Game, integral: Callable[[Callable[[float], float]], float]) -> float:
    """The quantile at which the cap and the bid below it are worth the same, by bisection; above 1 if the cap does not bind.

    Ranks of those who bid the cap are means over the quantiles from there to 1, by quadrature.
    """
    payments, values, n = game.mechanism.payments, game.values, game.bidders
    cap = math.inf if game.max_bid is None else game.max_bid**game.cost_power
    if _cost(game, 1.0, payments[0]) <= cap:
        return 2.0

    def gain(q: float) -> float:
        value = values.value if isinstance(values, Common) else float(values.distribution.quantile(q))

        def worth(chance: list[float], cost: float) -> float:
            return value * _mean(game.mechanism.prizes, chance) - cost * _mean(payments, chance)

        at = _chances(n, q)
        above = [integral(lambda t, k=k: _chances(n, q + (1 - q) * t)[k]) for k in range(n)]  # type: ignore[misc]
        return worth(above, cap) - worth(at, _cost(game, q, _mean(payments, at)))

    low, high = 0.0, 1.0
    if gain(low) >= 0:
        return low
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if gain(middle) > 0 else (middle, high)
    return (low + high) / 2


def _cost(game: Game, q: float, paid: float) -> float:
    """What the bid at quantile q costs its bidder."""
    n, prizes, chance = game.bidders, game.mechanism.prizes, _chances(game.bidders, q)
    if isinstance(game.values, Common):
        if game.risk_aversion > 0:
            loss = [math.exp(-game.risk_aversion * (a - prizes[-1])) for a in prizes]
            return -math.log(_mean(loss, chance)) / game.risk_aversion
        return (_mean(prizes, chance) - prizes[-1]) / paid
    if isinstance(game.values.distribution, Discrete):  # ∫₀^q v dΠ is a sum
        points = game.values.distribution.points
        edges = [min(q, j / len(points)) for j in range(len(points) + 1)]
        shares = [_mean(prizes, _chances(n, x)) for x in edges]
        worth = math.fsum(v * (y - x) for v, x, y in zip(points, shares, shares[1:], strict=False))
        return max(worth, 0.0) / paid if paid > 0 else 0.0
    # ∫₀^q t dΠ(t) by parts, with ∫₀^q P_k = P(at least n−k+1 of n are below q)/n: each part is a sum of terms ≥ 0
    below = [math.comb(n, j) * q**j * (1 - q) ** (n - j) for j in range(n + 1)]
    areas = [math.fsum(below[n - k + 1 :]) / n for k in range(1, n + 1)]
    return max(q * _mean(prizes, chance) - _mean(prizes, areas), 0.0) / paid if paid > 0 else 0.0


def _chances(n: int, q: float) -> list[float]:
    """P_k(q), as it is printed."""
    return [math.comb(n - 1, k - 1) * q ** (n - k) * (1 - q) ** (k - 1) for k in range(1, n + 1)]


def _mean(numbers: "list[float] | tuple[float, ...]", chance: list[float]) -> float:
    return math.fsum(x * p for x, p in zip(numbers, chance, strict=True))
