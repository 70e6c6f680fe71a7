"""The game: grids of values and bids, the bid that nobody exceeds, and the message that each fault gets."""

import math
import re
from dataclasses import dataclass, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from allpay.contest.game import Game, Setting, check_game, undominated_bid
from allpay.contest.mechanism import Mechanism, all_pay, first_price
from allpay.contest.values import (
    MOST_CELLS,
    Beta,
    Common,
    Discrete,
    Lognormal,
    Power,
    Private,
    Uniform,
    distribution,
    integers,
    steps,
)
from allpay.errors import AllpayError
from allpay.theory import equilibrium


def refuses(message: str):
    """The error's message contains these words, literally, and is one line."""
    return pytest.raises(AllpayError, match=rf"\A(?=[^\n]*\Z).*{re.escape(message)}")


# --- values


def test_a_level_is_the_middle_of_an_equal_share_of_probability():
    np.testing.assert_allclose(Private(levels=4).grid(), [0.125, 0.375, 0.625, 0.875])
    np.testing.assert_allclose(Private(Uniform(2, 4), levels=2).grid(), [2.5, 3.5])
    np.testing.assert_allclose(Private(Power(2), levels=2).grid(), [0.5, math.sqrt(0.75)])
    np.testing.assert_array_equal(Private(integers(0, 9), levels=10).grid(), np.arange(10))
    np.testing.assert_array_equal(Private(steps(0, 1, 5), levels=5).grid(), [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_array_equal(Common(2.5).grid(), [2.5])


@pytest.mark.parametrize(
    ("values", "frozen"),
    [
        (Uniform(1, 3), stats.uniform(1, 2)),
        (Power(2.5), stats.powerlaw(2.5)),
        (Beta(2, 5), stats.beta(2, 5)),
    ],
)
def test_quantile_functions_are_those_of_scipy(values, frozen):
    q = np.linspace(0, 1, 11)
    np.testing.assert_allclose(values.quantile(q), frozen.ppf(q), atol=1e-12)
    np.testing.assert_allclose(Private(values, levels=200).grid().mean(), frozen.mean(), rtol=1e-3)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(points=st.lists(st.floats(0, 100), min_size=1, max_size=20), q=st.floats(0, 1))
def test_a_discrete_quantile_is_a_point_and_each_has_the_same_share(points, q):
    points = sorted(points)
    values = Discrete(tuple(points))
    assert values.quantile(q) in points
    np.testing.assert_array_equal(Private(values, levels=len(points)).grid(), points)
    np.testing.assert_array_equal(Private(values, levels=3 * len(points)).grid(), np.repeat(points, 3))


def test_highest_values():
    assert Private(Uniform(0, 3)).highest == 3.0
    assert Private(Beta(2, 2)).highest == 1.0
    assert Private(integers(0, 9), levels=3).highest == 9.0
    assert Common(0.4).highest == 0.4


@dataclass(frozen=True)
class Exponential:
    """A user's own distribution, without a highest value."""

    def quantile(self, q):
        with np.errstate(divide="ignore"):
            return -np.log1p(-np.asarray(q, float))


def test_any_object_with_a_quantile_function_will_do():
    values = Private(Exponential(), levels=8)
    assert values.highest == values.grid()[-1] == -math.log(1 / 16)
    assert Game(all_pay(3), values).top_bid == values.highest


def test_a_quantile_function_that_falls_is_refused():
    @dataclass(frozen=True)
    class Falling:
        def quantile(self, q):
            return 1 - np.asarray(q, float)

    with refuses("must be finite, ≥ 0 and nondecreasing"):
        Private(Falling()).grid()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uniform(0,1)", Uniform()),
        ("uniform", Uniform()),
        (" uniform ( 1 , 3 ) ", Uniform(1, 3)),
        ("Uniform(0,1)", Uniform()),
        ("BETA(2,5)", Beta(2, 5)),
        ("uniform(0,1E2)", Uniform(0, 100)),
        ("power(2)", Power(2)),
        ("beta(2,5)", Beta(2, 5)),
        ("integers(0,9)", Discrete(tuple(range(10)))),
        ("steps(0,1,3)", Discrete((0, 0.5, 1))),
    ],
)
def test_a_distribution_is_read_from_text(text, expected):
    assert distribution(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "unifrom(0,1)",
            "unknown distribution 'unifrom': choose from uniform, power, beta, lognormal, integers, steps",
        ),
        ("unifrom(0,1)", "did you mean 'uniform'?"),
        ("uniform(0,1", "cannot read the distribution 'uniform(0,1': write it as uniform(0,1) or beta(2,5)"),
        ("", "cannot read the distribution ''"),
        ("uniform(a,b)", "cannot read the numbers of 'uniform(a,b)': write them as in beta(2,5)"),
        ("uniform(0,1,2)", "uniform(low,high) takes at most 2 numbers: got 3 in 'uniform(0,1,2)'"),
        ("power(1,2,3)", "power(exponent,high) takes at most 1 or 2 numbers: got 3 in 'power(1,2,3)'"),
        ("beta(2)", "beta(a,b,high) takes 2 or 3 numbers: got 1 in 'beta(2)'"),
        ("steps", "steps(low,high,count) takes 3 numbers: got 0 in 'steps'"),
        ("integers(0,inf)", "high of integers must be finite: got inf"),
        ("integers(0,nan)", "high of integers must be finite: got nan"),
        ("integers(0,1e9)", "integers from low to high must be at most 10,000,000: got 1,000,000,001, 8 GB a table"),
        ("steps(0,1,1e9)", "count of steps must be at most 10,000,000: got 1,000,000,000, 8 GB a table; give fewer"),
        ("steps(0,1,0)", "count of steps must be at least 1: got 0"),
        ("steps(0,1,nan)", "count of steps must be finite: got nan"),
        ("uniform(1,0)", "uniform values need 0 ≤ low < high, both finite: got low 1, high 0"),
        ("uniform(-1,1)", "uniform values need 0 ≤ low < high, both finite: got low -1, high 1"),
        ("uniform(0,nan)", "uniform values need 0 ≤ low < high, both finite: got low 0, high nan"),
        ("power(0)", "power values need an exponent above 0: got 0"),
        ("beta(0,1)", "beta values need a > 0 and b > 0: got a 0, b 1"),
        ("integers(9,0)", "low must not exceed high, got low 9, high 0"),
        ("integers(-1,1)", "discrete values must be finite, ≥ 0 and nondecreasing: got [-1.0, 0.0, 1.0]"),
    ],
)
def test_a_distribution_that_cannot_be_is_refused_by_name(text, message):
    with refuses(message):
        distribution(text)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Private(levels=0), "value levels must be at least 1: got 0"),
        (lambda: Private(levels=2.5), "value levels must be a whole number: got 2.5"),
        (lambda: Private(levels=10**9), "value levels must be at most 10,000,000: got 1,000,000,000, 8 GB a table"),
        (lambda: Private(Beta), "got Beta; it is a class, so call it with its numbers, as Beta(…)"),
        (lambda: Private("uniform"), "private values need a distribution: got 'uniform'; give one, as Uniform(0, 1)"),
        (lambda: Uniform("0", 1), "low must be a number: got '0'"),
        (lambda: Power("2"), "exponent must be a number: got '2'"),
        (lambda: Beta(2, None), "b must be a number: got None"),
        (lambda: Discrete(3), "discrete values must be several numbers: got 3"),
        (lambda: Common("1"), "a common value must be a number: got '1'"),
        (lambda: Common(0), "a common value must be above 0: got 0"),
        (lambda: Common(-1), "a common value must be above 0: got -1"),
        (lambda: Common(math.nan), "a common value must be above 0: got nan"),
        (lambda: Discrete((2, 1)), "discrete values must be finite, ≥ 0 and nondecreasing: got [2.0, 1.0]"),
    ],
)
def test_values_that_cannot_be_are_refused(make, message):
    with refuses(message):
        make()


