"""Epsilon-greedy bidders: the compiled loop against the same rules in plain Python, and games with a known answer."""

import itertools
from functools import cache

import numpy as np
import pytest

from allpay.contest.auction import LEARNING, stream
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism, all_pay
from allpay.contest.payoffs import expected_payoffs, exploitability
from allpay.contest.values import Common, Private, integers
from allpay.errors import AllpayError
from allpay.learners import EpsilonGreedy, learn, run_seeds
from allpay.outcome import Verdict

MASK = 2**64 - 1

SEED_MD = Private(integers(0, 9), levels=10)
"""Values of the experiment that `allpay reproduce` repeats."""


def integer_game(rule, w, **options) -> Game:
    """Values and bids 0…9, no bid above the value."""
    options = {"bid_levels": 10, "overbidding": False} | options
    return Game(Mechanism.from_weights(rule, w, 3), SEED_MD, **options)


class Stream:
    """SplitMix64 with a step of its own, word by word, on Python's integers."""

    def __init__(self, seed: int):
        self.state, self.step = map(int, stream(seed, LEARNING))

    def word(self) -> int:
        self.state = (self.state + self.step) & MASK
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
        return z ^ (z >> 31)


def high(word: int, size: int) -> int:
    return (word >> 32) * size >> 32


def low(word: int, size: int) -> int:
    return (word & 0xFFFFFFFF) * size >> 32


