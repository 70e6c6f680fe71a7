"""Closed forms of contests as they are: the printed numbers, and checks by other means.

Those are enumeration, simulation, quadrature by QUADPACK, finite differences, and that no other bid brings more.
"""

import doctest
import itertools
import math
from importlib import import_module

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from allpay.contest.preferences import PowerCost
from allpay.contest.values import Beta, Discrete, Lognormal, Power, Uniform
from allpay.errors import AllpayError
from allpay.theory.effort import AnyCost
from allpay.theory.entry import best_reserve, entry_equilibrium, revenue_gradients
from allpay.theory.field import Rivals
from allpay.theory.known import exclusion, identical_prizes, known_values
from allpay.theory.noformula import NoFormula
from allpay.theory.tournament import (
    Exponential,
    Gumbel,
    Logistic,
    Normal,
    Pareto,
    UniformNoise,
    _share_after,
    _ShareTable,
    prize_effects,
    tournament,
)
from allpay.theory.tullock import alike_tullock, largest_r, unlike_tullock
from allpay.theory.unlike import two_bidders

U = Uniform()
SIX = 5e-7
"""Half a unit of the sixth decimal."""


def solved(found):
    assert not isinstance(found, NoFormula), found
    return found


@pytest.mark.parametrize(
    "name", ["constant", "effort", "entry", "field", "known", "noformula", "tournament", "tullock", "unlike"]
)
def test_doctests(name):
    assert doctest.testmod(import_module(f"allpay.theory.{name}")).failed == 0


# Who takes part -------------------------------------------------------------------------------------------------------


def enumerated(sizes, presence, q, ranks):
    """P_k by enumeration over sizes as a participant sees them, who is there and whom it beats."""
    total = sum(n * p for n, p in sizes.items())
    found = np.zeros(ranks)
    for n, p in sizes.items():
        for there in itertools.product((False, True), repeat=n - 1):
            for beaten in itertools.product((False, True), repeat=sum(there)):
                chance = math.prod(presence if t else 1 - presence for t in there)
                chance *= math.prod(q if b else 1 - q for b in beaten)
                above = beaten.count(False)
                if above < ranks:
                    found[above] += n * p / total * chance
    return found


@pytest.mark.parametrize("sizes", [{4: 1.0}, {1: 1.0}, {1: 0.2, 2: 0.5, 5: 0.3}])
@pytest.mark.parametrize("presence", [1.0, 0.6])
def test_ranks_in_a_field_by_enumeration(sizes, presence):
    field = Rivals.of(sizes, presence)
    for q in (0.0, 0.3, 0.9, 1.0):
        np.testing.assert_allclose(field.rank_chances(q, 6), enumerated(sizes, presence, q, 6), atol=1e-14)
        h = 1e-4
        if 0 < q < 1:
            change = [enumerated(sizes, presence, q + d * h, 6) for d in (-2, -1, 1, 2)]
            slope = np.array([1, -8, 8, -1]) @ np.array(change) / (12 * h)
            np.testing.assert_allclose(field.rank_slopes(q, 6), slope, atol=1e-9)
    assert field.expected == pytest.approx(presence * sum(n * p for n, p in sizes.items()), abs=1e-15)
    nobody = sum(p * (1 - presence) ** n for n, p in sizes.items())
    assert field.somebody == pytest.approx(1 - nobody, abs=1e-15)
    there, chance = field.present
    assert chance.sum() == pytest.approx(1, abs=1e-14)
    assert chance @ there == pytest.approx(presence * (field.chance @ field.rivals), abs=1e-13)


def test_a_field_of_a_thousand():
    field = Rivals.of(1000, 0.5)
    np.testing.assert_allclose(field.rank_chances(0.99, 3), stats.binom.pmf([0, 1, 2], 999, 0.005), rtol=1e-11, atol=0)


@pytest.mark.parametrize(("n", "presence"), [(80, 1.0), (900, 0.7)])
def test_chances_of_large_fields_are_exact_and_not_computed_twice(n, presence):
    """A search over prizes asks at the same quantiles a thousand times (best tables of 80 bidders took 30 s)."""
    field, q = Rivals.of(n, presence), np.array([0.0, 1e-9, 0.3, 0.99, 1 - 1e-9, 1.0])
    found = field.rank_chances(q, n)
    exact = stats.binom.pmf(np.arange(n), n - 1, presence * (1 - q)[:, None])
    np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-100)  # factors of chances below that underflow
    assert np.shares_memory(found, field.rank_chances(q.copy(), n))
    assert not np.shares_memory(found, field.rank_chances(q + 1e-16, n)[..., :1])
    assert not found.flags.writeable
    slopes = field.rank_slopes(q.reshape(2, 3), 3)
    np.testing.assert_array_equal(slopes.reshape(6, 3), field.rank_slopes(q, 3))


@pytest.mark.parametrize(
    ("sizes", "presence", "says"),
    [
        (0, 1.0, "at least 1: got 0"),
        (2.5, 1.0, "whole number"),
        (10**30, 1.0, "at most 1,000,000"),
        (10**400, 1.0, r"below 2\^128"),
        (3, 0.0, "presence must be above 0"),
        (3, 1.2, "at most 1"),
        ({}, 1.0, "got none"),
        ({2: 0.0}, 1.0, "chance of 2 bidders"),
        ({2: float("nan")}, 1.0, "chance of 2 bidders"),
    ],
)
def test_fields_that_are_none(sizes, presence, says):
    with pytest.raises(AllpayError, match=says):
        Rivals.of(sizes, presence)


# Absence, random fields, reserve, fee ---------------------------------------------------------------------------------

SQUARE = PowerCost(2)
RANDOM = Rivals.of({2: 1, 3: 1, 4: 1})


