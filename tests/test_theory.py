"""Equilibria against formulas written out anew, known special cases, and the check that no other bid pays."""

import math
import time
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from allpay.contest.game import Game, game
from allpay.contest.mechanism import Mechanism, all_pay, first_price, mechanism
from allpay.contest.values import Beta, Common, Discrete, Power, Private, Uniform, steps
from allpay.errors import AllpayError
from allpay.theory import (
    design_objective,
    equilibrium,
    rank_probabilities,
    two_bidder_all_pay,
    value_and_gradient,
    why_no_equilibrium,
)

prop = settings(derandomize=True, max_examples=25, deadline=None)


@dataclass(frozen=True)
class Levels:
    """Three values, and nothing that says where one ends and the next begins."""

    def quantile(self, q):
        return np.floor(3 * np.minimum(np.asarray(q, float), 0.999))


@dataclass(frozen=True)
class Exponential:
    """Values truncated to [0, ln 20]: a distribution of the user's own."""

    def quantile(self, q):
        return -np.log1p(-0.95 * np.asarray(q, float))


def solved(g):
    found = equilibrium(g)
    assert found is not None, why_no_equilibrium(g)
    assert why_no_equilibrium(g) is None
    return found


def chances(n, q):
    """P_k(q) by the formula as it is printed."""
    return np.array([math.comb(n - 1, k - 1) * q ** (n - k) * (1 - q) ** (k - 1) for k in range(1, n + 1)])


def gain_of_deviating(g, found, points=101):
    """The most that any value gains by another bid, or by one above the highest; utilities written out anew."""
    q = np.linspace(0, 1, points)
    bids = np.append(found.bid_at(q), found.bid_at(1.0) * np.array([1.001, 1.5]))
    odds = np.array([chances(g.bidders, x) for x in np.append(q, [1.0, 1.0])])
    a, p = np.array(g.mechanism.prizes), np.array(g.mechanism.payments)
    values = np.full(points, g.values.value) if isinstance(g.values, Common) else g.values.distribution.quantile(q)
    worst = -np.inf
    for i, v in enumerate(values):
        money = v * a - np.outer(bids**g.cost_power, p)
        rho = g.risk_aversion
        payoffs = np.sum(odds * (money if rho == 0 else (1 - np.exp(-rho * money)) / rho), 1)
        worst = max(worst, float(payoffs.max() - payoffs[i]))
    return worst


# The table of docs/theory.md: three bidders, weights (w, 1−w, 0) ----------------------------------------------------------

W = [0.5, 0.6, 0.75, 0.8, 1.0]


@pytest.mark.parametrize("w", W)
def test_prizes_common_value(w):
    found = solved(game("prizes", w, 3, values="common"))
    assert found.revenue == pytest.approx(1, abs=1e-9)
    assert found.highest_bid == pytest.approx(0.3 + 0.3 * w, abs=1e-9)
    assert found.payoff == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("w", W)
def test_prizes_private_values(w):
    found = solved(game("prizes", w, 3))
    assert found.revenue == pytest.approx(w / 2, abs=1e-9)
    assert found.highest_bid == pytest.approx(w / 3 - (1 - w) / 15, abs=1e-9)


@pytest.mark.parametrize("w", W)
def test_payments_private_values(w):
    found = solved(game("payments", w, 3))
    v = np.linspace(0.01, 1, 50)
    by_hand = (2 / 3) * v**2 / (w * v + 2 * (1 - w) * (1 - v))
    assert found.revenue == pytest.approx(0.5, abs=1e-9)
    np.testing.assert_allclose(found.bid_at(v), by_hand, rtol=1e-9)
    highest = quad(lambda x: 3 * x**2 * (2 / 3) * x**2 / (w * x + 2 * (1 - w) * (1 - x)), 0, 1)[0]
    assert found.highest_bid == pytest.approx(highest, abs=1e-9)


@pytest.mark.parametrize(("w", "highest"), [(0.5, 0.6948), (0.8, 0.5491), (1, 0.5)])
def test_payments_private_values_as_printed(w, highest):
    assert solved(game("payments", w, 3)).highest_bid == pytest.approx(highest, abs=5e-5)


