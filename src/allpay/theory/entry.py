"""Bidders alike who may be absent, face a reserve or pay a fee: symmetric equilibria by quadrature, best reserve, gradients.

The highest bid wins. In quantiles q of a bidder's values, or of its mixture where it has one known value v: let Π(q) and S(q)
be the share that it expects to win and the part of its bid that it expects to pay if it beats each rival who is there with
probability q; an absent rival, and one who stays out, is beaten by everybody (`field`). Those below a quantile q0 stay out:

    v(q0) Π(q0) = c(r) S(q0) + e                              the lowest to enter gains nothing
    c(b(q)) S(q) = c(r) S(q0) + ∫_{q0}^q v(t) dΠ(t)           so that nobody gains by the bid of another quantile

with reserve r (a lower bid wins nothing), entry fee e, lost by all who enter, and cost c. If v Π > c(r) S + e already at 0, all
enter. Without reserve and fee nobody stays out. For a known value this is the mixed equilibrium: v is constant, and a bidder
stays out with probability q0, at which entering is worth nothing, as every bid then is.

Sources: Riley & Samuelson 1981 and Myerson 1981 for the reserve, Moldovanu & Sela 2001 for prizes, Barut & Kovenock 1998 for
known values; entry and absence follow from the same envelope condition.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.contest.game import Array
from allpay.contest.preferences import PowerCost
from allpay.contest.values import Distribution
from allpay.errors import AllpayError, exactly
from allpay.theory.constant import Constant, Values, away_from, distribution_of, rising_values
from allpay.theory.effort import Cost
from allpay.theory.field import Rivals, total
from allpay.theory.noformula import NoFormula, check_falling, check_number, check_numbers
from allpay.theory.quantiles import (
    APART,
    Curve,
    base_edges,
    breaks_of,
    cumulative,
    cumulative_back,
    edges_for,
    in_panels,
)

FALLS = 1e-9
"""The part of the highest cost by which costs may fall from one quantile to the next, and still count as rising."""

THRESHOLDS = 1001
"""Quantiles at which the gain of the lowest to enter is computed first."""

ROUNDS, PARTS = 12, 21
"""How often what lies between two of them is divided, and into so many less one: to the last digit."""

NEAR = 1e-7
"""Stands for quantile 0 where a limit is taken there."""

RESERVES = 33
"""Thresholds that are tried before the best reserve is looked for between them."""


@dataclass(frozen=True, eq=False)
class Entry:
    """The symmetric equilibrium.

    Attributes:
        revenue: expected sum of what bidders pay of their bids, without fees.
        fees: expected sum of entry fees.
        highest_bid: its expectation; 0 where nobody bids.
        entry: the chance that a bidder who is there enters.
        entrants: the expected number who enter.
        lowest_value: of those who enter; infinite if nobody does.
        payoff: of a bidder who is there, before it knows its value.
        prizes_paid: the expected sum of prizes that are won, where a prize of 1 is one unit of value.
        top_bid: of quantile 1.
        mean_bid, win: of a bidder who is there: its expected bid, 0 if it stays out, and the chance that it has rank 1.
    """

    revenue: float
    fees: float
    highest_bid: float
    entry: float
    entrants: float
    lowest_value: float
    payoff: float
    prizes_paid: float
    top_bid: float
    mean_bid: float
    win: float
    _edges: Array = field(repr=False)
    _cost: Array = field(repr=False)
    _ends: tuple[float, float] = field(repr=False)
    _price: Cost = field(repr=False)

    def enters(self, q: ArrayLike) -> NDArray[np.bool_]:
        """Whether quantiles `q` enter, any shape."""
        return np.asarray(np.asarray(q, float) >= 1 - self.entry) & (self.entry > 0)

    def bid_at(self, q: ArrayLike) -> Array:
        """The bid at quantiles `q` in [0, 1], any shape; 0 for those who stay out.

        Raises:
            AllpayError: if a quantile lies outside [0, 1].
        """
        q = np.asarray(q, float)
        if not np.all((q >= 0) & (q <= 1)):
            raise AllpayError(f"quantiles must lie in [0, 1]: got {exactly(q[~((q >= 0) & (q <= 1))].flat[0])}")
        if self.entry == 0:
            return np.zeros_like(q)
        cost = Curve(self._edges, self._cost, *self._ends, 1.0).cost_at(np.maximum(q, self._edges[0]))
        return np.where(self.enters(q), self._price.bid(np.clip(cost, *self._ends)), 0.0)


@dataclass(frozen=True, eq=False)
class Gradients:
    """How revenue, without fees, or another sum of bids by rank changes with the design.

    Attributes:
        value: what it is.
        prizes: `[ranks]` its derivative in each prize.
        reserve, fee: in these; to the right where they are 0. No number (nan) where both are 0, the lowest values win next to
            nothing and the limit is too close to 0 to be computed, as with 50 bidders.
    """

    value: float
    prizes: Array
    reserve: float
    fee: float


@dataclass(frozen=True)
class BestReserve:
    """The reserve that brings most.

    Attributes:
        reserve: the lowest bid that can win.
        equilibrium: what it brings.
    """

    reserve: float
    equilibrium: Entry


def entry_equilibrium(
    values: Values,
    field: Rivals,
    prizes: Sequence[float] = (1.0,),
    payments: Sequence[float] = (1.0,),
    cost: Cost | None = None,
    reserve: float = 0.0,
    fee: float = 0.0,
) -> Entry | NoFormula:
    """The symmetric equilibrium in nondecreasing bids.

    Args:
        values: of one unit of prize: a distribution of private values, or a number that all know.
        field: who takes part.
        prizes: by rank among those who enter, nonincreasing; later ranks win nothing.
        payments: the fraction of its own bid that each rank pays; the last one holds for all later ranks.
        cost: of what a bidder pays; the bid itself if not given. Revenue counts bids.
        reserve, fee: at least 0; the fee is money, as costs are.

    Raises:
        AllpayError: if a number is out of its bounds, or quantiles are not finite, ≥ 0 and nondecreasing.

    >>> from allpay.contest.values import Uniform
    >>> found = entry_equilibrium(Uniform(), Rivals.of(3), reserve=0.1)
    >>> round(found.lowest_value, 6), round(found.revenue, 6), round(found.highest_bid, 6)
    (0.464159, 0.530376, 0.36)
    """
    solved = _solve(values, field, prizes, payments, cost, reserve, fee)
    return solved if isinstance(solved, NoFormula) else solved.outcome()


def revenue_gradients(
    values: Values,
    field: Rivals,
    prizes: Sequence[float] = (1.0,),
    payments: Sequence[float] = (1.0,),
    cost: Cost | None = None,
    reserve: float = 0.0,
    fee: float = 0.0,
) -> Gradients | NoFormula:
    """The derivatives of revenue, arguments as in `entry_equilibrium`; each prize is taken to be free of the others.

    With H = c(b)·S and E the expected number who are there, R = E ∫_{q0}^1 S b dq, so that

        dR/dθ = E (∫_{q0}^1 dH/dθ / c′(b) dq − S(q0) r dq0/dθ)

    where dH has a direct part (∫ v dP_k for prize k, c′(r) S(q0) for the reserve), and (c(r) S′ − v Π′)(q0) dq0 through the
    threshold, which moves by the implicit function theorem. Another sum of bids by rank, with C for S in R, has dH·C/S, C(q0).
    Where a derivative is infinite, as in a later prize of a contest
    with strictly convex costs and many bidders at a prize of 0, so large a number is returned as the quadrature gives.

    Raises:
        AllpayError: as `entry_equilibrium`.
    """
    solved = _solve(values, field, prizes, payments, cost, reserve, fee)
    return solved if isinstance(solved, NoFormula) else solved.gradients()


def with_gradients(
    values: Values,
    field: Rivals,
    prizes: Sequence[float] = (1.0,),
    payments: Sequence[float] = (1.0,),
    cost: Cost | None = None,
    reserve: float = 0.0,
    fee: float = 0.0,
    counted: Sequence[float] | None = None,
) -> tuple[Entry, Gradients] | NoFormula:
    """`entry_equilibrium` and `revenue_gradients` of the same arguments, solved once.

    Args:
        counted: the gradients are those of Σ_k counted_k E[b_(k)], its last number holding for all later ranks; payments, which
            make it revenue, if not given.
    """
    solved = _solve(values, field, prizes, payments, cost, reserve, fee)
    return solved if isinstance(solved, NoFormula) else (solved.outcome(), solved.gradients(counted))


def costs_by_falls(
    values: Values, field: Rivals, ranks: int, counted: Sequence[float]
) -> tuple[Array, Array] | NoFormula:
    """What bids cost where there is neither a reserve nor a fee and all pay, at quantiles that do not depend on the prizes.

    Args:
        values, field: as in `entry_equilibrium`.
        ranks: how many may have a prize.
        counted: how much the bid of each rank counts, the last number that of all later ones.

    Returns:
        `[nodes, ranks]` what they cost by how much each prize is above the next, and `[nodes]` how much each bid counts.
    """
    s = _Setting.of(values, field, (1.0,), (1.0,), None, 0.0, 0.0)
    if isinstance(s, NoFormula):
        return s
    edges = _edges(s, 0.0)
    q, weight = in_panels(edges)
    density = s.value(q)[..., None] * np.cumsum(field.rank_slopes(q, ranks), axis=-1)
    by_falls = np.stack([cumulative(edges, density[..., k])[0] for k in range(ranks)], -1)
    counts = field.expected * weight * s.by_rank(counted, q)
    return np.maximum(by_falls, 0.0).reshape(-1, ranks), counts.ravel()


def best_reserve(
    values: Values,
    field: Rivals,
    prizes: Sequence[float] = (1.0,),
    payments: Sequence[float] = (1.0,),
    cost: Cost | None = None,
    fee: float = 0.0,
) -> BestReserve | NoFormula:
    """The reserve with most revenue: by a search over the quantile that it shuts out, arguments as in `entry_equilibrium`.

    For winner takes all with linear costs the lowest value to enter then satisfies Myerson's v − (1−F)/f = 0.

    Raises:
        AllpayError: as `entry_equilibrium`.

    >>> from allpay.contest.values import Uniform
    >>> round(best_reserve(Uniform(), Rivals.of(2)).reserve, 6)
    0.25
    """
    from scipy.optimize import minimize_scalar

    setting = _Setting.of(values, field, prizes, payments, cost, 0.0, fee)
    if isinstance(setting, NoFormula):
        return setting

    def brings(q: float) -> float:
        if float(setting.gain(q)) < 0:  # there the fee alone shuts it out
            return -np.inf
        found = _solve_from(replace(setting, reserve=setting.reserve_for(q)), q)
        return -np.inf if isinstance(found, NoFormula) else found.outcome().revenue

    tried = np.unique(np.concatenate([np.linspace(0, 1, RESERVES), breaks_of(setting.given)]))
    revenue = np.array([brings(q) for q in tried])
    i = int(np.argmax(revenue))
    low, high = tried[max(i - 1, 0)], tried[min(i + 1, len(tried) - 1)]
    found = minimize_scalar(lambda q: -brings(q), bounds=(low, high), method="bounded", options={"xatol": 1e-10})
    best = float(found.x) if -found.fun > revenue[i] else float(tried[i])
    reserve = setting.reserve_for(best)
    equilibrium = entry_equilibrium(values, field, prizes, payments, cost, reserve, fee)
    return equilibrium if isinstance(equilibrium, NoFormula) else BestReserve(reserve, equilibrium)


@dataclass(frozen=True, eq=False)
class _Setting:
    """What is given, checked."""

    given: Distribution
    field: Rivals
    prizes: tuple[float, ...]
    payments: tuple[float, ...]
    cost: Cost
    reserve: float
    fee: float

    @classmethod
    def of(
        cls,
        values: Values,
        field: Rivals,
        prizes: Sequence[float],
        payments: Sequence[float],
        cost: Cost | None,
        reserve: float,
        fee: float,
    ) -> "_Setting | NoFormula":
        given = distribution_of(values)
        prizes, payments = check_falling("prizes", prizes), check_numbers("payments", payments)
        check_number("the reserve", reserve)
        check_number("the entry fee", fee)
        if isinstance(given, NoFormula):
            return given
        if payments[0] == 0:
            return NoFormula("the highest bidder pays nothing, so bids have no bound: let rank 1 pay")
        cost = PowerCost() if cost is None else cost
        return cls(given, field, prizes, payments, cost, float(reserve), float(fee))

    def share(self, q: ArrayLike) -> Array:
        """Π(q), any shape."""
        return total(self.prizes, 0.0, self.field.rank_chances(q, len(self.prizes)))

    def paid(self, q: ArrayLike) -> Array:
        """S(q), any shape."""
        return self.by_rank(self.payments, q)

    def by_rank(self, numbers: Sequence[float], q: ArrayLike) -> Array:
        """The expected number of the rank at quantile q, any shape; the last holds for all later ranks."""
        *first, rest = numbers
        if not first:
            return np.full(np.shape(q), float(rest))
        return total(tuple(first), rest, self.field.rank_chances(q, len(first)))

    def share_slope(self, q: ArrayLike) -> Array:
        return self.field.rank_slopes(q, len(self.prizes)) @ np.array(self.prizes)

    def paid_slope(self, q: float) -> float:
        *first, rest = self.payments
        return float(self.field.rank_slopes(q, len(first)) @ (np.array(first) - rest)) if first else 0.0

    def value(self, q: ArrayLike) -> Array:
        return rising_values(self.given, np.asarray(q, float))

    def gain(self, q: ArrayLike) -> Array:
        """What the lowest to enter gains if it has quantile q."""
        return self._gain(q, self.share(q))

    def _gain(self, q: ArrayLike, share: Array) -> Array:
        return self.value(q) * share - float(self.cost.cost(self.reserve)) * self.paid(q) - self.fee

    def enters(self, q: ArrayLike) -> NDArray[np.bool_]:
        """Whether the lowest to enter may have quantile q; not where it wins nothing, whatever that costs it."""
        share = self.share(q)
        return np.asarray((self._gain(q, share) >= 0) & (share > 0))

    def reserve_for(self, q: float) -> float:
        """The reserve at which the lowest to enter has quantile q."""
        paid = float(self.paid(q))
        worth = max(float(self.value(q)) * float(self.share(q)) - self.fee, 0.0)
        return float(self.cost.bid(worth / paid)) if paid > 0 else 0.0

    def threshold(self) -> float | NoFormula | None:
        """q0; None where nobody enters."""
        if self.reserve == 0 and self.fee == 0:
            return 0.0
        jumps = breaks_of(self.given)
        q = np.unique(np.concatenate([base_edges(self.field.most), np.linspace(0, 1, THRESHOLDS), jumps]))
        q = np.union1d(q, jumps * (1 - 1e-12))
        enters = self.enters(q)
        if not enters.any():
            return None
        first = int(np.argmax(enters))
        if not enters[first:].all():
            return NoFormula(
                "more than one lowest value to enter gains nothing, since payments depend on the rank: the equilibrium "
                "is not determined"
            )
        if first == 0 or q[first] in jumps:
            return float(q[first])
        low, high = float(q[first - 1]), float(q[first])
        for _ in range(ROUNDS):
            between = np.linspace(low, high, PARTS)
            i = max(int(np.argmax(self.enters(between))), 1)
            low, high = float(between[i - 1]), float(between[i])
        return high


@dataclass(frozen=True, eq=False)
class _Solved:
    """An equilibrium at the nodes of panels.

    Attributes:
        setting: of the game.
        start: q0.
        edges: `[panels + 1]` quantiles above q0, from 0 to 1 − q0.
        q, weight: `[panels, nodes]` quantiles and their weights.
        worth: `[panels, nodes]` H = c(b)·S.
        paid, bid: `[panels, nodes]` S and b.
        first, last: c(b) at q0 and 1.
    """

    setting: _Setting
    start: float
    edges: Array
    q: Array
    weight: Array
    worth: Array
    paid: Array
    bid: Array
    first: float
    last: float

    def outcome(self) -> Entry:
        s, field = self.setting, self.setting.field
        chances, entry = field.rank_chances(self.q, len(s.prizes)), 1 - self.start
        share, first = total(s.prizes, 0.0, chances), chances[..., 0]
        gained = float(np.sum(self.weight * (s.value(self.q) * share - self.worth))) - s.fee * entry
        return Entry(
            revenue=field.expected * float(np.sum(self.weight * self.paid * self.bid)),
            fees=field.expected * entry * s.fee,
            highest_bid=field.expected * float(np.sum(self.weight * self.bid * first)),
            entry=entry,
            entrants=field.expected * entry,
            lowest_value=float(s.value(self.start)),
            payoff=gained,
            prizes_paid=field.expected * float(np.sum(self.weight * share)),
            top_bid=float(s.cost.bid(self.last)),
            mean_bid=float(np.sum(self.weight * self.bid)),
            win=float(np.sum(self.weight * first)),
            _edges=self.start + self.edges,
            _cost=s.cost.cost(self.bid),
            _ends=(self.first, self.last),
            _price=s.cost,
        )

    def gradients(self, counted: Sequence[float] | None = None) -> Gradients:
        s, field, start = self.setting, self.setting.field, self.start
        counted = s.payments if counted is None else counted
        slope, counts = s.cost.slope(self.bid), s.by_rank(counted, self.q)
        known = self.paid > 1e-280
        push = np.where(known, self.weight / np.where(slope > 0, slope, np.inf), 0.0)
        push *= counts / np.where(known, self.paid, 1.0)
        spread = float(push.sum())  # of what adds the same to H at all quantiles
        later = cumulative_back(
            self.edges, push
        )  # what the density of a prize at each quantile brings, there and above
        direct = np.tensordot(later * s.value(self.q), field.rank_slopes(self.q, len(s.prizes)), axes=2)
        price, marginal = float(s.cost.cost(s.reserve)), float(s.cost.slope(s.reserve))
        moves, at = self._moves()
        value, paid = float(s.value(at)), float(s.paid(at))
        with np.errstate(invalid="ignore"):  # no number where the threshold moves without bound, and too fast to tell
            through = (price * s.paid_slope(at) - value * float(s.share_slope(at))) * spread
            through -= float(s.by_rank(counted, at)) * s.reserve
            fee = field.expected * through * moves
            reserve = marginal * (field.expected * paid * spread + fee * paid)
        stays = 0.0 if start == 0 else moves * value
        prizes = field.expected * (direct - through * stays * field.rank_chances(at, len(s.prizes)))
        return Gradients(field.expected * float(np.sum(self.weight * counts * self.bid)), prizes, reserve, fee)

    def _moves(self) -> tuple[float, float]:
        """dq0/de, 1 over the slope of the gain of the lowest to enter, and the quantile where it is taken.

        0 where all enter and would with a little more to pay, or where values jump. Where nothing is to pay, and so all enter
        though the lowest gain nothing, the limit is taken close by.
        """
        s, q = self.setting, self.start
        if abs(float(s.gain(q))) > 1e-9 * float(s.value(1 - 1e-9)):
            return 0.0, q
        q = q if q > 0 else NEAR
        step = 1e-3 * min(q, 1 - q)
        around = s.value(q + step * np.array([-2, -1, 1, 2]))
        rises = float(around @ np.array([1, -8, 8, -1])) / (12 * step)  # v′(q0)
        price = float(s.cost.cost(s.reserve))
        slope = rises * float(s.share(q)) + float(s.value(q)) * float(s.share_slope(q)) - price * s.paid_slope(q)
        return (1 / slope if slope > 1e-250 else float("nan")), q


def _solve(
    values: Values,
    field: Rivals,
    prizes: Sequence[float],
    payments: Sequence[float],
    cost: Cost | None,
    reserve: float,
    fee: float,
) -> _Solved | NoFormula:
    s = _Setting.of(values, field, prizes, payments, cost, reserve, fee)
    if isinstance(s, NoFormula):
        return s
    start = s.threshold()
    return start if isinstance(start, NoFormula) else _solve_from(s, start)


def _solve_from(s: _Setting, start: float | None) -> _Solved | NoFormula:
    """The equilibrium in which those below the quantile `start` stay out, or everybody."""
    if start is None or start > 1 - 1e-12:
        return _nobody(s)
    edges = _edges(s, start)
    x, weight = in_panels(edges)
    q = start + x
    price = float(s.cost.cost(s.reserve))
    rises, rise = cumulative(edges, s.value(q) * s.share_slope(q))
    paid, lowest = s.paid(q), price * float(s.paid(start))
    worth = lowest + np.maximum(rises, 0.0)
    spent = np.where(paid > 1e-280, worth / np.maximum(paid, 1e-280), np.nan)
    known = np.isfinite(spent)
    spent = np.where(known, spent, spent[known][0] if known.any() else price)
    first = price if float(s.paid(start)) > 0 else spent[0, 0]
    last = (lowest + rise) / float(s.paid(1.0))
    path = np.concatenate([[first], spent.ravel(), [last]])
    if np.min(np.diff(path)) < -FALLS * np.max(path):
        where = q.ravel()[min(int(np.argmin(np.diff(path))), q.size - 1)]
        return NoFormula(
            f"the bids that solve the equilibrium condition fall near quantile {where:.3g}, so no equilibrium in "
            "nondecreasing bids exists"
        )
    spent = np.maximum.accumulate(spent.ravel()).reshape(spent.shape)
    return _Solved(s, start, edges, q, weight, worth, paid, s.cost.bid(spent), float(first), float(last))


def _nobody(s: _Setting) -> _Solved:
    """Nobody enters: no quantiles."""
    none = np.zeros((0, 1))
    return _Solved(s, 1.0, np.zeros(1), none, none, none, none, none, 0.0, 0.0)


def _edges(s: _Setting, start: float) -> Array:
    """`[panels + 1]` quantiles above q0, so close there that roots of their distance to it are integrated."""
    fixed = edges_for(s.field.most, None if isinstance(s.given, Constant) else s.given)
    jumps = breaks_of(s.given)
    length = 1 - start
    near = length * 4.0 ** -np.arange(1.0, 41.0)
    inner = np.concatenate([fixed[fixed > start + 1e-9 * length] - start, near])
    inner = inner[inner < length * (1 - 1e-15)]
    inner = inner[away_from(jumps, start + inner, APART)]
    return np.unique(np.concatenate([[0.0], inner, jumps[jumps > start + APART] - start, [length]]))