@pytest.mark.parametrize(
    ("values", "field", "prizes", "options", "numbers"),
    [
        (U, Rivals.of(3, 0.5), (1,), {}, {"revenue": 0.1875}),
        (U, Rivals.of(5, 0.6), (1,), {}, {"revenue": 0.456960}),
        (1.0, Rivals.of(3, 0.5), (1,), {}, {"revenue": 0.5}),
        (1.0, Rivals.of(3, 0.8), (1,), {}, {"revenue": 0.896}),
        (1.0, Rivals.of(5, 0.6), (1,), {}, {"revenue": 0.91296}),
        (U, RANDOM, (1,), {}, {"revenue": 0.477778}),
        (U, RANDOM, (0.7, 0.3), {}, {"revenue": 0.321111}),
        (U, Rivals.of(3), (1,), {"reserve": 0.1}, {"lowest_value": 0.464159, "revenue": 0.530376, "highest_bid": 0.36}),
        (
            U,
            Rivals.of(3),
            (0.7, 0.3),
            {"reserve": 0.1},
            {"lowest_value": 0.395426, "revenue": 0.419046, "highest_bid": 0.257407},
        ),
        (
            U,
            Rivals.of(4),
            (0.6, 0.4),
            {"reserve": 0.3, "cost": SQUARE},
            {"lowest_value": 0.460116, "revenue": 0.998963, "highest_bid": 0.493645},
        ),
        (U, Rivals.of(3), (1,), {"fee": 1 / 8}, {"lowest_value": 0.5, "revenue": 11 / 32, "fees": 0.1875}),
        (
            U,
            Rivals.of(4),
            (0.6, 0.4),
            {"fee": 0.05},
            {"lowest_value": 0.371239, "revenue": 0.345897, "fees": 0.125752},
        ),
    ],
)
def test_entry_as_printed(values, field, prizes, options, numbers):
    found = solved(entry_equilibrium(values, field, prizes, **options))
    for name, number in numbers.items():
        assert getattr(found, name) == pytest.approx(number, abs=SIX), name


@pytest.mark.parametrize(("n", "revenue"), [(2, 5 / 12), (3, 17 / 32), (5, 0.671875)])
def test_best_reserve_as_printed(n, revenue):
    best = solved(best_reserve(U, Rivals.of(n)))
    assert best.reserve == pytest.approx(2.0**-n, abs=1e-7)
    assert best.equilibrium.revenue == pytest.approx(revenue, abs=1e-9)


def test_best_reserve_of_other_values_is_myersons():
    """v − (1−F)/f = 0 at the lowest value to enter, whoever may be absent."""
    law = stats.beta(2, 3)
    best = solved(best_reserve(Beta(2, 3), Rivals.of({2: 1, 3: 2}, 0.7)))
    v = best.equilibrium.lowest_value
    assert v - law.sf(v) / law.pdf(v) == pytest.approx(0, abs=1e-6)


def test_best_reserve_of_a_known_value_takes_the_most_that_one_can():
    """Revenue is what is won, n(1−q0)(…) with nothing left to the bidders: 1 − q0ⁿ without a reserve that shuts out."""
    best = solved(best_reserve(1.0, Rivals.of(3, 0.5)))
    assert best.equilibrium.payoff == pytest.approx(0, abs=1e-12)
    assert best.equilibrium.revenue == pytest.approx(1 - 0.5**3, abs=1e-9)
    assert best.reserve == pytest.approx(0.25, abs=1e-9)  # the chance to be alone: below it, bidders keep some of that


GAMES = {
    "absent": (Beta(2, 3), {4: 1.0}, 0.6, {"prizes": (0.6, 0.3, 0.1), "cost": SQUARE}),
    "random": (U, {1: 1, 2: 1, 5: 1}, 0.8, {"prizes": (0.7, 0.3), "reserve": 0.1, "fee": 0.03}),
    "alone": (U, {1: 1.0}, 1.0, {"prizes": (1,), "reserve": 0.4}),
    "known": (1.0, {4: 1.0}, 1.0, {"prizes": (0.7, 0.3), "reserve": 0.2, "fee": 0.05, "cost": PowerCost(1.5, 2)}),
    "known, absent": (2.0, {3: 1.0}, 0.5, {"prizes": (1,), "reserve": 0.1, "fee": 0.2}),
    "known, all enter": (2.0, {3: 1.0}, 0.5, {"prizes": (1,), "reserve": 0.1}),
    "lumpy": (Discrete((0, 1, 1, 3)), {4: 1.0}, 0.9, {"prizes": (0.6, 0.4), "reserve": 0.2}),
    "by rank": (U, {3: 1.0}, 1.0, {"prizes": (0.7, 0.3), "payments": (1, 0.5, 0.2), "reserve": 0.3}),
    "winner pays": (U, {2: 1, 3: 1}, 1.0, {"prizes": (1,), "payments": (1, 0), "reserve": 0.3}),
    "last wins too": (Uniform(0.5, 1), {3: 1.0}, 1.0, {"prizes": (0.6, 0.3, 0.1), "reserve": 0.02}),
    "bounded": (Lognormal(0, 1, 2), {3: 1.0}, 0.8, {"prizes": (1,), "fee": 0.1, "cost": PowerCost(3)}),
}


@pytest.mark.parametrize("name", GAMES)
def test_no_bid_brings_more(name):
    """Ranks by enumeration; bids of all quantiles, the reserve, below it, above the top, and staying out."""
    values, sizes, presence, options = GAMES[name]
    found = solved(entry_equilibrium(values, Rivals.of(sizes, presence), **options))
    prizes, payments = np.array(options["prizes"]), options.get("payments", (1,))
    cost, reserve, fee = options.get("cost", PowerCost()), options.get("reserve", 0.0), options.get("fee", 0.0)
    start = 1 - found.entry
    q = np.unique(np.concatenate([np.linspace(start, 1, 60), [1.0]]))
    bids = np.append(found.bid_at(np.maximum(q, start + 1e-9)), [found.top_bid * 1.01])
    chance = np.array([enumerated(sizes, presence, x, 5) for x in np.append(q, 1.0)])
    share = chance[:, : len(prizes)] @ prizes
    paid = chance @ np.array([*payments, *[payments[-1]] * 5][:5])
    v = np.full(60, values) if isinstance(values, float) else values.quantile(np.minimum(q, 1 - 1e-12))
    worth = v[:, None] * share - cost.cost(bids) * paid - fee  # [values, bids]
    own = np.diag(worth)
    most = float(np.max(v))
    assert np.max(worth - own[:, None]) <= 1e-6 * most
    assert np.min(own) >= -1e-9 * most
    if start > 0:
        assert own[0] == pytest.approx(0, abs=1e-8 * most) or name == "lumpy"
        out = np.linspace(0, start * (1 - 1e-9), 20)
        lower = np.full(20, values) if isinstance(values, float) else values.quantile(out)
        assert np.max(lower[:, None] * share - cost.cost(bids) * paid - fee) <= 1e-8 * most
        assert found.bid_at(start * 0.999) == 0
    assert np.min(bids) >= reserve - 1e-12