@pytest.mark.parametrize(
    ("values", "w", "revenue", "highest"),
    [
        ("private", 0.5, 0.7829, 0.3600),
        ("private", 0.8, 0.9185, 0.4815),
        ("private", 1.0, 0.9798, 0.5443),
        ("common", 0.5, 1.6661, 0.6684),
        ("common", 0.8, 1.5944, 0.7219),
        ("common", 1.0, 1.5, 0.75),
    ],
)
def test_prizes_square_cost(values, w, revenue, highest):
    found = solved(game("prizes", w, 3, values=values, cost_power=2))
    assert found.revenue == pytest.approx(revenue, abs=5e-5)
    assert found.highest_bid == pytest.approx(highest, abs=5e-5)

    def bid(q):
        if values == "common":
            return math.sqrt(w * q**2 + (1 - w) * 2 * q * (1 - q))
        return math.sqrt(w * 2 * q**3 / 3 + (1 - w) * (q**2 - 4 * q**3 / 3))

    assert found.revenue == pytest.approx(3 * quad(bid, 0, 1, epsabs=1e-11)[0], abs=1e-8)
    assert found.highest_bid == pytest.approx(3 * quad(lambda q: q**2 * bid(q), 0, 1, epsabs=1e-11)[0], abs=1e-8)


@pytest.mark.parametrize(
    ("w", "revenue", "highest"),
    [(0.5, 0.8965, 0.4289), (0.6, 0.9013, 0.4543), (0.8, 0.8304, 0.4674), (1, 0.6526, 0.4284)],
)
def test_prizes_common_value_risk_averse(w, revenue, highest):
    found = solved(game("prizes", w, 3, values="common", risk_aversion=2))
    assert found.revenue == pytest.approx(revenue, abs=5e-5)
    assert found.highest_bid == pytest.approx(highest, abs=5e-5)

    def bid(q):
        return -math.log(chances(3, q) @ np.exp(-2 * np.array([w, 1 - w, 0]))) / 2

    assert found.revenue == pytest.approx(3 * quad(bid, 0, 1)[0], abs=1e-10)
    assert found.highest_bid == pytest.approx(3 * quad(lambda q: q**2 * bid(q), 0, 1)[0], abs=1e-10)


def test_risk_aversion_makes_the_best_split_interior():
    found = [solved(game("prizes", w, 3, values="common", risk_aversion=2)) for w in np.linspace(0.5, 1, 51)]
    assert 0 < np.argmax([x.revenue for x in found]) < 50
    assert 0 < np.argmax([x.highest_bid for x in found]) < 50


# Known special cases --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 10, 100, 1000])
def test_winner_take_all(n):
    private, common = solved(Game(all_pay(n))), solved(Game(all_pay(n), Common()))
    np.testing.assert_allclose(private.bid, (n - 1) / n * private.quantile**n, atol=1e-12)
    assert private.revenue == pytest.approx((n - 1) / (n + 1), abs=1e-10)
    assert common.highest_bid == pytest.approx(n / (2 * n - 1), abs=1e-10)
    assert common.revenue == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("n", [2, 3, 10, 100, 1000])
def test_first_price_uniform(n):
    found = solved(Game(first_price(n)))
    np.testing.assert_allclose(found.bid, (n - 1) / n * found.quantile, rtol=1e-9)
    assert found.revenue == pytest.approx((n - 1) / (n + 1), abs=1e-10)
    small = np.array([0, 1e-12, 1e-8, 3e-7, 1e-6, 1e-4])
    np.testing.assert_allclose(found.bid_at(small), (n - 1) / n * small, rtol=1e-7)


def test_first_price_risk_averse():
    """e^{ρb} is the mean of e^{ρv} over the highest rival value below one's own."""
    rho, n = 3.0, 4
    found = solved(Game(first_price(n), risk_aversion=rho))
    for q in (0.05, 0.3, 0.7, 1.0):
        mean = quad(lambda t: math.exp(rho * t) * (n - 1) * t ** (n - 2), 0, q)[0] / q ** (n - 1)
        assert found.bid_at(q) == pytest.approx(math.log(mean) / rho, abs=1e-9)


def test_first_price_common_value_is_bid_away():
    found = solved(Game(first_price(4), Common(2.0)))
    np.testing.assert_allclose(found.bid, 2.0, rtol=1e-12)
    assert found.revenue == pytest.approx(2)


