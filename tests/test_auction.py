"""Sampled auctions against the exact engine, ties, and the random stream against its reference."""

import itertools

import numpy as np
import pytest
from numba import njit, uint64
from scipy import stats

from allpay.contest import auction
from allpay.contest.auction import (
    LEARNING,
    MOST_AUCTIONS,
    PLAYING,
    TIE_BITS,
    alias_table,
    bid_key,
    closed,
    high_index,
    low_index,
    play,
    rank_of,
    settle,
    stream,
    word,
)
from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import MOST_BIDDERS, Mechanism
from allpay.contest.payoffs import evaluate, exploitability
from allpay.contest.values import MOST_CELLS, Common, Private, integers
from allpay.errors import AllpayError

MASK = 2**64 - 1

GOLDEN = 0x9E3779B97F4A7C15
"""The step of SplitMix64 as it is published; ours has a step for each seed."""


def words(seed: int, count: int) -> list[int]:
    """The first words of a stream."""
    state, step = map(int, stream(seed))
    return [int(word(np.uint64((state + t * step) & MASK))) for t in range(1, count + 1)]


def test_the_stream_is_splitmix64():
    """The reference output for seed 1234567 that accompanies the published algorithm."""
    assert [int(word(np.uint64(1234567 + t * GOLDEN & MASK))) for t in range(1, 6)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_no_two_streams_are_stretches_of_each_other():
    """Seeds side by side, seeds apart by the old step, and both purposes: all have steps of their own, far from each other."""
    seeds = [*range(4_000), *(5 + k * GOLDEN & MASK for k in range(4_000)), *(7 << k for k in range(57))]
    found = [tuple(map(int, stream(seed, purpose))) for seed in set(seeds) for purpose in (PLAYING, LEARNING)]
    steps = np.array([step for _, step in found], np.uint64)
    assert len(np.unique(steps)) == len(np.unique([state for state, _ in found])) == len(found)
    assert np.all(steps % 2 == 1)
    assert np.all(np.bitwise_count(steps ^ (steps >> np.uint64(1))) >= 24)
    # steps that are small multiples of each other would give streams that meet every few words
    some = [int(step) for step in steps]
    multiples = {k * step & MASK for step in some for k in (*range(2, 12), *range(-11, 0))}
    assert not multiples & set(some)


def test_the_auctions_of_one_seed_are_not_those_of_another_later():
    """With one step for all, `play` with seed s + 6γ replayed the auctions of seed s from the second on (three bidders)."""
    game, seed = Game.from_weights("prizes", 0.8, 3), 12345
    strategy = np.full((1, 64, 101), 1 / 101)
    one = play(game, strategy, 400, seed).revenue
    for k in range(1, 13):
        other = play(game, strategy, 400, seed + k * GOLDEN & MASK).revenue
        for lag in range(1, 8):
            assert abs(np.corrcoef(one[lag:], other[:-lag])[0, 1]) < 0.2


def test_streams_are_independent():
    """Of 200 runs of neighbouring seeds no two are correlated beyond chance, at any of several lags."""
    game = Game.from_weights("prizes", 0.8, 3, bid_levels=11, values=Private(levels=4))
    strategy = np.full((1, 4, 11), 1 / 11)
    runs = np.array([play(game, strategy, 1000, seed).revenue for seed in range(200)])
    scaled = (runs - runs.mean(axis=1, keepdims=True)) / runs.std(axis=1, keepdims=True)
    for lag in range(4):
        r = scaled[:, lag:] @ scaled[:, : 1000 - lag].T / (1000 - lag) * np.sqrt(1000 - lag)
        off = r[~np.eye(200, dtype=bool)]
        assert np.abs(off).max() < 5.5  # of 39,800 numbers nearly normal
        assert abs(off.std() - 1) < 0.05


@pytest.mark.parametrize("index", [high_index, low_index])
@pytest.mark.parametrize("size", [1, 3, 10, 101])
def test_indices_are_uniform(index, size):
    draws = np.array([index(np.uint64(w), size) for w in words(2**40 + size, 30_000)])
    counts = np.bincount(draws, minlength=size)
    assert len(counts) == size
    if size > 1:
        assert stats.chisquare(counts).pvalue > 1e-3


def test_the_two_halves_of_a_word_are_independent():
    table = np.zeros((6, 6))
    for w in map(np.uint64, words(5, 30_000)):
        table[high_index(w, 6), low_index(w, 6)] += 1
    assert stats.chisquare(table.ravel()).pvalue > 1e-3


def test_indices_reach_both_ends():
    top, none = np.uint64(MASK), np.uint64(0)
    for index in (high_index, low_index):
        assert index(none, 10) == 0
        assert index(top, 10) == 9
    assert high_index(np.uint64(0xFFFFFFFF), 10) == 0  # the lower half has no say
    assert low_index(np.uint64(0xFFFFFFFF << 32), 10) == 0


@njit
def ranks(bids, auctions, state):
    """`[auctions, bidders]` the rank of each bidder where the bids are always the same."""
    n = len(bids)
    out = np.empty((auctions, n), np.int64)
    keys = np.empty(n, np.int64)
    for t in range(auctions):
        for i in range(n):
            state += uint64(0x9E3779B97F4A7C15)
            keys[i] = bid_key(bids[i], word(state), i, n)
        for i in range(n):
            out[t, i] = rank_of(i, keys, n)
    return out


@pytest.mark.parametrize("bids", [(1, 1), (1, 1, 1), (0, 2, 2), (2, 0, 0), (2, 2, 0, 2)])
def test_ties_are_broken_into_every_order_equally_often(bids):
    found = ranks(np.array(bids), 30_000, np.uint64(11))
    assert np.all(np.sort(found, axis=1) == np.arange(len(bids)))
    assert np.all(np.diff(np.take_along_axis(np.array([bids] * len(found)), np.argsort(found), axis=1)) <= 0)
    orders = [
        order
        for order in itertools.permutations(range(len(bids)))
        if all((bids[i] <= bids[j]) or (order[i] < order[j]) for i in range(len(bids)) for j in range(len(bids)))
    ]
    counts = [(found == order).all(axis=1).sum() for order in orders]
    assert sum(counts) == len(found)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_bids_outrank_any_tie_break():
    most, none = np.uint64(MASK), np.uint64(0)
    assert bid_key(3, most, 6, 7) < bid_key(4, none, 0, 7)
    assert bid_key(10_000, most, 999, 1000) < bid_key(10_001, none, 0, 1000)
    assert bid_key(4_999_998, most, 999, 1000) < bid_key(4_999_999, none, 0, 1000)


def test_the_largest_games_have_keys_below_two_to_63():
    assert MOST_CELLS * MOST_BIDDERS * 2**TIE_BITS < 2**63
    top = bid_key(MOST_CELLS - 1, np.uint64(MASK), MOST_BIDDERS - 1, MOST_BIDDERS)
    assert 0 < bid_key(MOST_CELLS - 1, np.uint64(0), 0, MOST_BIDDERS) < top < 2**63


def test_a_thousand_bidders_on_millions_of_bids_are_ranked_right():
    """bid × bidders above 2³²: everybody bids anything up to 1, so that the highest of a thousand bids is 1000/1001."""
    game = Game(Mechanism.from_weights("prizes", 1.0, 1000), Common(), bid_levels=4_999_999)
    strategy = np.full((1, 1, game.bid_levels), 1 / game.bid_levels)
    found = play(game, strategy, 60, 1)
    assert found.highest_bid.mean() == pytest.approx(1000 / 1001, abs=0.001)
    assert found.revenue.mean() == pytest.approx(500, rel=0.01)


SMALL = Game.from_weights("prizes", 0.8, 3, values=Private(levels=4), bid_levels=11)
FAIR = np.full((1, 4, 11), 1 / 11)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (np.full((1, 4, 5000), 1 / 5000), r"a strategy must have the shape \(1 or 3, 4, 11\): got \(1, 4, 5000\)"),
        (np.full((2, 4, 11), 1 / 11), r"got \(2, 4, 11\)"),
        (FAIR[0], r"got \(4, 11\)"),
        (np.empty((0, 4, 11)), r"got \(0, 4, 11\)"),
        (np.empty(0), r"got \(0,\)"),
        (FAIR * np.nan, "must be finite and not negative"),
        (FAIR * np.inf, "must be finite and not negative"),
        (-FAIR, "must be finite and not negative"),
        (FAIR * 0.9, r"must sum to 1: got 0\.9"),
        (FAIR * 0, "must sum to 1: got 0"),
        (FAIR * 1e308, "must sum to 1"),
        (FAIR + 0j, "must be an array of numbers: got an array of complex128"),
        (FAIR.astype(str), "must be an array of numbers: got an array of <U32"),
        (FAIR.astype(object), "must be an array of numbers: got an array of object"),
        ([[[1.0], [1, 2]]], "must be an array of numbers: got a list"),
        (None, "must be an array of numbers: got a NoneType"),
        ("fair", "must be an array of numbers: got a str"),
    ],
)
@pytest.mark.parametrize("use", [lambda g, s: play(g, s, 10, 0), exploitability, evaluate])
def test_what_is_no_strategy_is_refused(strategy, message, use):
    with pytest.raises(AllpayError, match=message):
        use(SMALL, strategy)


