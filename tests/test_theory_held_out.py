"""Equilibria by other mathematics: exponential means and an initial value problem for the risk-averse, sums over jumps."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism, all_pay, first_price
from allpay.contest.payoffs import evaluate
from allpay.contest.values import Beta, Common, Lognormal, Power, Private, Uniform
from allpay.theory import design_objective, equilibrium, why_no_equilibrium
from allpay.theory.quantiles import breaks_of


def solved(g):
    found = equilibrium(g)
    assert found is not None, why_no_equilibrium(g)
    return found


# Bidders who are averse to risk, where only some pay -------------------------------------------------------------------


def first_price_revenue(n, values, rho):
    """e^{ρ b(q)} is the mean of e^{ρv} below q, weighted by d(q^{n−1}): with q = x·y, two integrals over [0, 1]."""
    x, w = np.polynomial.legendre.leggauss(200)
    x, w = (1 + x) / 2, w / 2
    below = x[:, None] ** 4 * x  # nodes gather at 0, where values may be steep
    mean = np.expm1(rho * values.quantile(below.ravel())).reshape(200, 200).T @ (
        w * 4 * x**3 * (n - 1) * x ** (4 * (n - 2))
    )
    return n * float(np.sum(w * x ** (n - 1) * np.log1p(mean) / rho))


@pytest.mark.parametrize("rho", [0.001, 0.3, 1.0, 5.0])
@pytest.mark.parametrize(
    ("n", "values"),
    [
        (3, Lognormal(0, 1, 2)),
        (3, Beta(5, 1)),
        (2, Power(8)),
        (10, Beta(4, 4)),
        (4, Lognormal(-1, 2, 3)),
        (3, Uniform(1, 2)),
        (6, Power(0.2)),
    ],
    ids=str,
)
def test_first_price_and_risk_aversion(n, values, rho):
    g = Game(first_price(n), Private(values), risk_aversion=rho)
    found = solved(g)
    assert found.revenue == pytest.approx(first_price_revenue(n, values, rho), rel=1e-7)
    assert np.all(np.diff(found.bid) >= 0)
    weights = np.eye(n)[0]
    value, gradient = design_objective(g, "payments")(weights)
    assert value == pytest.approx(found.revenue, rel=1e-9)
    assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize(("values", "revenue"), [(Lognormal(0, 1, 2), 0.832382), (Beta(5, 1), 0.855195)], ids=str)
def test_first_price_and_risk_aversion_as_printed(values, revenue):
    assert solved(Game(first_price(3), Private(values), risk_aversion=1.0)).revenue == pytest.approx(revenue, abs=5e-7)


def by_initial_value(n, payments, rho, values):
    """Revenue and highest bid: the first-order condition, stepped through from q ≈ e⁻⁴⁰ to 1 − q ≈ e⁻³⁶ in ln q/(1−q)."""
    p, k = np.array(payments), np.arange(1, n + 1)
    binomials = np.log([math.comb(n - 1, j - 1) for j in k])
    prizes = np.eye(n)[0]

    def slope(s, y):
        log_q, log_rest = -np.logaddexp(0, -s), -np.logaddexp(0, s)
        log = binomials + (n - k) * log_q + (k - 1) * log_rest
        q, rest, c = math.exp(log_q), math.exp(log_rest), y[0]
        if p[-1] == 0:  # ranks that neither win nor pay matter to nothing
            log = np.where(k <= np.max(np.nonzero(p)[0]) + 1, log, -np.inf)
        odds = np.exp(log - log.max())
        money = float(values.quantile(q)) * prizes - p * c
        utility, marginal = -np.expm1(-rho * money) / rho, np.exp(-rho * money)
        rise = np.sum(odds[:-1] * (n - k[:-1]) * (utility[:-1] - utility[1:])) / np.sum(odds * p * marginal)
        paid = float(np.sum(np.exp(log) * p))
        return [rise * rest, n * paid * c * q * rest, n * c * q**n * rest]

    start = float(values.quantile(0.0)) / p[0] if not p[1:].any() else 0.0
    return solve_ivp(slope, (-40, 36), [start, 0, 0], method="Radau", rtol=1e-8, atol=1e-12).y[1:, -1]


@pytest.mark.parametrize(
    ("payments", "rho", "values"),
    [
        ((0.308, 0.8776, 0.3304), 8.0, Uniform()),
        ((0.5, 0.5, 0), 40.0, Uniform()),
        ((0.6, 0.1, 0.9), 2.0, Beta(5, 1)),
        ((0.7, 0, 0, 0), 1.0, Lognormal(0, 1, 2)),
        ((0.9, 0.5, 0.2, 0), 0.01, Power(8)),
    ],
    ids=str,
)
def test_payments_of_a_box_and_risk_aversion(payments, rho, values):
    n = len(payments)
    g = Game(Mechanism(np.eye(n)[0], payments), Private(values), risk_aversion=rho)
    found = solved(g)
    revenue, highest = by_initial_value(n, payments, rho, values)
    assert found.revenue == pytest.approx(revenue, rel=1e-6)
    assert found.highest_bid == pytest.approx(highest, rel=1e-6)
    for objective, expected in (("revenue", found.revenue), ("highest-bid", found.highest_bid)):
        assert design_objective(g, "payments", objective)(payments)[0] == pytest.approx(expected, rel=1e-9)


def test_few_designs_of_a_box_are_skipped():
    rng = np.random.default_rng(8)
    for values in (Uniform(), Beta(4, 4), Power(8), Lognormal(0, 1, 2)):
        g = Game(all_pay(3), Private(values), risk_aversion=4.0)
        designs = np.stack([rng.uniform(0.3, 1, 12), *rng.uniform(0, 1, (2, 12))], -1)
        assert np.isfinite(design_objective(g, "payments")(designs)[0]).all()


def test_only_the_candidate_fails():
    """All may bid ½: the payoff is ⅓ − ½·(1 + .2 + .2)/3 = .1, above it ½ − b ≤ 0, and below it nobody wins anything."""
    g = Game(Mechanism([0.5, 0.5, 0], [1, 0.2, 0.2]), Common(), max_bid=1.0)
    strategy = np.zeros((1, 1, 101))
    strategy[..., 50] = 1
    played = evaluate(g, strategy)
    assert played.exploitability[0] == pytest.approx(0, abs=1e-12)
    assert played.payoff[0] == pytest.approx(0.1)
    assert equilibrium(g) is None
    reason = why_no_equilibrium(g)
    assert "the one candidate that this program knows is no equilibrium" in reason
    assert "not ruled out" in reason
    assert "no equilibrium in nondecreasing bids exists" not in reason


# Values that jump ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Jumping:
    """v(q) = q^power, and more by `rises` from the quantiles `at` on, which nobody is told."""

    at: tuple[float, ...] = (0.6,)
    rises: tuple[float, ...] = (0.6,)
    power: float = 1.0

    def quantile(self, q):
        q = np.asarray(q, float)
        return q**self.power + (q[..., None] >= np.array(self.at)) @ np.array(self.rises)


class Mixture:
    """Values on [.1, .2] with chance .6, else on [.8, 1]."""

    def quantile(self, q):
        q = np.asarray(q, float)
        return np.where(q < 0.6, 0.1 + q / 6, 0.5 + q / 2)


@pytest.mark.parametrize("mechanism", [all_pay(3), first_price(3), Mechanism([1, 0, 0], [0.7, 0.3, 0])], ids=str)
def test_a_jump_that_is_not_declared(mechanism):
    """Revenue is the mean of the second-highest value."""
    g = Game(mechanism, Private(Mixture()))
    assert solved(g).revenue == pytest.approx(0.4116, rel=1e-9)
    rule, weights = ("prizes", mechanism.prizes) if mechanism.payments[-1] else ("payments", mechanism.payments)
    assert design_objective(g, rule)(weights)[0] == pytest.approx(0.4116, rel=1e-9)


def test_many_jumps_are_found():
    rng = np.random.default_rng(5)
    for n in (2, 3, 5):
        for _ in range(8):
            at = np.sort(rng.uniform(0.01, 0.99, int(rng.integers(1, 6))))
            values = Jumping(
                tuple(at), tuple(10 ** rng.uniform(-2.5, 0, len(at))), float(rng.choice([0.125, 0.5, 1, 2]))
            )
            np.testing.assert_allclose(breaks_of(values), at, atol=1e-15)
            ends = [0.0, *at, 1.0]
            second = sum(
                quad(
                    lambda q, v=values, n=n: float(v.quantile(q)) * n * (n - 1) * q ** (n - 2) * (1 - q), a, b - 1e-15
                )[0]
                for a, b in itertools.pairwise(ends)
            )
            assert solved(Game(all_pay(n), Private(values))).revenue == pytest.approx(second, rel=1e-9)


@pytest.mark.parametrize(
    "values",
    [Uniform(), Beta(0.5, 0.5), Beta(20, 0.3), Beta(1, 150), Power(0.1), Power(8), Lognormal(-3, 0.5, 1)],
    ids=str,
)
def test_smooth_values_have_no_jumps(values):
    assert breaks_of(values).size == 0


def test_jumps_in_one_interval_and_beside_declared_ones():
    class Partly(Jumping):
        breaks = (0.3,)

    values = Partly((0.3, 0.5001, 0.5002, 0.9), (1.0, 0.1, 0.1, 0.5))
    np.testing.assert_allclose(breaks_of(values), values.at, atol=1e-15)