def plain(g: Game, learner: EpsilonGreedy, seed: int):
    """The rules as they are told: `greedy[checkpoint][bidder][value]`, the tail's mean revenue and highest bid."""
    n, levels, values = g.bidders, g.bid_levels, len(g.value_grid)
    a, p = g.mechanism.prizes, g.mechanism.payments
    allowed = g.allowed.tolist()
    words = Stream(seed)
    estimate = [[[0.0] * levels for _ in range(values)] for _ in range(n)]
    count = [[[0] * levels for _ in range(values)] for _ in range(n)]
    best = [[0] * values for _ in range(n)]

    def utility(v, b, rank):
        return float(g.utility(g.value_grid[v] * a[rank] - g.costs[b] * p[rank]))

    def first_best(i, v):
        row = estimate[i][v][: allowed[v]]
        return row.index(max(row))

    tail = min(learner.tail, learner.iterations - learner.exploration)
    played = learner.iterations - learner.exploration
    records = [learner.exploration + max(1, (c + 1) * played // 32) for c in range(32)]
    greedy, revenue, highest = [], 0.0, 0.0
    for t in range(learner.iterations):
        exploring = t < learner.exploration
        epsilon = 0.5 ** (1 + (t - learner.exploration) // learner.halving)
        drawn, bids, ties = [], [], []
        for _ in range(n):
            word = words.word()
            v = high(word, values)
            if exploring:
                b = low(word, allowed[v])
                word = words.word()
            else:
                b = best[len(bids)][v]
                if int(epsilon * 2.0**32) > 0:
                    again = words.word()
                    if again >> 32 < int(epsilon * 2.0**32):
                        b = low(again, allowed[v])
                        word = words.word()
            drawn.append(v)
            bids.append(b)
            ties.append((word & 0x7FFFFF, len(ties)))
        order = sorted(range(n), key=lambda i: (bids[i], ties[i]), reverse=True)
        for rank, i in enumerate(order):
            v, b = drawn[i], bids[i]
            got = utility(v, b, rank)
            count[i][v][b] += 1
            if exploring:
                estimate[i][v][b] += got
                continue
            estimate[i][v][b] += (got - estimate[i][v][b]) / count[i][v][b]
            now = best[i][v]
            if estimate[i][v][b] > estimate[i][v][now]:
                best[i][v] = b
            elif b == now and max(estimate[i][v][: allowed[v]]) > estimate[i][v][now]:
                best[i][v] = first_best(i, v)
        if t >= learner.iterations - tail:
            revenue += sum(p[rank] * float(g.bid_grid[bids[i]]) for rank, i in enumerate(order))
            highest += float(g.bid_grid[max(bids)])
        if t + 1 == learner.exploration:
            for i in range(n):
                for v in range(values):
                    for b in range(allowed[v]):
                        if count[i][v][b]:
                            estimate[i][v][b] /= count[i][v][b]
                            count[i][v][b] = 1 if learner.restart else count[i][v][b]
                    best[i][v] = first_best(i, v)
        greedy += [[row[:] for row in best]] * records.count(t + 1)
    return np.array(greedy), revenue / tail, highest / tail


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("g", "options"),
    [
        (integer_game("payments", 0.8), {}),
        (integer_game("prizes", 0.6), {"restart": False}),
        (
            Game(Mechanism.from_weights("prizes", (0.5, 0.3, 0.2), 3), Private(levels=3), bid_levels=7, cost_power=2.0),
            {},
        ),
        (Game(Mechanism.from_weights("prizes", 0.7, 4), Common(), bid_levels=5, risk_aversion=2.0), {"halving": 100}),
        (
            Game(Mechanism((1, 0.2), (0.3, 0.9)), Private(levels=2), bid_levels=4, max_bid=1.0),
            {"halving": 7, "tail": 1},
        ),
        (integer_game("payments", 0.7), {"exploration": 0}),
        (integer_game("payments", 0.7), {"exploration": 1990}),  # fewer auctions left than checkpoints
        (integer_game("payments", 0.7), {"halving": 40, "tail": 777}),  # epsilon reaches 0
    ],
    ids=["payments", "no restart", "cost", "common", "two bidders", "no exploration", "hardly any play", "greedy"],
)
def test_the_compiled_loop_is_the_plain_one(g, options, seed):
    learner = EpsilonGreedy(**{"iterations": 2000, "exploration": 500, "halving": 200, "tail": 300} | options)
    seeds = run_seeds(seed, 1, 1)
    found = learner.learn([g], seeds)
    greedy, revenue, highest = plain(g, learner, int(seeds[0, 0]))
    np.testing.assert_array_equal(found.strategy[0, 0].argmax(axis=-1), greedy[-1])
    assert found.realised_revenue[0, 0] == pytest.approx(revenue, abs=1e-12)
    assert found.realised_highest_bid[0, 0] == pytest.approx(highest, abs=1e-12)
    expected = [exploitability(g, np.eye(g.bid_levels)[table]).mean() for table in greedy]
    np.testing.assert_allclose(found.history[0, 0], expected, atol=1e-12)


# --- games with a known answer


QUICK = EpsilonGreedy(iterations=100_000, exploration=30_000, halving=1000, tail=5000)


def test_equal_prizes_are_not_worth_a_bid():
    found = learn(Game(Mechanism.from_weights("prizes", 0.5, 2), Private(levels=4), bid_levels=6), QUICK, rounds=3)
    np.testing.assert_array_equal(found.strategy[0].argmax(axis=-1), 0)
    np.testing.assert_array_equal(found.revenue, 0)
    np.testing.assert_array_equal(found.exploitability, 0)
    assert np.all(found.verdicts == Verdict.CONVERGED)


def test_a_dominant_bid_is_found():
    """Where a prize of 10 may be bid for with 0 or 1, 1 is best whatever the rivals do."""
    g = Game(all_pay(3), Common(10.0), bid_levels=2, max_bid=1.0)
    for rivals in itertools.product(np.eye(2), repeat=2):
        assert expected_payoffs(g, np.array(rivals)).argmax() == 1
    found = learn(g, QUICK, rounds=3)
    np.testing.assert_array_equal(found.strategy[0].argmax(axis=-1), 1)
    np.testing.assert_array_equal(found.revenue, 3.0)
    np.testing.assert_array_equal(found.realised_revenue, 3.0)  # epsilon has reached 0 before the tail
    np.testing.assert_array_equal(found.exploitability, 0.0)


def test_a_bidder_whose_value_is_nothing_bids_nothing():
    found = learn(integer_game("prizes", 0.8), QUICK, rounds=3)
    np.testing.assert_array_equal(found.strategy[0, :, :, 0].argmax(axis=-1), 0)


def test_nobody_bids_above_its_value():
    found = learn(integer_game("prizes", 0.8), QUICK, rounds=3)
    assert np.all(found.strategy[0, :, :, np.triu(np.ones((10, 10), bool), 1)] == 0)


def test_against_random_rivals_the_best_bid_is_the_best_response():
    """When exploration ends, a bidder has seen rivals who bid uniformly: its choice is exact expected payoff's."""
    g = Game(Mechanism.from_weights("prizes", 0.8, 3), Private(levels=3), bid_levels=5, max_bid=1.0)
    # without restart, so that the one auction after exploration, which there must be, does not count as much as all before
    bidders = EpsilonGreedy(iterations=400_001, exploration=400_000, tail=1, restart=False)
    found = bidders.learn([g], run_seeds(0, 1, 2))
    best = expected_payoffs(g, np.full(5, 0.2)).argmax(axis=1)
    np.testing.assert_array_equal(found.strategy[0].argmax(axis=-1), np.broadcast_to(best, (2, 3, 3)))


# --- the setting of seed.md


@cache
def seed_md():
    """Full runs, 2,000,000 auctions each; realised revenue over the last 50,000."""
    return learn(integer_game("payments", 0.8), EpsilonGreedy(), rounds=6)


def test_the_setting_of_seed_md_earns_what_its_public_code_earns():
    """That code gave 4.2 to 4.65 over rounds at w = .8; docs/theory.md has the neighbourhood."""
    found = seed_md()
    assert 4.0 <= found.realised_revenue.mean() <= 4.7
    assert 4.0 <= found.revenue.mean() <= 4.7
    assert found.auctions == 6 * 2_000_000
    assert found.iterations.tolist() == [[2_000_000] * 6]


def test_realised_revenue_is_near_that_of_the_learned_strategies():
    """They differ by sampling (standard deviation of one auction ≈ 2, 50,000 auctions) and by late changes of mind, which
    move a round by .1 now and then."""
    found = seed_md()
    assert np.abs(found.realised_revenue - found.revenue).mean() < 0.05
    assert np.abs(found.realised_highest_bid - found.highest_bid).mean() < 0.05


def test_rounds_differ_and_say_how_far_they_are_from_equilibrium():
    found = seed_md()
    assert len(np.unique(found.revenue)) == 6
    assert np.all(found.exploitability > 0)
    assert found.relative_exploitability.max() < 0.05
    assert set(found.verdicts.ravel()) <= {v.value for v in Verdict}
    assert np.all(np.isfinite(found.history))


def test_learning_lowers_exploitability():
    history = seed_md().history[0]
    assert history[:, -4:].mean() < 0.5 * history[:, 0].mean() + 0.05


# --- options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"iterations": 1000, "exploration": 1000},
            "exploration must be shorter than the run: got 1000 of iterations 1000",
        ),
        (
            {"iterations": 1000, "exploration": 5000},
            "exploration must be shorter than the run: got 5000 of iterations 1000",
        ),
        ({"iterations": 1000}, "exploration must be shorter than the run: got 400000 of iterations 1000"),
        ({"exploration": -1}, "exploration must not be negative: got -1"),
        ({"iterations": 0}, "iterations must be at least 1: got 0"),
        ({"halving": 0}, "halving must be at least 1: got 0"),
        ({"tail": 0}, "tail must be at least 1: got 0"),
        ({"tolerance": 0}, "tolerance must be above 0: got 0"),
    ],
)
def test_options_out_of_bounds_are_refused(options, message):
    with pytest.raises(AllpayError, match=f"^{message}$"):
        EpsilonGreedy(**options)