@pytest.mark.parametrize(
    ("auctions", "seed", "message"),
    [
        (0, 0, "auctions must be at least 1: got 0"),
        (MOST_AUCTIONS + 1, 0, "auctions must be at most 10,000,000: got 10000001; give fewer"),
        (10**400, 0, r"auctions must be a whole number below 2\^128: got 10000"),
        (2.5, 0, "auctions must be a whole number: got 2.5"),
        (10, -1, r"the seed of a stream must lie in \[0, 2\^64\): got -1"),
        (10, 2**64, r"the seed of a stream must lie in"),
        (10, 0.5, "seed must be a whole number: got 0.5"),
    ],
)
def test_numbers_out_of_bounds_are_refused(auctions, seed, message):
    with pytest.raises(AllpayError, match=message):
        play(SMALL, FAIR, auctions, seed)


def test_only_a_game_can_be_played():
    with pytest.raises(AllpayError, match="a Game is needed: got None"):
        play(None, FAIR, 10, 0)


def random_case(rng, bidders, private, symmetric):
    """A game on a coarse grid, where ties abound, and a random profile with gaps."""
    mechanism = Mechanism(tuple(np.sort(rng.random(bidders))[::-1]), tuple(rng.random(bidders)))
    values = Private(levels=3) if private else Common()
    g = Game(mechanism, values, bid_levels=5, max_bid=2.0)
    strategy = rng.random((1 if symmetric else bidders, len(g.value_grid), 5))
    strategy *= rng.random(strategy.shape) < 0.6
    strategy[..., rng.integers(5)] += 0.05
    return g, strategy / strategy.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("bidders", [2, 3, 5])
