"""The interior-point solver against closed forms, against definitions on the public payoffs, and where learning circles."""

from decimal import Decimal, localcontext
from functools import cache

import numpy as np
import pytest

from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism, all_pay, first_price
from allpay.contest.payoffs import expected_payoffs, quadrature, terms, tie_averages, tie_slopes
from allpay.contest.values import Beta, Common, Power, Private, Uniform, integers
from allpay.errors import AllpayError
from allpay.learners import InteriorPoint, learn, run_seeds
from allpay.learners.interior_point import _Alike, _direct, _linearise, _look, _point
from allpay.learners.linear import factor, substitute
from allpay.outcome import Verdict
from allpay.theory import equilibrium

QUICK = InteriorPoint(auctions=1000)


@cache
def prizes(w: float, values: str, cost_power: float = 1.0, risk_aversion: float = 0.0, bids: int = 101):
    g = Game.from_weights(
        "prizes", w, 3, values=values, cost_power=cost_power, risk_aversion=risk_aversion, bid_levels=bids
    )
    return learn(g, QUICK, rounds=2)


# --- the equilibria that are known


@pytest.mark.parametrize("cost_power", [1.0, 2.0], ids=["linear", "quadratic"])
@pytest.mark.parametrize("w", [0.5, 0.6, 0.7, 0.8, 1.0])
def test_private_values(w, cost_power):
    found = prizes(w, "private", cost_power)
    expected = equilibrium(found.games[0])
    assert found.relative_exploitability.max() <= 1e-10
    np.testing.assert_allclose(found.revenue, expected.revenue, rtol=0.006)
    np.testing.assert_allclose(found.highest_bid, expected.highest_bid, rtol=0.01)
    mean_bids = found.strategy[0, 0, 0] @ found.games[0].bid_grid
    assert np.abs(mean_bids - expected.bid_at((np.arange(64) + 0.5) / 64)).mean() < 0.006


@pytest.mark.parametrize(
    ("cost_power", "risk_aversion"), [(1.0, 0.0), (2.0, 0.0), (1.0, 2.0)], ids=["linear", "quadratic", "averse"]
)
@pytest.mark.parametrize("w", [0.5, 0.6, 0.7, 0.8, 1.0])
def test_a_common_value(w, cost_power, risk_aversion):
    """The grid costs revenue in proportion to its step: here a bid of 0 wins a tie with rivals who bid 0 too."""
    found = prizes(w, "common", cost_power, risk_aversion)
    expected = equilibrium(found.games[0])
    assert found.relative_exploitability.max() <= 1e-10
    assert np.all(found.verdicts == Verdict.CONVERGED)
    np.testing.assert_allclose(found.revenue, expected.revenue, rtol=0.02)
    np.testing.assert_allclose(found.highest_bid, expected.highest_bid, rtol=0.03)


def test_finer_grids_come_to_the_closed_form():
    errors = [abs(prizes(0.8, "common", bids=bids).revenue[0, 0] - 1) for bids in (51, 101, 201)]
    assert errors[0] > 1.8 * errors[1] > 1.8**2 * errors[2]


def test_prizes_split_in_halves_with_a_common_value_in_few_iterations():
    """Where every learning rule circles, for all of ten rounds that begin elsewhere."""
    found = learn(Game.from_weights("prizes", 0.5, 3, values="common"), QUICK, rounds=10)
    assert found.exploitability.max() <= 1e-10
    assert found.iterations.max() <= 60


@pytest.mark.parametrize("n", [2, 4, 8, 30])
def test_winner_take_all(n):
    found = learn(Game(all_pay(n), Private(levels=32), bid_levels=81), QUICK, rounds=1)
    assert found.relative_exploitability.max() <= 1e-10
    np.testing.assert_allclose(found.revenue, (n - 1) / (n + 1), rtol=0.03)


def test_first_price():
    found = learn(Game(first_price(3)), QUICK, rounds=1)
    assert found.relative_exploitability.max() <= 1e-10
    np.testing.assert_allclose(found.revenue, 0.5, rtol=0.015)


@pytest.mark.parametrize("w", [0.5, 0.8, 1.0])
def test_payments_with_private_values_all_raise_a_half(w):
    found = learn(Game.from_weights("payments", w, 3), QUICK, rounds=1)
    assert found.relative_exploitability.max() <= 1e-10
    np.testing.assert_allclose(found.revenue, 0.5, rtol=0.015)


@pytest.mark.parametrize(
    "options",
    [
        {"overbidding": False},
        {"max_bid": 0.4},
        {"values": Private(integers(0, 9), levels=10), "bid_levels": 10, "overbidding": False},
        {"values": Private(Uniform(0.5, 1), levels=7), "risk_aversion": 3.0},
        {"cost_power": 2.0, "bid_levels": 31},
    ],
    ids=["no overbidding", "cap", "integers", "averse", "quadratic"],
)
@pytest.mark.parametrize("rule", ["prizes", "payments"])
@pytest.mark.parametrize("w", [0.5, 0.8])
def test_games_without_a_closed_form(rule, w, options):
    """Exploitability is exact, so it is the proof; and no bid that is not allowed is made."""
    g = Game.from_weights(rule, w, 3, **options)
    found = learn(g, QUICK, rounds=2)
    assert found.relative_exploitability.max() <= 1e-10
    assert np.all(found.strategy[..., np.arange(g.bid_levels) >= g.allowed[:, None]] == 0)