def test_the_tail_never_reaches_into_exploration():
    g = integer_game("payments", 0.8)
    found = learn(g, EpsilonGreedy(iterations=2000, exploration=1500, tail=2000), rounds=1)
    same = learn(g, EpsilonGreedy(iterations=2000, exploration=1500, tail=500), rounds=1)
    assert found.realised_revenue == same.realised_revenue


def test_a_run_stops_at_the_checkpoint_that_is_within_the_tolerance():
    game = Game.from_weights("payments", 0.9, 3, values=Private(levels=10), bid_levels=10, overbidding=False)
    bidders = EpsilonGreedy(200_000, 50_000, halving=2000, tail=4000)
    whole = learn(game, bidders, rounds=6)
    stopped = learn(game, EpsilonGreedy(200_000, 50_000, halving=2000, tail=4000, tolerance=0.02), rounds=6)
    assert stopped.iterations.min() < 200_000
    for r in range(6):
        after = int(np.sum(np.isfinite(stopped.history[0, r])))
        assert stopped.iterations[0, r] == 50_000 + after * 150_000 // 32
        np.testing.assert_array_equal(stopped.history[0, r, :after], whole.history[0, r, :after])
        if stopped.iterations[0, r] < 200_000:
            assert stopped.history[0, r, after - 1] <= 0.02 * stopped.stakes[0]
    assert stopped.auctions == stopped.iterations.sum()