@pytest.mark.parametrize("rule", ["prizes", "payments"])
@pytest.mark.parametrize("n", [2, 7, 50, 1000])
def test_even_prizes_and_payments_earn_the_same_in_private_first_price(rule, n):
    """With one prize, private values and linear cost every payment rule has the revenue of the second-highest value."""
    weights = (1.0,) if rule == "prizes" else [1 / min(n, 20)] * min(n, 20)
    assert solved(Game(mechanism(rule, weights, n))).revenue == pytest.approx((n - 1) / (n + 1), abs=1e-9)


def test_two_bidders_of_unequal_value():
    assert two_bidder_all_pay(1, 1) == (1.0, 0.0, 0.0)
    revenue, strong, weak = two_bidder_all_pay(3.0, 1.0)
    assert (strong, weak) == (2.0, 0.0)
    # the item goes to the weaker with probability min/(2 max): surplus less payoffs is revenue
    assert revenue == pytest.approx(3 * (1 - 1 / 6) + 1 / 6 - strong - weak)
    assert two_bidder_all_pay(1.0, 3.0) == (revenue, weak, strong)
    with pytest.raises(AllpayError, match="above 0"):
        two_bidder_all_pay(0, 1)


# Any game -------------------------------------------------------------------------------------------------------------

DISTRIBUTIONS = [Uniform(), Uniform(1, 3), Power(2), Power(0.5), Beta(2, 5), Beta(0.5, 0.5), Exponential()]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)
@pytest.mark.parametrize("rule", ["prizes", "payments"])
def test_bids_by_direct_integration(distribution, rule):
    n, weights = 4, [0.5, 0.3, 0.2, 0]
    g = Game(mechanism(rule, weights, n), Private(distribution), cost_power=1.5)
    found = solved(g)
    a, p = np.array(g.mechanism.prizes), np.array(g.mechanism.payments)

    def rise(t):
        return float(distribution.quantile(t)) * (n - 1) * (chances(n - 1, t) @ (a[:-1] - a[1:]))

    for q in (0.02, 0.2, 0.55, 0.9, 1.0):
        cost = quad(rise, 0, q, epsabs=1e-13, epsrel=1e-11)[0] / (chances(n, q) @ p)
        assert found.bid_at(q) == pytest.approx(cost ** (1 / 1.5), rel=1e-8)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)
@pytest.mark.parametrize("rule", ["prizes", "payments"])
def test_revenue_is_surplus_less_payoffs(distribution, rule):
    n, weights = 5, [0.6, 0.3, 0.1]
    g = Game(mechanism(rule, weights, n), Private(distribution))
    found = solved(g)
    a = np.array(g.mechanism.prizes)
    q, w = np.polynomial.legendre.leggauss(60)
    q, w = (1 + q) / 2, w / 2
    q, w = q**2 * (3 - 2 * q), w * 6 * q * (1 - q)  # nodes gather at the ends, where quantile functions may be steep
    surplus = np.sum(w * distribution.quantile(q) * (rank_probabilities(n, q) @ a))
    assert found.revenue == pytest.approx(n * (surplus - found.payoff), rel=1e-7)