@pytest.mark.parametrize("private", [True, False], ids=["private", "common"])
@pytest.mark.parametrize("symmetric", [True, False], ids=["alike", "each its own"])
def test_sampled_auctions_agree_with_the_exact_engine(bidders, private, symmetric):
    for seed in range(3):
        g, strategy = random_case(
            np.random.default_rng([bidders, private, symmetric, seed]), bidders, private, symmetric
        )
        exact, sampled = evaluate(g, strategy), play(g, strategy, 200_000, seed)
        for found, expected in ((sampled.revenue, exact.revenue), (sampled.highest_bid, exact.highest_bid)):
            error = found.std() / np.sqrt(len(found))
            assert abs(found.mean() - expected) <= 4 * error + 1e-12


@pytest.mark.parametrize("payments", [(1.0,), (1.0, 0.5), tuple(np.linspace(1, 0.1, 20))])
@pytest.mark.parametrize("bidders", [17, 20, 21])
def test_many_who_bid_alike_are_sampled_from_one_table(bidders, payments):
    payments = (payments + payments[-1:] * bidders)[:bidders]
    g = Game(Mechanism((1.0,) + (0.0,) * (bidders - 1), payments), Private(levels=5), bid_levels=7)
    strategy = np.random.default_rng(1).dirichlet(np.full(7, 0.3), (1, 5))
    strategy[:, :, 3] = 0
    strategy /= strategy.sum(axis=-1, keepdims=True)
    exact, sampled = evaluate(g, strategy), play(g, strategy, 40_000, 3)
    for what in ("revenue", "highest_bid"):
        every, mean = getattr(sampled, what), getattr(exact, what)
        assert abs(every.mean() - mean) < 4 * every.std() / 200
    one_by_one = play(g, np.repeat(strategy, bidders, axis=0), 40_000, 4)  # a strategy for each, the same
    assert stats.ks_2samp(one_by_one.revenue.round(9), sampled.revenue.round(9)).pvalue > 1e-3
    assert set(sampled.highest_bid) <= set(np.delete(g.bid_grid, 3))