# --- the game


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cost_power": 0}, "cost power must be above 0: got 0"),
        ({"cost_power": -1}, "cost power must be above 0: got -1"),
        ({"cost_power": math.nan}, "cost power must be above 0: got nan"),
        ({"risk_aversion": -0.5}, "risk aversion must be at least 0: got -0.5"),
        ({"risk_aversion": math.inf}, "risk aversion must be at least 0: got inf"),
        ({"bid_levels": 1}, "bid levels must be at least 2: got 1"),
        ({"bid_levels": 2.5}, "bid levels must be a whole number: got 2.5"),
        (
            {"bid_levels": 1_000_000_000},
            "value levels × bid levels must be at most 10,000,000: got 64 × 1,000,000,000, 512 GB a table",
        ),
        ({"cost_power": "2"}, "cost power must be a number: got '2'"),
        ({"risk_aversion": None}, "risk aversion must be a number: got None"),
        ({"max_bid": "1"}, "max bid must be a number: got '1'"),
        ({"values": Uniform}, "values must be Private(…) or Common(…): got <class"),
        ({"max_bid": 0}, "max bid must be above 0 and finite: got 0"),
        ({"max_bid": -2}, "max bid must be above 0 and finite: got -2"),
        ({"max_bid": math.nan}, "max bid must be above 0 and finite: got nan"),
        ({"values": "privat"}, "unknown kind of values 'privat': choose from private, common; did you mean 'private'?"),
        ({"values": Private(integers(0, 0), levels=1)}, "no value is above 0"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with refuses(message):
        Game.from_weights("prizes", 0.8, 3, **options)


def test_a_game_needs_a_mechanism():
    with refuses("a game needs a Mechanism: got 'prizes'; give all_pay(3), or use Game.from_weights(rule, weights)"):
        Game("prizes")


def test_as_many_cells_as_the_bound_says_are_allowed():
    assert Game(all_pay(3), Common(), bid_levels=MOST_CELLS).bid_levels == MOST_CELLS
    with refuses("got 1 × 10,000,001"):
        Game(all_pay(3), Common(), bid_levels=MOST_CELLS + 1)


def test_what_is_no_game_is_told_what_to_give():
    check_game(Game(all_pay(3)))
    with refuses("a Game is needed: got Mechanism("):
        check_game(all_pay(3))
    with refuses("give Game(mechanism, values)"):
        check_game(all_pay(3))
    with refuses("a Game is needed: got 3; give one, as Game(all_pay(3))"):
        check_game(3)


@pytest.mark.parametrize("bidders", [0, 1])
def test_a_game_needs_two_bidders(bidders):
    with refuses(f"an auction needs at least 2 bidders: got {bidders}"):
        Game.from_weights("prizes", 0.8, bidders)


def test_a_winner_who_pays_nothing_needs_a_cap():
    free = Mechanism((1, 0), (0, 1))
    with refuses("any bid can be rational: give max_bid"):
        Game(free)
    assert Game(free, max_bid=2.0).top_bid == 2.0
    assert Game(free, overbidding=False).top_bid == 1.0


def test_bids_are_equally_spaced_from_zero_to_the_top():
    g = Game.from_weights("prizes", 0.8, 3, bid_levels=5, max_bid=2.0, cost_power=2.0)
    np.testing.assert_array_equal(g.bid_grid, [0, 0.5, 1, 1.5, 2])
    np.testing.assert_array_equal(g.costs, [0, 0.25, 1, 2.25, 4])


def test_without_overbidding_bids_end_at_the_bidders_own_value():
    g = Game(all_pay(3), Private(integers(0, 9), levels=10), bid_levels=10, overbidding=False)
    np.testing.assert_array_equal(g.bid_grid, np.arange(10))
    np.testing.assert_array_equal(g.allowed, np.arange(1, 11))
    tenths = Discrete((0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1))
    g = Game(all_pay(3), Private(tenths, levels=11), bid_levels=11, overbidding=False)
    assert g.bid_grid[3] > 0.3  # by rounding, and yet a value of 0.3 may bid it
    np.testing.assert_array_equal(g.allowed, np.arange(1, 12))
    np.testing.assert_array_equal(Game(all_pay(3), bid_levels=7).allowed, np.full(64, 7))


def test_utility():
    z = np.array([-1.0, 0.0, 0.5])
    np.testing.assert_array_equal(Game(all_pay(2)).utility(z), z)
    np.testing.assert_allclose(Game(all_pay(2), risk_aversion=2.0).utility(z), (1 - np.exp(-2 * z)) / 2)
    np.testing.assert_allclose(Game(all_pay(2), risk_aversion=1e-9).utility(z), z, atol=1e-8)


def test_a_setting_is_a_game_without_its_mechanism():
    of_game = [f.name for f in fields(Game) if f.name != "mechanism"]
    assert [f.name for f in fields(Setting)] == [*of_game, "luck", "reserve", "fee", "ties"]
    assert Setting() == Setting(**{name: getattr(Game(all_pay(2)), name) for name in of_game})
    setting = Setting(Common(), cost_power=2.0, bid_levels=11)
    assert setting.game(first_price(3)) == Game(first_price(3), Common(), cost_power=2.0, bid_levels=11)


def test_games_compare_and_hash_by_what_they_are():
    assert Game.from_weights("prizes", 0.8) == Game.from_weights("prizes", (0.8, 0.2, 0.0))
    assert hash(Game.from_weights("prizes", 0.8)) == hash(Game.from_weights("prizes", 0.8))
    assert Game.from_weights("prizes", 0.8) != Game.from_weights("payments", 0.8)


# --- the undominated bid


def test_undominated_bids_that_are_known():
    assert Game.from_weights("prizes", 0.8, 3).top_bid == 0.8
    assert Game.from_weights("prizes", 0.8, 3, cost_power=2.0).top_bid == pytest.approx(math.sqrt(0.8))
    assert Game.from_weights("payments", 0.5, 3).top_bid == 2.0  # the equilibrium reaches 4/3 there
    assert Game.from_weights("payments", 1.0, 3).top_bid == 1.0
    assert Game.from_weights("prizes", 0.8, 3, values=Common(2.0)).top_bid == pytest.approx(1.6)
    assert Game.from_weights("prizes", (0.5, 0.5)).top_bid == 1.0  # equal prizes: any grid will do


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    prizes=st.lists(st.floats(0, 1), min_size=2, max_size=5).filter(any),
    seed=st.integers(0, 10_000),
    cost_power=st.sampled_from([0.5, 1.0, 2.0]),
    risk_aversion=st.sampled_from([0.0, 2.0]),
)
def test_above_the_undominated_bid_no_rank_beats_bidding_zero_and_below_it_one_does(
    prizes, seed, cost_power, risk_aversion
):
    rng = np.random.default_rng(seed)
    m = Mechanism(tuple(sorted(prizes, reverse=True)), tuple(rng.uniform(0.05, 1.0, len(prizes))))
    g = Game(m, Private(Uniform(0, 2)), cost_power, risk_aversion)
    top = undominated_bid(g)
    a, p = np.array(m.prizes), np.array(m.payments)
    values = np.linspace(0, 2, 21)[:, None, None]

    def worth(bids):
        """`[values, bids, ranks]`"""
        return g.utility(values * a - p * (np.asarray(bids, float) ** cost_power)[:, None])

    nothing = g.utility(values[..., 0] * a[-1])
    above = worth(top * np.linspace(1 + 1e-9, 3, 50) + 1e-9)
    assert np.all(above.max(axis=-1) <= nothing + 1e-12)
    if a[0] - a[-1] > 1e-3:
        below = worth([0.99 * top])
        assert below[-1].max() > nothing[-1, 0]