@pytest.mark.parametrize("rho", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("values", [Private(), Private(Beta(2, 3)), Private(Uniform(1, 2)), Common(1.7)], ids=str)
@pytest.mark.parametrize(
    "mech",
    [
        mechanism("prizes", [0.6, 0.4, 0]),
        mechanism("payments", [0.8, 0.2, 0]),
        mechanism("payments", [0.4, 0.3, 0.2, 0.1]),
        first_price(3),
        Mechanism([0.5, 0.3, 0.2], [0.5, 0.5, 0.5]),
        Mechanism([0.6, 0.3, 0.1], [0.9, 0.8, 0.5]),
    ],
    ids=lambda m: f"{m.prizes}{m.payments}",
)
def test_no_other_bid_pays(mech, values, rho):
    for power in (1.0, 2.0):
        g = Game(mech, values, risk_aversion=rho, cost_power=power)
        found = solved(g)
        assert np.all(np.diff(found.bid) >= -1e-9)
        assert gain_of_deviating(g, found) < 1e-6


@pytest.mark.parametrize("rule", ["prizes", "payments"])
@pytest.mark.parametrize("values", ["private", "common"])
def test_little_risk_aversion_is_none(rule, values):
    near, none = (solved(game(rule, 0.8, 3, values=values, risk_aversion=rho)) for rho in (1e-6, 0))
    assert near.revenue == pytest.approx(none.revenue, abs=1e-6)
    np.testing.assert_allclose(near.bid, none.bid, atol=1e-5)


@st.composite
def ordered_weights(draw, n):
    parts = np.array(draw(st.lists(st.floats(0.01, 1), min_size=n, max_size=n)))
    # a mixture of the vertices (1/k, …, 1/k, 0, …) of the ordered simplex
    return np.array([np.sum(parts[k:] / np.arange(k + 1, n + 1)) for k in range(n)]) / parts.sum()


@prop
@given(st.data(), st.integers(2, 8), st.sampled_from([1.0, 2.0]), st.sampled_from([0.0, 1.5]))
def test_prizes_always_have_an_equilibrium(data, n, power, rho):
    weights = data.draw(ordered_weights(n))
    scale = data.draw(st.floats(0.1, 10))
    for values, scaled in (
        (Common(), Common(scale)),
        (Private(Uniform(0, 1)), Private(Uniform(0, scale))),
    ):
        one = solved(Game(mechanism("prizes", weights), values, cost_power=power, risk_aversion=rho))
        many = solved(Game(mechanism("prizes", weights), scaled, cost_power=power, risk_aversion=rho / scale))
        assert many.revenue == pytest.approx(one.revenue * scale ** (1 / power), rel=1e-8)
        assert many.payoff == pytest.approx(one.payoff * scale, rel=1e-8, abs=1e-12)
        assert one.highest_bid <= one.bid[-1] * (1 + 1e-9)
        assert np.all(np.diff(one.bid) >= -1e-9 * one.bid[-1])


@prop
@given(st.integers(1, 1000).flatmap(lambda n: st.tuples(st.just(n), st.floats(0, 1))))
def test_rank_probabilities(case):
    n, q = case
    from scipy.stats import binom

    found = rank_probabilities(n, q)
    # scipy's own error is of this order
    np.testing.assert_allclose(found, binom.pmf(n - np.arange(1, n + 1), n - 1, q), atol=1e-12)
    assert found.sum() == pytest.approx(1, abs=1e-11)


def test_rank_probabilities_exact():
    from fractions import Fraction

    n, q = 1000, Fraction(5, 8)
    found = rank_probabilities(n, float(q))
    for k in (1, 2, 300, 376, 500, 999, 1000):
        exact = math.comb(n - 1, k - 1) * q ** (n - k) * (1 - q) ** (k - 1)
        assert abs(found[k - 1] - float(exact)) < 1e-13
    np.testing.assert_array_equal(rank_probabilities(3, [0.0, 1.0]), [[0, 0, 1], [1, 0, 0]])
    assert rank_probabilities(5, np.zeros((2, 3))).shape == (2, 3, 5)


def test_rank_probabilities_in_jax():
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(True):
        q = jnp.array([0.0, 0.3, 1.0])
        found = rank_probabilities(4, q, jnp)
        np.testing.assert_allclose(found, rank_probabilities(4, np.array(q)), atol=1e-15)
        slope = jax.jacobian(lambda x: rank_probabilities(4, x, jnp))(0.3)
        h = 1e-6
        np.testing.assert_allclose(
            slope, (rank_probabilities(4, 0.3 + h) - rank_probabilities(4, 0.3 - h)) / (2 * h), atol=1e-8
        )


# Gradients ------------------------------------------------------------------------------------------------------------

SETTINGS = [
    ("prizes", Private(), 0.0),
    ("prizes", Private(Beta(2, 3)), 1.5),
    ("prizes", Common(1.3), 0.0),
    ("prizes", Common(1.3), 2.0),
    ("payments", Private(Power(2)), 0.0),
    ("payments", Common(1.3), 0.0),
    ("payments", Common(1.3), 2.0),
]


def interior(n, seed):
    """Weights well inside the ordered simplex."""
    parts = np.random.default_rng(seed).uniform(0.2, 1, n)
    return np.array([np.sum(parts[k:] / np.arange(k + 1, n + 1)) for k in range(n)]) / parts.sum()


@pytest.mark.parametrize("objective", ["revenue", "highest-bid", "payoff"])
@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize(("rule", "values", "rho"), SETTINGS, ids=str)
@pytest.mark.parametrize("n", [3, 5, 10])
def test_gradient_is_the_limit_of_differences(n, rule, values, rho, power, objective):
    w = interior(n, seed=n)
    g = Game(mechanism(rule, w), values, cost_power=power, risk_aversion=rho)
    f = design_objective(g, rule, objective)
    value, gradient = f(w)
    found = solved(g)
    name = objective.replace("-", "_")
    assert value == pytest.approx(getattr(found, name), rel=1e-8)
    h = 1e-5
    # a last prize above the one before it would make bids fall, but not by this little
    steps = h * np.eye(n)
    differences = (f(w + steps)[0] - f(w - steps)[0]) / (2 * h)
    np.testing.assert_allclose(gradient, differences, atol=1e-6, rtol=1e-6)
    # and of differences of equilibria, along the designs
    move = np.zeros(n)
    move[0], move[1] = h, -h
    up, down = (solved(Game(mechanism(rule, w + s * move), values, power, rho)) for s in (1, -1))
    assert (gradient[0] - gradient[1]) == pytest.approx((getattr(up, name) - getattr(down, name)) / (2 * h), abs=1e-5)


@pytest.mark.parametrize("objective", ["revenue", "highest-bid"])
@pytest.mark.parametrize(
    ("n", "values", "power"),
    [(3, Private(), 2.0), (5, Private(Uniform(1, 2)), 1.0), (10, Private(Beta(2, 3)), 2.0), (50, Private(), 1.0)],
    ids=str,
)
def test_gradient_through_a_differential_equation(n, values, power, objective):
    """Payments by rank and risk-averse bidders: against central differences of equilibria, solved anew for each."""
    w, h, name = interior(n, seed=n), 1e-5, objective.replace("-", "_")
    w *= 0.9 / w[0]
    g = Game(mechanism("payments", 1.0, n), values, power, risk_aversion=2.0)
    gradient = design_objective(g, "payments", objective)(w)[1]
    ranks = range(n) if n < 10 else (0, n // 2, n - 1)
    for k in ranks:
        moved = [
            solved(Game(Mechanism(g.mechanism.prizes, w + s * h * np.eye(n)[k]), values, power, risk_aversion=2.0))
            for s in (1, -1)
        ]
        difference = (getattr(moved[0], name) - getattr(moved[1], name)) / (2 * h)
        assert gradient[k] == pytest.approx(difference, rel=1e-6, abs=1e-6 * np.abs(gradient).max())


@pytest.mark.parametrize("w", [[0.8, 0.2, 0, 0], [1, 0, 0, 0], [1, 0, 0], [1, 0]], ids=str)
@pytest.mark.parametrize("values", [Private(Uniform(1, 2)), Private(Discrete((0, 1)))], ids=str)
def test_gradient_where_only_some_pay(w, values):
    """On the boundary: ranks that pay nothing, and lowest bids that move most as soon as they do."""
    g = Game(mechanism("payments", w), values, risk_aversion=2.0)
    f, w, h = design_objective(g, "payments"), np.array(w, float), 1e-6
    value, gradient = f(w)
    assert value == pytest.approx(solved(g).revenue, rel=1e-9)
    for k, step in enumerate(h * np.eye(len(w))):
        if w[k] > 0:
            assert gradient[k] == pytest.approx((f(w + step)[0] - f(w - step)[0]) / (2 * h), rel=1e-6, abs=1e-8)
        else:  # where the winner alone pays, the last rank's first payment is felt as h^{1/(n−1)} more
            rest = max(10 * h ** (1 / (len(w) - 1)), 1e-3) if k == len(w) - 1 and w[0] == 1 else 1e-3
            assert gradient[k] == pytest.approx((f(w + step)[0] - value) / h, rel=rest)


@pytest.mark.parametrize("rho", [2.0, 20.0])
def test_strong_risk_aversion_is_resolved(rho):
    """Near quantile 1 what bids are worth changes within e^{−ρ} of it; a higher value must never be worth less."""
    for mech in (mechanism("payments", [0.5, 0.5, 0]), mechanism("prizes", [0.7, 0.3, 0]), first_price(20)):
        g = Game(mech, risk_aversion=rho)
        found = solved(g)
        assert gain_of_deviating(g, found) < 1e-8
        v = 1 - np.array([1e-3, 1e-5, 1e-7, 1e-9, 1e-11, 0])
        odds, bids = np.array([chances(g.bidders, x) for x in v]), found.bid_at(v)
        money = v[:, None] * g.mechanism.prizes - bids[:, None] * g.mechanism.payments
        certain = -np.log(np.sum(odds * np.exp(-rho * money), 1)) / rho
        assert np.all(np.diff(certain) > -1e-6)


def test_bids_that_are_no_best_responses_are_found():
    """The check itself: true bids pass, bids a tenth lower do not, nor do bids at which a higher value is worth less."""
    from allpay.theory.pooling import not_best_responses
    from allpay.theory.ranks import Ranks

    g = Game(mechanism("payments", [0.6, 0.4, 0]), risk_aversion=2.0)
    q, ranks = np.linspace(0.001, 0.999, 500), Ranks.of(g.mechanism.prizes, g.mechanism.payments)
    cost = solved(g).bid_at(q)
    assert not_best_responses(g, ranks, q, 1 - q, cost, q) is None
    assert "no best responses" in not_best_responses(g, ranks, q, 1 - q, 0.9 * cost, q)
    assert "give less of it" in not_best_responses(g, ranks, q, 1 - q, cost + q**20, q)


def test_gradient_of_many_designs():
    g = game("prizes", 1.0, 4)
    many = np.array([[interior(4, 1), interior(4, 2), interior(4, 3)]])
    values, gradients = value_and_gradient(g, "prizes", many)
    assert values.shape == (1, 3)
    assert gradients.shape == (1, 3, 4)
    one, slope = value_and_gradient(g, "prizes", many[0, 1])
    assert one == values[0, 1]
    np.testing.assert_array_equal(slope, gradients[0, 1])


@pytest.mark.parametrize(
    "g",
    [
        game("payments", 0.6, 3, max_bid=0.5, overbidding=False),
        game("payments", 0.6, 3, overbidding=False),
    ],
)
def test_objective_is_nan_where_there_is_no_equilibrium(g):
    weights = [[0.6, 0.4, 0], [0.9, 0.1, 0]]
    values, gradients = design_objective(g, "payments", "highest-bid")(weights)
    assert math.isnan(values[0])
    assert np.isnan(gradients[0]).all()
    assert np.isfinite(values[1])


def test_objective_refuses():
    g = game("payments", 1.0, 3)
    with pytest.raises(AllpayError, match="did you mean 'highest-bid'"):
        design_objective(g, "payments", "highest bid")
    with pytest.raises(AllpayError, match="3 finite numbers"):
        design_objective(g, "payments")([0.5, 0.5])
    with pytest.raises(AllpayError, match="positive probability"):
        design_objective(Game(first_price(3), Private(Levels())), "payments")


# Where there is none --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("g", "words"),
    [
        (Game(mechanism("prizes", 0.8), Private(Levels())), "give the distribution a property `breaks`"),
        (Game(all_pay(1000), Private(steps(0, 1, 200_000), levels=2)), "at most 100,000 different values × ranks"),
        (game("payments", 0.5, 3, max_bid=1.0, overbidding=False), "exceed the bidder's value"),
        (game("payments", 0.5, 3, overbidding=False), "exceed the bidder's value"),
        (Game(Mechanism([1, 0, 0], [0, 0.5, 0.5]), max_bid=2.0), "highest bidder pays nothing"),
        (Game(Mechanism([0.7, 0.3, 0], [1, 0, 0]), max_bid=2.0), "rank 2 wins more"),
        (Game(Mechanism([0.5, 0.5, 0], [1, 0.1, 0]), Common()), "fall near quantile"),
        (Game(Mechanism([1, 0, 0], [0.4, 1, 1]), risk_aversion=30.0), "give less of it"),
    ],
)
def test_why_there_is_none(g, words):
    assert equilibrium(g) is None
    reason = why_no_equilibrium(g)
    assert reason is not None
    assert words in reason


def test_cap_above_the_bids_changes_nothing():
    assert solved(game("payments", 0.5, 3, max_bid=1.34)).revenue == pytest.approx(0.5)
    assert solved(game("payments", 0.7, 3, overbidding=False)).revenue == pytest.approx(0.5)


@pytest.mark.parametrize("values", ["private", "common"])
@pytest.mark.parametrize("rho", [0.0, 1.0])
def test_equal_prizes(values, rho):
    found = solved(Game(mechanism("prizes", [0.25] * 4), game("prizes", 1.0, values=values).values, risk_aversion=rho))
    assert found.revenue == found.highest_bid == 0
    assert not found.bid.any()
    exact = {("private", 0.0): 1 / 8, ("common", 0.0): 1 / 4, ("common", 1.0): 1 - math.exp(-1 / 4)}
    assert found.payoff == pytest.approx(exact.get((values, rho), 1 - 4 * (1 - math.exp(-1 / 4))))


def test_one_point_is_a_common_value():
    one, common = (solved(Game(mechanism("prizes", 0.7), v)) for v in (Private(Discrete((2, 2))), Common(2)))
    assert one.revenue == common.revenue


def test_values_without_a_highest():
    """Two bidders, winner-take-all, exponential values: revenue is the mean of the lower one, ½."""

    class Unbounded:
        def quantile(self, q):
            with np.errstate(divide="ignore"):
                return -np.log1p(-np.asarray(q, float))

    for mech in (all_pay(2), first_price(2)):
        assert solved(Game(mech, Private(Unbounded()), max_bid=40.0)).revenue == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("n", [40, 200])
def test_steep_cases_agree_with_finer_quadrature(n, monkeypatch):
    """Nothing is tuned to the games above: finer panels with more nodes change nothing."""
    from allpay.theory import quantiles

    weights = np.sort(np.random.default_rng(n).dirichlet(np.full(n // 4, 0.3)))[::-1]
    games = [
        Game(mechanism("prizes", weights, n), Private(Beta(20, 2)), cost_power=4),
        Game(mechanism("prizes", weights, n), Private(Power(0.2)), cost_power=2, risk_aversion=3),
        Game(mechanism("payments", weights, n), Private(Beta(2, 5))),
        Game(mechanism("payments", weights, n), Common(), risk_aversion=5),
    ]
    usual = [solved(g) for g in games]
    quantiles.legendre_rule.cache_clear()
    monkeypatch.setattr(quantiles, "NODES", 24)
    monkeypatch.setattr(quantiles, "STEP", 4.0)
    fine = [solved(g) for g in games]
    monkeypatch.undo()
    quantiles.legendre_rule.cache_clear()
    for x, y in zip(usual, fine, strict=True):
        assert x.revenue == pytest.approx(y.revenue, rel=1e-9)
        assert x.highest_bid == pytest.approx(y.highest_bid, rel=1e-9)
        np.testing.assert_allclose(x.bid, y.bid, atol=1e-8 * y.bid[-1])


def test_bid_at():
    found = solved(game("prizes", 0.8, 3))
    np.testing.assert_array_equal(found.bid_at(found.quantile), found.bid)
    assert found.bid_at([[0.2, 0.3]]).shape == (1, 2)
    with pytest.raises(AllpayError, match=r"\[0, 1\]: got 1.5"):
        found.bid_at([0.5, 1.5])


def test_a_quantile_function_that_falls():
    class Falling:
        def quantile(self, q):
            return 2 - np.asarray(q, float)

    with pytest.raises(AllpayError, match="nondecreasing"):
        equilibrium(Game(mechanism("prizes", 0.8), Private(Falling()), max_bid=1.0))


def test_a_thousand_bidders_take_no_time():
    g = game("prizes", [0.05] * 20, 1000)
    solved(g)
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        equilibrium(g)
        best = min(best, time.perf_counter() - start)
    assert best < 0.1  # about 6 ms on an idle core


def test_a_mechanism_is_not_yet_a_game():
    for ask in (equilibrium, why_no_equilibrium):
        with pytest.raises(AllpayError, match=r"a Game is needed: got Mechanism\(.*; give Game\(mechanism, values\)"):
            ask(all_pay(3))