@pytest.mark.parametrize("name", GAMES)
def test_what_it_brings_by_simulation(name):
    values, sizes, presence, options = GAMES[name]
    found = solved(entry_equilibrium(values, Rivals.of(sizes, presence), **options))
    prizes, payments = options["prizes"], options.get("payments", (1,))
    cost, fee = options.get("cost", PowerCost()), options.get("fee", 0.0)
    rng, rounds, most = np.random.default_rng(5), 100_000, max(sizes)
    chance = np.array(list(sizes.values())) / sum(sizes.values())
    size = rng.choice(list(sizes), rounds, p=chance)
    q = rng.random((rounds, most))
    there = (np.arange(most) < size[:, None]) & (rng.random(q.shape) < presence)
    enters = there & found.enters(q)
    table = np.linspace(0, 1, 20_001)
    bid = np.where(enters, np.interp(q, table, found.bid_at(table)), 0.0)
    order = np.argsort(
        np.where(enters, -q, 2.0), 1
    )  # bids rise with quantiles: these decide, also where bids are close
    padded = np.array([*prizes, *[0.0] * most][:most]), np.array([*payments, *[payments[-1]] * most][:most])
    won, rate = np.empty_like(q), np.empty_like(q)
    np.put_along_axis(won, order, np.broadcast_to(padded[0], q.shape), 1)
    np.put_along_axis(rate, order, np.broadcast_to(padded[1], q.shape), 1)
    won, rate = won * enters, rate * enters
    v = np.full(q.shape, values) if isinstance(values, float) else values.quantile(q)
    kept = v * won - rate * cost.cost(bid) - fee * enters
    draws = {
        "revenue": (rate * bid).sum(1),
        "fees": fee * enters.sum(1),
        "highest_bid": bid.max(1),
        "entrants": enters.sum(1),
        "prizes_paid": won.sum(1),
        "payoff": kept.sum(1) / found.entrants * found.entry,
    }
    for what, sample in draws.items():
        error = 4.5 * sample.std() / math.sqrt(rounds) + 1e-4 * (np.abs(sample).mean() + found.top_bid)
        assert sample.mean() == pytest.approx(getattr(found, what), abs=error), what


@pytest.mark.parametrize("values", [U, Beta(2, 3)])
def test_absence_as_the_formula_is_printed(values):
    """F replaced by 1 − π + πF in c(b(v)) = ∫ t dΠ(F(t)), by QUADPACK."""
    n, presence, prizes = 5, 0.6, (0.5, 0.3, 0.2)
    found = solved(entry_equilibrium(values, Rivals.of(n, presence), prizes, cost=SQUARE))

    def slope(q):
        x = 1 - presence + presence * q
        ranks = [
            math.comb(n - 1, k - 1)
            * (
                (n - k) * x ** max(n - k - 1, 0) * (1 - x) ** (k - 1)
                - (k - 1) * x ** (n - k) * (1 - x) ** max(k - 2, 0)
            )
            for k in range(1, 4)
        ]
        return presence * float(np.dot(prizes, ranks))

    for q in (0.2, 0.7, 1.0):
        cost = quad(lambda t: float(values.quantile(t)) * slope(t), 0, q, epsabs=1e-12)[0]
        assert found.bid_at(q) == pytest.approx(math.sqrt(cost), abs=1e-8)


def test_entry_without_anything_new_is_the_symmetric_equilibrium():
    from allpay.contest.game import Game
    from allpay.contest.mechanism import Mechanism
    from allpay.contest.values import Common, Private
    from allpay.theory import equilibrium

    for given, values in ((Private(Beta(2, 3)), Beta(2, 3)), (Common(2.0), 2.0)):
        game = Game(Mechanism((0.6, 0.3, 0.1, 0.0), (1, 1, 0.5, 0.5)), given, cost_power=1.5)
        known = equilibrium(game)
        found = solved(entry_equilibrium(values, Rivals.of(4), (0.6, 0.3, 0.1), (1, 1, 0.5), PowerCost(1.5)))
        assert found.revenue == pytest.approx(known.revenue, rel=1e-9)
        assert found.highest_bid == pytest.approx(known.highest_bid, rel=1e-9)
        assert found.payoff == pytest.approx(known.payoff, abs=1e-9)


class Unbounded:
    """Exponential values: there is no highest."""

    def quantile(self, q):
        return -np.log1p(-np.asarray(q, float))


def test_values_without_a_highest():
    """n = 2, winner takes all, reserve r: v0·F(v0) = r; revenue is 2 ∫ (v − (1−F)/f) F dF, here with a virtual value v − 1."""
    found = solved(entry_equilibrium(Unbounded(), Rivals.of(2), reserve=0.1))
    v = found.lowest_value
    assert v * -math.expm1(-v) == pytest.approx(0.1, abs=1e-12)
    revenue = 2 * quad(lambda x: (x - 1) * -math.expm1(-x) * math.exp(-x), v, 50, epsabs=1e-12)[0]
    assert found.revenue == pytest.approx(revenue, abs=1e-9)
    assert solved(best_reserve(Unbounded(), Rivals.of(2))).equilibrium.lowest_value == pytest.approx(1, abs=1e-5)
    assert solved(two_bidders(Unbounded(), U)).revenue > 0


def test_two_hundred_different_values():
    """Near to the continuous values that they stand for; and two of them bid as the symmetric formula says."""
    many = Discrete((np.arange(200) + 0.5) / 200)
    found = solved(entry_equilibrium(many, Rivals.of(3), (0.7, 0.3), reserve=0.1))
    assert found.revenue == pytest.approx(0.419046, abs=2e-3)
    both = solved(entry_equilibrium(many, Rivals.of(2)))
    assert solved(two_bidders(many, many)).revenue == pytest.approx(both.revenue, rel=1e-9)


