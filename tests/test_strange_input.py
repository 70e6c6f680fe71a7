"""Input that nobody should give, thrown at everything that Python programs call: one short line, or a right result.

What is called, and with which fields, is read off the dataclasses and functions themselves.
"""

import dataclasses
import inspect
import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import allpay
from allpay import AllpayError, Beta, DesignSpace, Discrete, Game, Lognormal, Mechanism, Power, Private, Setting, Study
from allpay.contest.auction import play
from allpay.contest.mechanism import all_pay, complete_weights, first_price
from allpay.contest.payoffs import evaluate, expected_payoffs, exploitability
from allpay.contest.values import Common, Uniform, distribution, integers, steps
from allpay.learners import DQN, LEARNERS, PPO, FictitiousPlay, learn, learner, run_seeds
from allpay.outcome import distance_of, stake
from allpay.simplex import Box, OrderedSimplex

GAME = Game(all_pay(3), Private(levels=2), bid_levels=3)
FAIR = np.full((1, 2, 3), 1 / 3)
QUICK = FictitiousPlay(iterations=3, auctions=3)


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Compiled once, so that the time of a call is its own; not when tests are collected, which every worker does."""
    learn(GAME, QUICK, rounds=1)


class Lying:
    """A distribution that is none."""

    def __init__(self, how):
        self.how = how

    def __repr__(self):
        return "Lying\n" * 200

    def quantile(self, q):
        return self.how(np.asarray(q, float))


def spoiling(q):
    """It changes its argument, which was a copy."""
    values = q.copy()
    q *= 0
    return values


def raising(q):
    raise RuntimeError("first line\nsecond line")


LIES = {
    "not a number at 1": lambda q: np.where(q == 1, np.nan, q),
    "not a number": lambda q: q * np.nan,
    "highest below the grid": lambda q: np.where(q == 1, 0.1, q),
    "falling": lambda q: 1 - q,
    "negative": lambda q: q - 0.5,
    "infinite inside": lambda q: np.where(q > 0.3, np.inf, q),
    "huge": lambda q: q * 1e200,
    "one number": lambda q: 0.5,
    "another shape": lambda q: np.ones((*q.shape, 2)),
    "complex": lambda q: q + 1j,
    "text": lambda q: q.astype(str),
    "nothing": lambda q: None,
    "zero": lambda q: q * 0,
    "an error": raising,
}

NUMBERS = [
    *(10**400, -(10**400), 10**5000, Fraction(10**400), Fraction(1, 3), Decimal("1e400"), Decimal(1), 1e308, 5e-324),
    *(float("nan"), float("inf"), float("-inf"), 1e-300, -0.0, -1, 0, 1, 2, 3, 0.5, 0.999, 3.7, 1e-3, 1e100, 1e101),
    *(10**6, 10**9, 10**12, 10**20, 2**53, 2**63, 2**64, 2**128, True, False, 1 + 2j, np.int64(3), np.uint8(200)),
    *(np.float32(0.5), np.float64("nan"), np.bool_(False), np.array(1.5), np.longdouble(2), np.complex128(1)),
]
OTHERS = [
    *(
        "no",
        "12",
        "",
        "x" * 5000,
        "a\nb",
        "\x1b[31mred",
        b"1",
        None,
        [],
        (),
        {},
        {1, 2},
        [1, 2],
        [[1], [2, 3]],
        range(3),
    ),
    *(object(), int, len, np.array([1.0, 2.0]), np.array(["a"]), np.datetime64("2020-01-01"), iter([1.0]), [10**400]),
    *([float("nan")] * 3, (1, "2"), (1.0, 0.0, 0.0), (0.5, 0.6), [1j], Uniform, Uniform(), Common(), GAME, QUICK, FAIR),
]
strange = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from(OTHERS),
    st.sampled_from(sorted(LIES)).map(lambda name: Lying(LIES[name])),
    st.floats(),
    st.integers(-(10**30), 10**30),
    st.fractions(),
    st.decimals(),
    st.complex_numbers(),
    st.text(max_size=20),
    st.binary(max_size=9),
    st.lists(st.one_of(st.floats(), st.integers(), st.text(max_size=3)), max_size=5),
)

VALID = {
    Uniform: {"low": 0.0, "high": 1.0},
    Power: {"exponent": 2.0},
    Beta: {"a": 2.0, "b": 5.0},
    Lognormal: {"mean": 0.0, "deviation": 1.0, "high": 1.0},
    Discrete: {"points": (0.0, 1.0)},
    Private: {"distribution": Uniform(), "levels": 3},
    Common: {"value": 1.0},
    Mechanism: {"prizes": (1.0, 0.0), "payments": (1.0, 1.0)},
    Game: {"mechanism": all_pay(2), "values": Private(levels=2), "bid_levels": 3},
    Setting: {"bid_levels": 5},
    DesignSpace: {"rule": "payments", "bidders": 4},
    Study: {"samples": 6, "rounds": 2, "learner": QUICK},
    OrderedSimplex: {"n": 4, "m": 3},
    Box: {"n": 3, "low": (0.1, 0.0), "high": (1.0, 1.0)},
    **{LEARNERS[name]: {} for name in LEARNERS},
    integers: {"low": 0, "high": 9},
    steps: {"low": 0, "high": 1, "count": 5},
    distribution: {"text": "beta(2,5)"},
    all_pay: {"bidders": 3},
    first_price: {"bidders": 3},
    complete_weights: {"weights": 0.8, "bidders": 3},
    Mechanism.from_weights: {"rule": "prizes", "weights": 0.8, "bidders": 3},
    Game.from_weights: {"rule": "prizes", "weights": 0.8, "bidders": 3, "values": "private", "bid_levels": 3},
    learner: {"name": "fictitious-play", "iterations": 5, "weighting": 1.0, "tolerance": 0.1},
    play: {"game": GAME, "strategy": FAIR, "auctions": 5, "seed": 1},
    evaluate: {"game": GAME, "strategy": FAIR},
    exploitability: {"game": GAME, "strategy": FAIR},
    expected_payoffs: {"game": GAME, "mass": FAIR[0, 0]},
    learn: {"game": GAME, "learner": QUICK, "rounds": 2, "seed": 1},
    run_seeds: {"seed": 1, "designs": 2, "rounds": 2, "stream": 0},
    allpay.equilibrium: {"game": GAME},
    allpay.why_no_equilibrium: {"game": GAME},
}
"""What is called, and with what it works."""


def fields_of(call):
    """The names of what a dataclass or a function takes."""
    if dataclasses.is_dataclass(call):
        return [f.name for f in dataclasses.fields(call) if f.init]
    return [*VALID[call]] or list(inspect.signature(call).parameters)


def named(call):
    return getattr(call, "__qualname__", str(call))


def tried(call, given):
    """Make a call, and look at what it gives, or at how it refuses."""
    begun = time.process_time()
    try:
        check_result(call(**given))
    except AllpayError as error:
        text = str(error)
        assert "\n" not in text
        assert 10 <= len(text) <= 300, text
        assert text.isprintable(), text
    finally:
        assert time.process_time() - begun < 5


def check_result(found):
    """What was accepted has numbers that can be computed with."""
    if isinstance(found, Game):
        for numbers in (
            found.value_grid,
            found.bid_grid,
            found.costs,
            [found.top_bid, stake(found)],
        ):
            assert np.all(np.isfinite(numbers))
        if found.bidders <= 20 and len(found.value_grid) * found.bid_levels <= 5000:
            mix = (np.arange(found.bid_levels) < found.allowed[:, None]).astype(float)
            exact = evaluate(found, (mix / mix.sum(axis=1, keepdims=True))[None])
            assert np.isfinite([exact.revenue, exact.highest_bid, *exact.exploitability, *exact.payoff]).all()
            assert np.isfinite(distance_of(found, exact))
    elif isinstance(found, (Uniform, Power, Beta, Lognormal, Discrete)):
        values = found.quantile(np.linspace(0.001, 1, 50))
        assert np.all(np.isfinite(values))
        assert np.all(np.diff(values) >= 0)
    elif isinstance(found, DesignSpace) and found.bidders <= 200:
        assert np.all(np.isfinite(found.sample(3, 0)))
    elif isinstance(found, (Private, Common)) and len(values := found.grid()) > 0:
        assert np.all(np.isfinite(values))


@pytest.mark.parametrize("call", VALID, ids=named)
@settings(max_examples=35, deadline=None, derandomize=True)
@given(data=st.data())
def test_strange_input_is_refused_in_one_line_or_gives_a_right_result(call, data):
    """38 × 35 = 1,330 inputs."""
    names = data.draw(st.lists(st.sampled_from(fields_of(call)), min_size=1, max_size=2, unique=True))
    given = VALID[call] | {name: data.draw(strange) for name in names}
    if any(isinstance(given.get(name), int) and given[name] > 1000 for name in ("rounds", "designs")):
        return  # so many take their time, or are refused: see below
    tried(call, given)


@pytest.mark.parametrize("call", VALID, ids=named)
def test_each_number_that_no_field_can_hold_is_refused_or_right(call):
    for name in fields_of(call):
        for value in NUMBERS:
            if isinstance(value, int) and value == 10**6 and call in (run_seeds, integers, steps, play):
                continue  # right, and takes its time
            tried(call, VALID[call] | {name: value})


@pytest.mark.parametrize("lie", LIES)
def test_distributions_that_lie_are_refused(lie):
    with pytest.raises(AllpayError) as caught:
        assert Game(all_pay(2), Private(Lying(LIES[lie]), levels=4), bid_levels=3).value_grid.size
    assert len(str(caught.value)) <= 300


def test_a_distribution_that_changes_its_argument_changes_nothing():
    values = Private(Lying(spoiling), levels=4)
    np.testing.assert_array_equal(values.grid(), Private(levels=4).grid())
    honest = allpay.equilibrium(Game(all_pay(3)))
    assert allpay.equilibrium(Game(all_pay(3), Private(Lying(spoiling)))).revenue == honest.revenue


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Game(all_pay(3), cost_power=2.0, max_bid=1e308), "max bid must be at most 1e+100: got 1e+308"),
        (lambda: Game(all_pay(3), cost_power=2.0, max_bid=1e99), "what the highest bid costs must be at most 1e+100"),
        (lambda: Game(all_pay(3), cost_power=1e-3), "cost power must be at least 0.01: got 0.001"),
        (lambda: Game(all_pay(3), overbidding="no"), "overbidding must be True or False: got 'no'"),
        (lambda: integers(0.5, 3.7), "low of integers must be a whole number: got 0.5"),
        (lambda: steps(0, 1, 2.5), "count of steps must be a whole number: got 2.5"),
        (lambda: Discrete("12"), "discrete values must be several numbers: got '12'"),
        (lambda: FictitiousPlay(iterations=float("nan")), "iterations must be a whole number: got nan"),
        (
            lambda: FictitiousPlay(iterations=10**12),
            "iterations must be at most 1,000,000,000: got 1000000000000; give fewer",
        ),
        (lambda: FictitiousPlay(weighting=200), "weighting must be from 0 to 30: got 200"),
        (lambda: DQN(learning_rate=1e30), "learning_rate must be from 1e-09 to 1: got 1e+30"),
        (
            lambda: FictitiousPlay(tolerance=float("inf")),
            "tolerance must be above 0 and below 1, a part of",
        ),
        (lambda: FictitiousPlay(tolerance=2), "tolerance must be above 0 and below 1, a part of the top prize: got 2"),
        (lambda: Study(samples=10**9), "samples must be at most 100,000,000: got 1000000000"),
        (
            lambda: Study(DesignSpace(bidders=1000), samples=10**6),
            "a table of samples 1,000,000 × rounds 10",
        ),
        (lambda: DesignSpace(bidders=1000, first_at_most=0.002), "the 249,999 corners of designs of 999 ranks"),
        (
            lambda: DesignSpace(bidders=30_000).sample(4, 0, "sobol"),
            "sampling sobol spreads designs of at most 21,201 numbers",
        ),
        (
            lambda: learn(Game(all_pay(3), bid_levels=30_000), LEARNERS["interior-point"](), rounds=1),
            "interior-point with rounds 1 of bidders 3, value levels 64 and bid levels 30,000 would take",
        ),
        (
            lambda: learn(Game(all_pay(1000), bid_levels=51), DQN(), rounds=1),
            "dqn with rounds 1 of bidders 1,000",
        ),
        (
            lambda: learn(Game(all_pay(1000), bid_levels=51), PPO(chunk=40), rounds=1),
            "ppo with rounds 1 of bidders 1,000",
        ),
    ],
)
def test_examples_of_each_kind(make, message):
    with pytest.raises(AllpayError) as caught:
        make()
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) <= 300