def test_one_mechanism_may_be_played_in_many_games():
    m = Mechanism.from_weights("prizes", 0.6, 3)
    assert Game(m).mechanism is Game(m, Common()).mechanism


def test_a_discrete_distribution_is_played_point_by_point():
    assert Private(integers(0, 9)).levels == 10
    np.testing.assert_array_equal(Private(integers(0, 9)).grid(), np.arange(10.0))
    assert Private(Uniform()).levels == 64


def test_the_truncated_lognormal_is_what_it_says():
    from scipy.integrate import quad
    from scipy.stats import lognorm

    law, drawn = lognorm(s=0.7, scale=np.exp(-0.5)), Lognormal(-0.5, 0.7, 1.5)
    q = np.array([0.0, 1e-9, 0.1, 0.5, 0.9, 1.0])
    np.testing.assert_allclose(law.cdf(drawn.quantile(q)) / law.cdf(1.5), q, atol=1e-12)
    assert drawn.quantile(1.0) == pytest.approx(1.5)
    assert drawn.quantile(0.0) == 0.0
    assert distribution("lognormal(-0.5, 0.7, 1.5)") == drawn
    found = equilibrium(Game.from_weights("prizes", 1.0, 3, values=Private(drawn)))
    # winner-take-all: revenue is the expected second highest value of three draws
    second = quad(lambda x: 6 * x * (1 - x) * float(drawn.quantile(x)), 0, 1, epsabs=1e-12)[0]
    assert found.revenue == pytest.approx(second, abs=1e-8)
    with refuses("above 0"):
        Lognormal(0, -1, 1)


def test_a_risk_aversion_beyond_all_numbers_is_refused():
    Game.from_weights("prizes", 0.8, 3, risk_aversion=100.0)
    with pytest.raises(AllpayError, match="risk aversion must be at most 100 where 1 can be lost or won: got 1e\\+06"):
        Game.from_weights("prizes", 0.8, 3, risk_aversion=1e6)


def test_values_that_fall_by_a_rounding_error_are_taken_and_rise():
    """As a smooth quantile function with a flat stretch, of which the last bits go up and down."""

    @dataclass(frozen=True)
    class Flat:
        fall: float

        def quantile(self, q):
            return np.where(np.arange(np.size(q)) % 2 == 0, 0.5, 0.5 * (1 - self.fall)).reshape(np.shape(q))

    grid = Private(Flat(1e-15), levels=8).grid()
    np.testing.assert_array_equal(grid, 0.5)
    with pytest.raises(AllpayError, match="nondecreasing"):
        Private(Flat(1e-9), levels=8).grid()