def test_any_cost_as_a_power():
    options = {"prizes": (0.6, 0.4), "reserve": 0.3}
    by_function = AnyCost(lambda b: 2 * b**2, lambda c: np.sqrt(c / 2))
    found = solved(entry_equilibrium(U, RANDOM, cost=by_function, **options))
    same = solved(entry_equilibrium(U, RANDOM, cost=PowerCost(2, 2), **options))
    assert found.revenue == pytest.approx(same.revenue, rel=1e-12)
    slopes = [solved(revenue_gradients(U, RANDOM, cost=c, **options)) for c in (by_function, PowerCost(2, 2))]
    np.testing.assert_allclose(slopes[0].prizes, slopes[1].prizes, rtol=1e-7)
    assert slopes[0].reserve == pytest.approx(slopes[1].reserve, rel=1e-6)


TWO_OR_FOUR = Rivals.of({2: 1, 4: 1}, 0.8)

DESIGNS = {
    "reserve": (U, Rivals.of(3), (0.7, 0.3, 0.1), {"reserve": 0.1}),
    "square": (U, Rivals.of(4), (0.6, 0.4), {"cost": SQUARE, "reserve": 0.3}),
    "cubic, fee": (U, Rivals.of(4), (0.6, 0.4), {"cost": PowerCost(3), "fee": 0.05}),
    "all": (Beta(2, 3), TWO_OR_FOUR, (0.6, 0.3, 0.1), {"cost": PowerCost(1.5, 2), "reserve": 0.05, "fee": 0.02}),
    "known": (1.0, TWO_OR_FOUR, (0.6, 0.3), {"cost": SQUARE, "reserve": 0.2, "fee": 0.02}),
    "lumpy": (Discrete((0.5, 1, 2)), Rivals.of(4), (0.6, 0.3), {"reserve": 0.2, "fee": 0.02}),
    "by rank": (U, Rivals.of(3), (0.7, 0.3), {"payments": (1, 0.5, 0.2), "reserve": 0.3}),
    "nothing to pay": (U, Rivals.of(3, 0.7), (0.7, 0.3), {}),
    "nothing to pay, no low values": (Uniform(0.5, 1), Rivals.of(3, 0.7), (0.7, 0.3), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", DESIGNS)
def test_gradients_by_finite_differences(name):
    values, field, prizes, options = DESIGNS[name]
    gradient = solved(revenue_gradients(values, field, prizes, **options))

    def revenue(prizes=prizes, **change):
        return solved(entry_equilibrium(values, field, prizes, **{**options, **change})).revenue

    def slope(at, low):
        h = 1e-4
        if low == 0:  # to one side
            h = 1e-5
            return float(np.dot([-3, 4, -1], [at(0), at(h), at(2 * h)])) / (2 * h)
        return float(np.dot([1, -8, 8, -1], [at(-2 * h), at(-h), at(h), at(2 * h)])) / (12 * h)

    for k in range(len(prizes)):
        by_hand = slope(lambda d, k=k: revenue(tuple(a + d * (j == k) for j, a in enumerate(prizes))), 1)
        assert gradient.prizes[k] == pytest.approx(by_hand, abs=1e-6), k
    for what in ("reserve", "fee"):
        now = options.get(what, 0.0)
        by_hand = slope(lambda d, what=what, now=now: revenue(**{what: now + d}), now)
        assert getattr(gradient, what) == pytest.approx(by_hand, abs=1e-6), what


def test_the_gradient_vanishes_at_the_best_reserve():
    best = solved(best_reserve(U, RANDOM, (0.7, 0.3), cost=SQUARE))
    gradient = solved(revenue_gradients(U, RANDOM, (0.7, 0.3), cost=SQUARE, reserve=best.reserve))
    assert gradient.reserve == pytest.approx(0, abs=1e-6)


def test_a_reserve_that_nobody_pays():
    found = solved(entry_equilibrium(U, Rivals.of(3), reserve=1.5))
    assert (found.revenue, found.entry, found.highest_bid, found.payoff) == (0, 0, 0, 0)
    assert found.bid_at([0.2, 1.0]).tolist() == [0, 0]
    assert not found.enters(1.0)
    assert solved(entry_equilibrium(1.0, Rivals.of(3), fee=1.5)).fees == 0


def test_entry_where_no_formula_holds():
    falling = entry_equilibrium(1.0, Rivals.of(3), (0.5, 0.5), (1, 0.1, 1))
    assert isinstance(falling, NoFormula)
    assert "fall" in falling.reason
    unpaid = entry_equilibrium(U, Rivals.of(3), (1,), (0, 1))
    assert isinstance(unpaid, NoFormula)
    assert "no bound" in unpaid.reason


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prizes": (0.3, 0.7)}, "nonincreasing: got 0.3 before 0.7"),
        ({"prizes": ()}, "at least one"),
        ({"prizes": (float("nan"),)}, "finite"),
        ({"reserve": -1}, "reserve must be at least 0"),
        ({"fee": float("inf")}, "fee"),
        ({"values": "uniform"}, "a number or a distribution"),
        ({"values": 0.0}, "value must be above 0"),
        ({"payments": (-1,)}, "payments"),
    ],
)
def test_entry_with_bad_input(change, says):
    given = {"values": U, "field": Rivals.of(3), **change}
    with pytest.raises(AllpayError, match=says):
        entry_equilibrium(**given)


# Two bidders who differ -----------------------------------------------------------------------------------------------


def test_amann_and_leininger_as_printed():
    found = solved(two_bidders(U, Power(2)))
    assert found.revenue == pytest.approx(0.406544, abs=SIX)
    assert found.revenues == pytest.approx((0.190378, 0.216166), abs=SIX)
    assert found.highest_bid == pytest.approx(0.301184, abs=SIX)
    assert found.top_bid == pytest.approx(0.567668, abs=SIX)
    assert found.zero == pytest.approx((math.exp(-2), 0), abs=1e-14)
    v = np.linspace(0.2, 1, 20)
    np.testing.assert_allclose(found.bid_at(1, v), (v + v * np.log(v) + math.exp(-2)) / 2, atol=1e-13)
    assert np.all(found.bid_at(1, [0, 0.1, 0.135]) == 0)