@pytest.mark.parametrize("levels", [1, 2, 7, 101])
def test_the_table_of_a_distribution_has_its_probabilities(levels):
    mass = np.random.default_rng(levels).dirichlet(np.full(levels, 0.2))
    mass[levels // 2] = 0 if levels > 1 else 1
    limit, other = alias_table(mass)
    kept = limit / 2.0**32 / levels
    found = kept + np.bincount(other, 1 / levels - kept, minlength=levels)
    np.testing.assert_allclose(found, mass / mass.sum(), rtol=0, atol=2.0**-31)
    assert found[levels // 2] == 0 or levels == 1


def test_the_same_seed_gives_the_same_bits():
    g, strategy = random_case(np.random.default_rng(0), 3, True, False)
    one, again, other = play(g, strategy, 1000, 5), play(g, strategy, 1000, 5), play(g, strategy, 1000, 6)
    np.testing.assert_array_equal(one.revenue, again.revenue)
    np.testing.assert_array_equal(one.highest_bid, again.highest_bid)
    assert np.any(one.revenue != other.revenue)
    np.testing.assert_array_equal(play(g, strategy, 100, 5).revenue, one.revenue[:100])


def test_the_largest_seed_is_a_seed():
    g, strategy = random_case(np.random.default_rng(0), 3, True, False)
    assert len(play(g, strategy, 10, MASK).revenue) == 10


def test_a_bid_of_probability_zero_is_never_made():
    g = Game(Mechanism((1, 0), (1, 1)), Private(integers(0, 9), levels=10), bid_levels=10, overbidding=False)
    truthful = np.eye(10)[None]
    short = closed(truthful * 0.9)  # rows that fall short of 1, as by rounding, only more so
    np.testing.assert_array_equal(short, closed(truthful))
    found = play(g, truthful, 50_000, 3)
    assert np.all(found.highest_bid <= found.revenue)
    assert found.revenue.mean() == pytest.approx(9.0, abs=4 * found.revenue.std() / np.sqrt(50_000))
    thirds = np.zeros((1, 10, 10))
    thirds[:, :, [0]] = 1.0
    assert play(g, thirds, 10_000, 4).revenue.max() == 0.0


def test_auctions_are_settled_by_rank():
    """Two auctions written out: the middle bid wins nothing and pays half; of bids that tie, the lower number wins."""
    game = Game(Mechanism((0.8, 0.2, 0.0), (1.0, 0.5, 0.25)), cost_power=2.0, risk_aversion=1.5)
    values = np.array([[1.0, 0.5, 0.9], [0.3, 0.6, 0.6]])
    bids = np.array([[0.2, 0.4, 0.1], [0.5, 0.5, 0.7]])
    settled = settle(game, values, bids, np.array([[0.1, 0.2, 0.3], [0.9, 0.8, 0.1]]))
    np.testing.assert_array_equal(settled.rank, [[1, 0, 2], [2, 1, 0]])
    np.testing.assert_allclose(settled.payment, [[0.1, 0.4, 0.025], [0.125, 0.25, 0.7]])
    money = [
        [1.0 * 0.2 - 0.5 * 0.04, 0.5 * 0.8 - 0.16, -0.25 * 0.01],
        [-0.25 * 0.25, 0.6 * 0.2 - 0.5 * 0.25, 0.6 * 0.8 - 0.49],
    ]
    np.testing.assert_allclose(settled.utility, (1 - np.exp(-1.5 * np.array(money))) / 1.5)
    one = settle(game, values[0], bids[0], np.array([0.1, 0.2, 0.3]))
    np.testing.assert_array_equal(one.utility, settled.utility[0])


@pytest.mark.parametrize("bidders", [2, 5])
def test_settling_and_playing_agree(bidders):
    """The two ways to sample an auction: same mean revenue and highest bid as the exact engine."""
    game = Game(Mechanism.from_weights("payments", 0.7, bidders), Private(levels=3), bid_levels=4)
    rng = np.random.default_rng(bidders)
    mass = rng.dirichlet(np.ones(4))
    bids = game.bid_grid[rng.choice(4, p=mass, size=(40_000, bidders))]
    settled = settle(game, np.zeros_like(bids), bids, rng.random(bids.shape))
    paid, exact = settled.payment.sum(axis=1), evaluate(game, np.tile(mass, (1, 3, 1)))
    assert abs(paid.mean() - exact.revenue) < 4 * paid.std() / 200
    assert np.all(np.sort(settled.rank, axis=1) == np.arange(bidders))


@pytest.mark.parametrize("seed", range(4))
def test_auctions_that_are_sampled_in_parts_are_those_of_one_part(seed, monkeypatch):
    game = Game(
        Mechanism((0.7, 0.3, 0), (1, 1, 1)), [(Bidder(Common(1.0)), 1), (Bidder(Common(0.5)), 2)], bid_levels=11
    )
    spread = np.full((2, game.value_levels, 11), 1 / 11)
    whole = play(game, spread, 100, seed)
    monkeypatch.setattr(auction, "AT_A_TIME", 3 * 30)
    parts = play(game, spread, 100, seed)
    np.testing.assert_array_equal(parts.revenue, whole.revenue)
    np.testing.assert_array_equal(parts.highest_bid, whole.highest_bid)