def test_a_game_with_one_equilibrium_has_one_answer():
    found = learn(Game.from_weights("prizes", 0.8, 3), QUICK, rounds=4)
    np.testing.assert_allclose(found.revenue, found.revenue[0, 0], atol=1e-6)


@pytest.mark.parametrize(
    "game",
    [
        Game(first_price(50), Private(Beta(1, 50))),
        Game(first_price(30), Private(Beta(5, 1))),
        Game(first_price(20), Private(Power(2))),
        Game(first_price(10), Private(Uniform(0.5, 1))),
        Game(
            Mechanism((0.6, 0.25, 0.15, 0, 0, 0, 0, 0), (1,) * 8),
            [(Bidder(Private(Beta(5, 1), 16)), 3), (Bidder(Private(Uniform(0, 0.6), 16)), 5)],
            bid_levels=51,
        ),
    ],
    ids=["few win anything", "nearly alike", "power", "far from 0", "groups"],
)
def test_games_whose_path_turns_back_are_solved(game):
    """Other attempts begin elsewhere, and follow another path."""
    found = learn(game, QUICK, rounds=1)
    assert found.relative_exploitability.max() <= 1e-10 * (1 + 1e-6)
    assert np.all(found.verdicts == Verdict.CONVERGED)


# --- the parts


@pytest.mark.parametrize("n", [2, 3, 4, 7, 16, 17, 40])
def test_slopes_of_tie_averages_are_their_differences(n):
    rng = np.random.default_rng(n)
    coefficients = np.sort(rng.random((2, n)), axis=1)[:, ::-1].copy()
    coefficients[1, -1] = coefficients[1, 0]  # not monotone
    cdf = np.concatenate([[0], np.sort(rng.random(6)), [1]])
    cdf[3] = cdf[2]  # a bid that nobody makes
    rule = quadrature(n)

    def averages(points):
        out = np.empty((2, 7))
        tie_averages(coefficients, points, rule.nodes, rule.weights, rule.log_binomials, out)
        return out

    lower, upper = np.empty((2, 7)), np.empty((2, 7))
    falls = (1 - n) * np.diff(coefficients, axis=1)
    tie_slopes(falls, cdf, rule.nodes, rule.weights, quadrature(n - 1).log_binomials, lower, upper)
    for b in range(7):
        if b > 0:
            step = 1e-6 * (np.arange(8) == b)
            np.testing.assert_allclose(
                lower[:, b], (averages(cdf + step) - averages(cdf - step))[:, b] / 2e-6, atol=1e-7
            )
        if b < 6:
            step = 1e-6 * (np.arange(8) == b + 1)
            np.testing.assert_allclose(
                upper[:, b], (averages(cdf + step) - averages(cdf - step))[:, b] / 2e-6, atol=1e-7
            )


def test_equations_are_solved():
    rng = np.random.default_rng(0)
    a, y = rng.normal(size=(12, 12)), rng.normal(size=12)
    a[0, 0] = 0  # no solution without a change of rows
    factors, pivots, x = a.copy(), np.empty(12, np.int64), y.copy()
    factor(factors, pivots)
    substitute(factors, pivots, x)
    np.testing.assert_allclose(a @ x, y, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"overbidding": False}, {"risk_aversion": 2.0}, {"values": Common()}])
def test_a_step_solves_the_linearised_conditions(options):
    """Newton's step against differences of the public payoffs: no formula of the solver is used twice."""
    g = Game.from_weights("payments", 0.7, 3, **({"values": Private(levels=4), "bid_levels": 7} | options))
    term, rule = terms(g), quadrature(3)
    table = term.table[0]
    payoffs = _Alike(term.coefficients, table, g.allowed, rule.nodes, rule.weights, rule.log_binomials)
    rng = np.random.default_rng(1)
    p = _point(*table.shape)
    may = np.arange(7) < g.allowed[:, None]
    p.mix[:] = rng.random(may.shape) * may
    p.mix[:] /= p.mix.sum(axis=1, keepdims=True)
    p.slack[:] = rng.random(may.shape) + 0.1
    p.level[:] = rng.random(len(p.level))
    _look(p, payoffs, p.mix, p.mix, 0.0)
    np.testing.assert_allclose(p.payoff[may], expected_payoffs(g, p.mix.mean(axis=0))[may], atol=1e-14)
    falls = -2 * np.diff(term.coefficients, axis=1)
    tie_slopes(falls, p.cdf, rule.nodes, rule.weights, quadrature(2).log_binomials, p.lower, p.upper)
    _linearise(p, payoffs)
    assert 0 < _direct(p, payoffs, 0.01) <= 1
    np.testing.assert_allclose(p.mix_step.sum(axis=1), 0, atol=1e-12)
    both = p.mix * p.slack + p.mix * p.slack_step + p.slack * p.mix_step
    np.testing.assert_allclose(both[may], 0.01, atol=1e-12)
    h = 1e-5 / np.abs(p.mix_step).max() * p.mix[may].min()
    up, down = (expected_payoffs(g, (p.mix + sign * h * p.mix_step).mean(axis=0)) for sign in (1, -1))
    payoff_step = (up - down) / (2 * h)
    slack = (p.level + p.level_step)[:, None] - p.payoff - payoff_step
    np.testing.assert_allclose((p.slack + p.slack_step)[may], slack[may], atol=1e-6)