@pytest.mark.parametrize(("h", "revenue"), [(1, 0.333333), (2, 0.433333), (3, 0.471429)])
def test_two_uniform_bidders_as_printed(h, revenue):
    found = solved(two_bidders(U, Uniform(0, h)))
    assert found.revenue == pytest.approx(revenue, abs=SIX)
    assert found.revenues == pytest.approx((h / ((h + 1) * (h + 2)), h * h / ((h + 1) * (2 * h + 1))), abs=1e-12)


PAIRS = [
    (U, Uniform(0.5, 1)),
    (Uniform(0.2, 1), Uniform(0.5, 2)),
    (Uniform(0.5, 1), Uniform(2, 3)),
    (Beta(2, 3), Power(2)),
    (Power(0.5), Power(1)),
    (Power(0.2), Power(5)),
    (Lognormal(), U),
    (Discrete((1, 2)), 0.7),
    (Discrete((0, 1, 2)), Discrete((0, 1, 4))),
    (Discrete((0, 1, 2)), U),
    (U, 0.6),
    (1.0, 0.8),
]


@pytest.mark.parametrize("pair", PAIRS, ids=str)
@pytest.mark.parametrize(("power", "scales"), [(1.0, (1.0, 1.0)), (2.0, (1.0, 3.0))])
def test_neither_of_two_gains_by_another_bid(pair, power, scales):
    found = solved(two_bidders(*pair, cost_power=power, cost_scales=scales))
    near = np.geomspace(1e-12, 1, 3000)
    nodes = np.concatenate([z + (1 - z) * near for z in found.zero])
    q = np.unique(np.concatenate([[0.0], nodes, 1 - near, np.linspace(0, 1, 4001), found.zero]))
    given = [np.full_like(q, d) if isinstance(d, float) else d.quantile(q) for d in pair]
    wins = []
    for i, rival in ((0, 2), (1, 1)):
        bids, own = found.bid_at(rival, q), found.bid_at(i + 1, q)
        assert np.all(np.diff(bids) >= -1e-12)
        tried = np.unique(np.append(own, np.linspace(1e-9, found.top_bid * 1.05, 400)))
        beaten = np.interp(tried, bids[bids > 0], q[bids > 0], left=found.zero[rival - 1], right=1.0)
        cost = scales[i] * tried**power
        some = np.linspace(0, len(q) - 1, 300).astype(int)
        worth = given[i][some, None] * beaten - cost
        own_beaten = np.interp(own, bids[bids > 0], q[bids > 0], left=found.zero[rival - 1], right=1.0)
        kept = given[i] * own_beaten - scales[i] * own**power
        assert np.max(worth.max(1) - kept[some]) < 2e-5 * given[i].max()
        assert np.trapezoid(kept, q) == pytest.approx(found.payoffs[i], abs=2e-3 * given[i].max())
        wins.append(found.wins[i])
    assert sum(wins) == pytest.approx(1, abs=1e-10)
    assert found.bid_at(1, 1.0) == pytest.approx(found.bid_at(2, 1.0), abs=1e-12)
    rng = np.random.default_rng(3)
    draws = [np.interp(rng.random(200_000), q, found.bid_at(i, q)) for i in (1, 2)]
    for sample, number in (
        (draws[0], found.revenues[0]),
        (draws[1], found.revenues[1]),
        (np.maximum(*draws), found.highest_bid),
    ):
        assert sample.mean() == pytest.approx(number, abs=5 * sample.std() / math.sqrt(200_000) + 1e-5)


def test_two_alike_bid_as_the_symmetric_formula_says():
    found = solved(two_bidders(Beta(2, 3), Beta(2, 3), cost_power=1.5))
    same = solved(entry_equilibrium(Beta(2, 3), Rivals.of(2), cost=PowerCost(1.5)))
    assert found.revenue == pytest.approx(same.revenue, rel=1e-9)
    assert found.highest_bid == pytest.approx(same.highest_bid, rel=1e-9)
    assert found.payoffs == pytest.approx((same.payoff, same.payoff), rel=1e-9)
    q = np.linspace(0, 1, 21)
    np.testing.assert_allclose(found.bid_at(1, q), same.bid_at(q), atol=1e-8)


def test_two_prizes_for_two():
    """What both get is theirs; bids are for the rest."""
    plain, split = solved(two_bidders(U, Power(2))), solved(two_bidders(U, Power(2), (0.7, 0.3)))
    assert split.revenue == pytest.approx(0.4 * plain.revenue, rel=1e-12)
    assert split.payoffs == pytest.approx(
        [0.4 * p + 0.3 * m for p, m in zip(plain.payoffs, (1 / 2, 2 / 3), strict=True)]
    )


def test_two_bidders_without_a_formula():
    assert isinstance(two_bidders(U, U, cost_power=(1.0, 2.0)), NoFormula)
    assert solved(two_bidders(U, U, cost_power=(2.0, 2.0))).revenue > 0

    class Steps:
        def quantile(self, q):
            return 1 + np.floor(3 * np.minimum(np.asarray(q, float), 0.999))

    assert isinstance(two_bidders(U, Steps()), NoFormula)


@pytest.mark.parametrize(
    "change",
    [{"prizes": (0.5, 0.5)}, {"prizes": (1, 0, 0)}, {"prizes": ()}, {"cost_power": 0}, {"cost_scales": (1, -1)}],
)
def test_two_bidders_with_bad_input(change):
    with pytest.raises(AllpayError):
        two_bidders(U, U, **change)


# Commonly known values ------------------------------------------------------------------------------------------------


def test_known_values_as_printed():
    found = known_values((1, 0.8, 0.5))
    assert found.revenue == pytest.approx(0.72, abs=1e-12)
    assert found.payoffs == pytest.approx([0.2, 0, 0], abs=1e-15)
    assert found.unique
    strong = known_values((10, 4, 4))
    assert strong.revenue == pytest.approx(2.8, abs=1e-12)
    assert not strong.unique
    assert exclusion((10, 4, 4)).revenue == pytest.approx(4, abs=1e-12)
    assert exclusion((4, 10, 4)).excluded == (1,)
    assert exclusion((1, 0.8, 0.5)).excluded == ()


@pytest.mark.parametrize("values", [(1, 0.8, 0.5), (0.5, 3, 1, 1), (2, 2), (0.3, 5)])
@pytest.mark.parametrize("power", [1.0, 2.0, 0.5])
def test_nobody_who_knows_all_values_gains_by_another_bid(values, power):
    scales = np.linspace(1, 2, len(values))
    found = known_values(values, power, scales, prize=0.7)
    bids = np.concatenate([[1e-12], np.linspace(0, found.top_bid, 200)[1:], [found.top_bid * 1.1]])
    for i, v in enumerate(values):
        beats = np.prod([found.bid_below(j, bids) for j in range(len(values)) if j != i], 0)
        worth = 0.7 * v * beats - scales[i] * bids**power
        assert worth.max() <= found.payoffs[i] + 1e-5
        if found.entry[i] > 0:
            np.testing.assert_allclose(worth[1:-1], found.payoffs[i], atol=1e-12)
        q = np.linspace(0, 1, 200_001)
        drawn = found.bid_at(i, q)
        assert np.trapezoid(drawn, q) == pytest.approx(found.mean_bids[i], abs=1e-6)
        np.testing.assert_allclose(found.bid_below(i, drawn), np.maximum(q, 1 - found.entry[i]), atol=1e-12)
    highest = quad(lambda b: 1 - np.prod([found.bid_below(j, b) for j in found.active]), 0, found.top_bid)[0]
    assert found.highest_bid == pytest.approx(highest, abs=1e-8)
    assert found.wins.sum() == pytest.approx(1)


def test_known_values_are_the_case_of_two_constants():
    known = known_values((1, 0.8), 2.0, (1, 3))
    found = solved(two_bidders(1.0, 0.8, cost_power=2.0, cost_scales=(1, 3)))
    for name in ("revenue", "highest_bid", "payoffs", "wins"):
        np.testing.assert_allclose(getattr(found, name), getattr(known, name), atol=1e-12)


def test_identical_prizes():
    assert identical_prizes((1, 0.8, 0.5), 1) == pytest.approx(known_values((1, 0.8, 0.5)).payoffs)
    assert identical_prizes((0.8, 0.5, 1), 2) == pytest.approx([0.3, 0, 0.5])
    assert identical_prizes((0.8, 0.5, 1), 3) == pytest.approx([0.8, 0.5, 1])
    assert identical_prizes((1, 1, 1), 2, 2.0, (1, 1, 2)) == pytest.approx([0.5, 0.5, 0])


@pytest.mark.parametrize(
    "call",
    [
        lambda: known_values((1,)),
        lambda: known_values((1, 0)),
        lambda: known_values((1, 2), cost_scales=(1,)),
        lambda: known_values((1, 2), prize=0),
        lambda: known_values("12"),
        lambda: identical_prizes((1, 2), 0),
    ],
)
def test_known_values_with_bad_input(call):
    with pytest.raises(AllpayError):
        call()


# Tullock --------------------------------------------------------------------------------------------------------------


def test_stein_as_printed():
    found = solved(unlike_tullock((1, 0.8, 0.5)))
    assert found.bids == pytest.approx([0.249135, 0.193772, 0.027682], abs=SIX)
    assert found.revenue == pytest.approx(0.470588, abs=SIX)
    found = solved(unlike_tullock((1, 0.5, 0.2)))
    assert found.bids == pytest.approx([0.222222, 0.111111, 0], abs=SIX)
    assert found.revenue == pytest.approx(0.333333, abs=SIX)


@pytest.mark.parametrize(
    ("prizes", "bid"),
    [((1, 0, 0), 0.177778), ((0.7, 0.3, 0), 0.137778), ((0.5, 0.3, 0.2, 0, 0), 0.097333)],
)
def test_clark_and_riis_as_printed(prizes, bid):
    assert solved(alike_tullock(Rivals.of(len(prizes)), prizes, r=0.8)).bid == pytest.approx(bid, abs=SIX)


@pytest.mark.parametrize("w", [0.5, 0.75, 1.0])
def test_clark_and_riis_for_three(w):
    assert solved(alike_tullock(Rivals.of(3), (w, 1 - w), r=0.7)).revenue == pytest.approx(0.7 * (1 / 6 + w / 2))


def test_lim_and_matros_as_printed():
    found = solved(alike_tullock(Rivals.of(3, 0.5)))
    assert found.bid == pytest.approx(0.180556, abs=SIX)
    assert found.revenue == pytest.approx(1.5 * found.bid)
    assert found.highest_bid == pytest.approx(0.875 * found.bid)


@pytest.mark.parametrize(
    ("values", "r", "power", "scales"),
    [
        ((1, 0.8, 0.5), 1.0, 1.0, (1, 1, 1)),
        ((1, 0.8, 0.5, 0.05), 2.0, 2.0, (1, 2, 1, 1)),
        ((1, 0.8, 0.5), 0.6, 1.0, (1, 1, 1)),
        ((5, 0.1, 2), 1.2, 2.0, (1, 1, 3)),
        ((1, 0.6), 0.5, 1.0, (1, 1)),
        ((1, 0.6), 1.4, 1.0, (1, 1)),
        ((0.3, 2), 1.0, 2.0, (1, 0.5)),
    ],
)
def test_nobody_gains_by_another_bid_under_luck(values, r, power, scales):
    found = solved(unlike_tullock(values, r, power, scales, prize=0.9))
    for i, v in enumerate(values):
        others = sum(found.bids[j] ** r for j in range(len(values)) if j != i)
        bids = np.append(np.linspace(0, 3 * found.highest_bid, 20_001), found.bids[i])
        worth = 0.9 * v * bids**r / (bids**r + others) - scales[i] * bids**power
        assert worth[-1] == pytest.approx(found.payoffs[i], abs=1e-12)
        assert worth.max() <= found.payoffs[i] + 1e-12
    assert found.wins.sum() == pytest.approx(1)
    assert found.revenue == pytest.approx(found.bids.sum())