# --- the run


def test_a_run_stops_as_soon_as_it_is_within_the_tolerance():
    g = Game.from_weights("prizes", 0.8, 3)
    found = learn(g, InteriorPoint(tolerance=1e-3, auctions=1000), rounds=3)
    assert np.all(found.relative_exploitability <= 1e-3)
    assert np.all(found.iterations < learn(g, QUICK, rounds=3).iterations)
    assert found.tolerance == 1e-3
    for taken, history in zip(found.iterations[0], found.history[0], strict=True):
        known = history[np.isfinite(history)]
        assert len(known) == min(taken + 1, len(history))
        assert np.all(known[:-1] > 1e-3 * 0.8)  # of the top prize


def test_history_ends_with_the_exploitability_of_the_strategy():
    found = prizes(0.5, "common")
    for history, last in zip(found.history[0], found.exploitability[0], strict=True):
        assert history[np.isfinite(history)][-1] == pytest.approx(last, abs=1e-14)


def test_a_run_without_iterations_to_spare_keeps_the_best_it_has_seen():
    g = Game.from_weights("prizes", 0.5, 3, values="common")
    few = learn(g, InteriorPoint(iterations=6, auctions=1000), rounds=3)
    assert few.iterations.tolist() == [[6, 6, 6]]
    np.testing.assert_allclose(few.exploitability[0], np.nanmin(few.history[0], axis=1), atol=1e-12)


def far_apart():
    """Utilities of 1e24 beside those of 1."""
    return Game.from_weights(
        "payments", (0.8, 0.2), 2, values=Private(integers(0, 9), levels=10),
        cost_power=2.0, risk_aversion=3.0, bid_levels=10, max_bid=5.0,
    )  # fmt: skip


def test_utilities_far_apart_are_no_hindrance():
    """The gain that is left is that of arithmetic of sixty digits."""
    game = far_apart()
    found = learn(game, QUICK, rounds=1)
    with localcontext(prec=60):
        x = [[Decimal(float(p)) for p in row] for row in found.strategy[0, 0, 0]]
        mass = [sum(row[b] for row in x) / 10 for b in range(10)]
        win = [sum(mass[:b]) + mass[b] / 2 for b in range(10)]
        gain = Decimal(0)
        for row, value in zip(x, game.value_grid, strict=True):
            worth = []
            for bid, chance in zip(game.bid_grid, win, strict=True):
                first, second = (
                    (1 - (-3 * (Decimal(float(value)) * a - Decimal(p) * Decimal(float(bid)) ** 2)).exp()) / 3
                    for a, p in ((1, 0.8), (0, 0.2))
                )
                worth.append(chance * first + (1 - chance) * second)
            gain += max(worth) - sum(p * u for p, u in zip(row, worth, strict=True)) / sum(row)
    assert found.exploitability[0, 0] == pytest.approx(float(gain) / 10, rel=1e-3)
    assert found.relative_exploitability[0, 0] <= 1e-10


def test_a_run_that_does_not_get_there_ends_all_the_same():
    """It begins again and again, and says that it did not get there."""
    game = Game(first_price(15), Private(Beta(5, 1)))
    found = learn(game, InteriorPoint(iterations=400, tolerance=1e-9, auctions=1000), rounds=1)
    assert found.iterations.tolist() == [[400]]
    assert found.verdicts.tolist() == [[Verdict.UNSOLVED]]
    assert np.all(np.isfinite(found.strategy))


def test_seeds_decide_where_a_run_starts():
    g = Game.from_weights("prizes", 0.8, 3, values=Private(levels=3), bid_levels=5)
    found = InteriorPoint(iterations=1, auctions=10).learn([g], run_seeds(2, 1, 5))
    assert len(np.unique(found.history[0, :, 0])) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "iterations must be at least 1: got 0"),
        ({"tolerance": -0.1}, r"tolerance must be above 0: got -0\.1"),
        ({"auctions": 0}, "auctions must be at least 1: got 0"),
    ],
)
def test_options_out_of_bounds_are_refused(options, message):
    with pytest.raises(AllpayError, match=message):
        InteriorPoint(**options)