def test_pure_equilibria_under_luck_end_where_the_weaker_would_rather_not_bid():
    r = largest_r(1, 0.6)
    assert r == pytest.approx(1 + 0.6**r)
    assert solved(unlike_tullock((1, 0.6), r * (1 - 1e-9))).payoffs[1] == pytest.approx(0, abs=1e-8)
    assert isinstance(unlike_tullock((1, 0.6), r * 1.001), NoFormula)
    assert isinstance(unlike_tullock((1, 0.6, 0.5), 1.1), NoFormula)
    assert solved(alike_tullock(Rivals.of(3), r=1.5)).payoff == pytest.approx(0, abs=1e-12)
    none = alike_tullock(Rivals.of(3), r=1.51)
    assert isinstance(none, NoFormula)
    assert "no pure equilibrium" in none.reason


def drawn_in_turn(weights, prizes):
    """Expected prizes when ranks are drawn in turn in proportion to weights, by enumeration of all orders."""
    found = np.zeros(len(weights))
    for order in itertools.permutations(range(len(weights))):
        chance, left = 1.0, sum(weights)
        for i in order:
            chance *= weights[i] / left if left > 0 else 1.0
            left -= weights[i]
        for rank, i in enumerate(order):
            found[i] += chance * (prizes[rank] if rank < len(prizes) else 0.0)
    return found


@pytest.mark.parametrize(("sizes", "presence"), [({4: 1.0}, 1.0), ({4: 1.0}, 0.6), ({1: 1, 2: 1, 4: 2}, 1.0)])
@pytest.mark.parametrize("prizes", [(1,), (0.6, 0.3, 0.1)])
def test_bidders_alike_under_luck_by_enumeration_of_ranks(sizes, presence, prizes):
    r, value, power, scale = 0.9, 2.0, 1.5, 0.8
    found = solved(alike_tullock(Rivals.of(sizes, presence), prizes, r, value, power, scale))
    total = sum(n * p for n, p in sizes.items())
    present = dict.fromkeys(range(4), 0.0)
    for n, p in sizes.items():
        for m in range(n):
            present[m] += n * p / total * stats.binom.pmf(m, n - 1, presence)

    def worth(bid):
        share = sum(p * drawn_in_turn([bid**r, *[found.bid**r] * m], prizes)[0] for m, p in present.items() if p > 0)
        return value * share - scale * bid**power

    assert worth(found.bid) == pytest.approx(found.payoff, abs=1e-12)
    h = 1e-4 * found.bid
    assert (worth(found.bid + h) - worth(found.bid - h)) / (2 * h) == pytest.approx(0, abs=1e-6)
    for bid in np.append(1e-9, np.linspace(0.1, 4, 25) * found.bid):
        assert worth(bid) <= found.payoff + 1e-12


def test_equal_prizes_under_luck_move_nobody():
    assert solved(alike_tullock(Rivals.of(3), (1, 1, 1), r=1.9)).bid == 0
    assert isinstance(alike_tullock(Rivals.of(3), (1, 1), r=4), NoFormula)


# Tournaments ----------------------------------------------------------------------------------------------------------

NOISES = [Normal(0.7), Logistic(0.4), Gumbel(0.6), UniformNoise(1.3), Exponential(0.8), Pareto(2.5, 0.9)]
LAWS = {
    "Normal": stats.norm(scale=0.7),
    "Logistic": stats.logistic(scale=0.4),
    "Gumbel": stats.gumbel_r(scale=0.6),
    "UniformNoise": stats.uniform(-1.3, 2.6),
    "Exponential": stats.expon(scale=0.8),
    "Pareto": stats.pareto(2.5, scale=0.9),
}


@pytest.mark.parametrize(
    ("noise", "n", "effects"),
    [
        (Normal(), 3, (0.28209, 0, -0.28209)),
        (Normal(), 5, (0.23259, 0.09900, 0)),
        (UniformNoise(), 3, (0.5, 0, -0.5)),
        (Exponential(), 3, (1 / 3, 1 / 3, -2 / 3)),
        (Logistic(), 3, (1 / 6, 0, -1 / 6)),
        (Pareto(2), 3, (0.457, 0.686, -1.143)),
    ],
)
def test_prize_effects_as_printed(noise, n, effects):
    digits = 5e-4 if isinstance(noise, Pareto) else 5e-6
    found = prize_effects(noise, Rivals.of(n))
    assert found[: len(effects)] == pytest.approx(effects, abs=digits)
    assert found.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("n", "prizes", "bid"),
    [(3, (1, 0, 0), 0.282095), (3, (0.7, 0.3, 0), 0.197466), (5, (0.6, 0.4, 0, 0, 0), 0.179157)],
)
def test_lazear_and_rosen_as_printed(n, prizes, bid):
    assert solved(tournament(Normal(0.5), Rivals.of(n), prizes, cost=SQUARE)).bid == pytest.approx(bid, abs=SIX)


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: type(noise).__name__)
def test_noise_is_what_its_name_says(noise):
    law = LAWS[type(noise).__name__]
    q = np.array([0.001, 0.2, 0.5, 0.9, 0.999])
    np.testing.assert_allclose(noise.quantile(q), law.ppf(q), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(noise.density_at(q), law.pdf(law.ppf(q)), rtol=1e-11)
    x = np.concatenate([law.ppf(q), [law.ppf(0.001) - 1, law.ppf(0.999) + 1]])
    np.testing.assert_allclose(noise.below(x), law.cdf(x), atol=1e-14)


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: type(noise).__name__)
def test_tournaments_over_scores(noise):
    """Ranks of a bid among others, by the rule of midpoints over one's own noise: first order, and no gain."""
    n, prizes = 4, (0.6, 0.4)
    law = LAWS[type(noise).__name__]
    found = solved(tournament(noise, Rivals.of(n), prizes, 1.2, SQUARE))
    own = law.ppf((np.arange(100_000) + 0.5) / 100_000)

    def worth(bid):
        q = law.cdf(own + bid - found.bid)
        share = sum(a * math.comb(n - 1, k) * q ** (n - 1 - k) * (1 - q) ** k for k, a in enumerate(prizes))
        return 1.2 * float(np.mean(share)) - bid**2

    assert worth(found.bid) == pytest.approx(found.payoff, abs=1e-7)
    h = 1e-3
    slope = (worth(found.bid + h) - worth(found.bid - h)) / (2 * h)
    assert slope == pytest.approx(0, abs=2e-3)
    for bid in np.linspace(0, 1.1, 9):
        assert worth(bid) <= found.payoff + 1e-7


@pytest.mark.parametrize("sizes", [{3: 1.0}, {1: 1, 2: 1, 5: 1}, {30: 1.0}])
@pytest.mark.parametrize("presence", [1.0, 0.8])
def test_gumbel_noise_on_the_logarithm_is_tullock(sizes, presence):
    field, prizes = Rivals.of(sizes, presence), (0.6, 0.3, 0.1)
    found = solved(tournament(Gumbel(1 / 0.8), field, prizes, 2.0, PowerCost(1.5, 3), on_logarithm=True))
    same = solved(alike_tullock(field, prizes, 0.8, 2.0, 1.5, 3))
    for name in ("bid", "revenue", "highest_bid", "payoff"):
        assert getattr(found, name) == pytest.approx(getattr(same, name), rel=1e-10), name


@pytest.mark.parametrize(
    "field", [Rivals.of(2), Rivals.of({1: 1, 2: 1, 5: 1}, 0.8), Rivals.of(300)], ids=["2", "random", "300"]
)
def test_shares_between_the_points_of_a_table(field):
    prizes = np.array([0.6, 0.3, 0.1])
    q = np.concatenate([np.linspace(0, 1, 1001), 1 - np.geomspace(1e-9, 1e-2, 200)])
    found = _ShareTable.of(field, prizes).at(q)
    np.testing.assert_allclose(found, field.rank_chances(q, 3) @ prizes, atol=1e-10)


def test_chances_after_a_deviation_with_bounded_noise():
    """Two bidders, uniform noise: ½ + δ − δ²/2 for δ = d/(2h) > 0, and as much less below."""
    d = np.array([0.0, 1e-3, 0.1, 0.7, 2.0])
    found = _share_after(UniformNoise(1.0), Rivals.of(2), np.array([1.0]), np.concatenate([d, -d]))
    more = d / 2 - (d / 2) ** 2 / 2
    np.testing.assert_allclose(found, np.concatenate([0.5 + more, 0.5 - more]), atol=1e-13)


def test_tournaments_without_a_pure_equilibrium():
    little = tournament(Normal(0.05), Rivals.of(3), cost=SQUARE)
    assert isinstance(little, NoFormula)
    assert "more noise" in little.reason
    assert isinstance(tournament(UniformNoise(0.3), Rivals.of(3), (0.7, 0.3), cost=SQUARE), NoFormula)
    assert isinstance(tournament(Normal(0.1), Rivals.of(3)), NoFormula)  # linear cost, much to gain
    assert isinstance(tournament(Gumbel(1 / 1.6), Rivals.of(3), on_logarithm=True), NoFormula)
    assert solved(tournament(Gumbel(1 / 1.49), Rivals.of(3), on_logarithm=True)).payoff > 0


def test_nobody_bids_where_luck_decides_all():
    assert solved(tournament(Normal(5.0), Rivals.of(3))).bid == 0
    assert solved(tournament(Normal(1.0), Rivals.of(3), (1, 1, 1), cost=SQUARE)).bid == 0


def test_any_convex_cost_of_a_tournament():
    by_function = AnyCost(lambda b: np.expm1(b**2), lambda c: np.sqrt(np.log1p(c)), lambda b: 2 * b * np.exp(b**2))
    bid = solved(tournament(Normal(0.5), Rivals.of(3), cost=by_function)).bid
    assert 2 * bid * math.exp(bid**2) == pytest.approx(1 / math.sqrt(math.pi), abs=1e-10)
    square = AnyCost(lambda b: b**2, np.sqrt)
    assert solved(tournament(Normal(0.5), Rivals.of(3), cost=square)).bid == pytest.approx(0.282095, abs=SIX)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Normal(0.0),
        lambda: Pareto(-1),
        lambda: Gumbel(float("nan")),
        lambda: PowerCost(0.0),
        lambda: PowerCost(1.0, -1.0),
        lambda: tournament(Normal(), Rivals.of(3), (0.3, 0.7)),
        lambda: tournament(Normal(), Rivals.of(3), value=0),
        lambda: alike_tullock(Rivals.of(3), r=0),
        lambda: unlike_tullock((1,)),
        lambda: unlike_tullock((1, 2), r=-1),
        lambda: unlike_tullock((1, 2), cost_scales=(1, 2, 3)),
        lambda: largest_r(0, 1),
    ],
)
def test_luck_with_bad_input(call):
    with pytest.raises(AllpayError):
        call()


@pytest.mark.parametrize(
    ("sizes", "presence"), [({2: 1, 3: 2, 4: 1}, 0.7), ({1: 1, 30: 1}, 1.0), ({900: 1, 1000: 1}, 0.5), ({1500: 1}, 0.4)]
)
def test_chances_of_ranks_in_a_random_field_are_binomial(sizes, presence):
    """Few rivals are summed as polynomials, very many one by one; slopes are differences of the chances."""
    rivals, q = Rivals.of(sizes, presence), np.array([0.0, 0.2, 0.97, 0.999, 1.0])
    found = rivals.rank_chances(q, 5)
    expected = sum(
        p * stats.binom.pmf(np.arange(5), m, presence * (1 - q[:, None]))
        for m, p in zip(rivals.rivals, rivals.chance, strict=True)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-300)
    h = 1e-7
    near = (rivals.rank_chances(q[1:-1] + h, 5) - rivals.rank_chances(q[1:-1] - h, 5)) / (2 * h)
    np.testing.assert_allclose(rivals.rank_slopes(q[1:-1], 5), near, rtol=1e-4, atol=1e-4)
