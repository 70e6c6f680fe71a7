"""Playing auctions by sampling: values drawn, bids sorted, ties broken at random, what each rank wins and pays.

Pure functions, compiled by Numba: a learner's loop calls the small ones, `play` samples whole auctions of given strategies.
"""

from dataclasses import dataclass

import numpy as np
from numba import int64, njit, uint64
from numpy.typing import NDArray

from allpay.game import Array, Game

GOLDEN = uint64(0x9E3779B97F4A7C15)
"""The step of a SplitMix64 stream (Steele, Lea & Flood 2014): word t of the stream is `word(state + t·GOLDEN)`. A counter
and three multiplications a word leave the processor free to work on several words at once; NumPy's generators, called
from Numba, take several times as long."""


@njit(inline="always")
def word(state):  # type: ignore[no-untyped-def]
    """The 64 random bits that belong to a state of the stream."""
    z = (state ^ (state >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
    return z ^ (z >> uint64(31))


@njit(inline="always")
def high_index(bits, size):  # type: ignore[no-untyped-def]
    """A number in 0…size−1 from the upper 32 of 64 random bits; its bias is below size/2³²."""
    return int64(((bits >> uint64(32)) * uint64(size)) >> uint64(32))


@njit(inline="always")
def low_index(bits, size):  # type: ignore[no-untyped-def]
    """The same from the lower 32 bits."""
    return int64(((bits & uint64(0xFFFFFFFF)) * uint64(size)) >> uint64(32))


@njit(inline="always")
def bid_key(bid, bits, i, n):  # type: ignore[no-untyped-def]
    """A number that sorts bidders by bid and, where bids tie, by the lower 31 of the random bits; different for each i."""
    return ((bid << 31) | int64(bits & uint64(0x7FFFFFFF))) * n + i


@njit(inline="always")
def rank_of(i, keys, n):  # type: ignore[no-untyped-def]
    """The rank of bidder i among n, 0 for the highest."""
    rank = 0
    for j in range(n):
        rank += keys[j] > keys[i]
    return rank


@njit(nogil=True, cache=True, error_model="numpy")
def _play(cumulative, payments, bids, auctions, state, revenue, highest):  # type: ignore[no-untyped-def]
    """Fill revenue and highest `[auctions]`; cumulative is `[1 or bidders, values, bids]`."""
    n = len(payments)
    kinds, values, levels = cumulative.shape
    keys = np.empty(n, np.int64)
    played, ranked = np.empty(n, np.int64), np.empty(n, np.int64)
    for t in range(auctions):
        for i in range(n):
            state += GOLDEN
            bits = word(state)
            value = high_index(bits, values)
            state += GOLDEN
            u = float(word(state) >> uint64(11)) * 2.0**-53
            row = cumulative[i % kinds, value]
            bid = min(np.searchsorted(row, u, side="right"), levels - 1)
            played[i] = bid
            keys[i] = bid_key(bid, bits, i, n)
        if n <= 16:  # counting is quicker than sorting while bidders are few
            for i in range(n):
                ranked[rank_of(i, keys, n)] = played[i]
        else:
            ranked[:] = played[np.argsort(keys)[::-1]]
        for k in range(n):
            revenue[t] += payments[k] * bids[ranked[k]]
        highest[t] = bids[ranked[0]]


@dataclass(frozen=True)
class Settled:
    """Auctions that are decided, each `[…, bidders]`.

    Attributes:
        rank: 0 for the first; n where a bidder is not there, stays out, or bids less than the reserve.
        payment: what each pays for its rank, without the fee.
        utility: what it is worth to each.
        share: the share of the prizes that each wins.
        fee: the fee that each pays.
    """

    rank: NDArray[np.int64]
    payment: Array
    utility: Array
    share: Array
    fee: Array


def settle(
    game: Game,
    values: Array,
    bids: Array,
    ties: Array,
    luck: Array | float = 0.0,
    enters: NDArray[np.bool_] | bool = True,
) -> Settled:
    """Who wins and pays what, in one auction or many.

    Args:
        game: the game; bids need not lie on its grid.
        values, bids: `[…, bidders]` of each bidder, in money; those of a group beside each other.
        ties: `[…, bidders]` independent random numbers of any one continuous distribution; the lowest wins a tie.
        luck: `[…, bidders]` random numbers added to scores, see `success.Success.noise`.
        enters: `[…, bidders]` who is there and does not stay out. A bid below the reserve does not enter either.
    """
    mechanism, n = game.mechanism, game.bidders
    which = np.repeat(np.arange(len(game.groups)), game.counts)
    enters = np.broadcast_to(enters, bids.shape) & (bids >= mechanism.reserve * (1 - 1e-12))
    start, slope = (np.array([getattr(b, name) for b, _ in game.groups]) for name in ("head_start", "handicap"))
    effort = start[which] + slope[which] * bids if game.grouped else bids
    score = np.where(enters, mechanism.success.scores(effort) + luck, -np.inf)
    order = np.lexsort((ties, -score, ~enters))
    rank = np.where(enters, np.argsort(order), n)
    pays = rank
    if mechanism.ties != "random":  # a loser with at most one bid strictly above its own is second
        above = np.sum((score[..., None, :] > score[..., :, None]) & enters[..., None, :], axis=-1)
        pays = np.where((rank > 0) & (rank < n) & (above <= 1), 1, rank)
    payment = np.append(mechanism.payments, 0.0)[pays]
    share = np.append(mechanism.prizes, 0.0)[rank]
    fee = np.where(enters, mechanism.fee, 0.0)
    money = np.empty(bids.shape)
    utility = np.empty(bids.shape)
    for i, (bidder, _) in enumerate(game.groups):
        own = which == i
        money[..., own] = values[..., own] * share[..., own] - payment[..., own] * bidder.cost.cost(bids[..., own])
        utility[..., own] = game.utility_of(i, money[..., own] - fee[..., own] if mechanism.fee else money[..., own])
    return Settled(rank, payment * bids, utility, share, fee)


def turn_up(game: Game, auctions: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """`[auctions, bidders]` who is there."""
    n = game.bidders
    there = np.ones((auctions, n), bool)
    if game.field is not None:  # so many of them, each set equally likely
        count = random.choice(n + 1, size=auctions, p=game.field.among(n))
        places = random.random((auctions, n)).argsort(axis=1).argsort(axis=1)
        there = places < count[:, None]
    presence = np.repeat(game.presence, game.counts)
    return there & (random.random((auctions, n)) < presence) if np.any(presence < 1) else there


@dataclass(frozen=True)
class Played:
    """Sampled auctions: `[auctions]` the revenue, without fees, and the highest bid of each; 0 where nobody bids."""

    revenue: Array
    highest_bid: Array


def play(game: Game, strategy: Array, auctions: int, seed: int) -> Played:
    """Sample auctions in which bidders follow given strategies.

    Args:
        game: the game.
        strategy: `[groups or bidders, values, bids]` the probability of each bid given the value.
        auctions: how many.
        seed: of the random stream, an unsigned 64-bit number.
    """
    cumulative = np.cumsum(strategy, axis=-1)
    # The last bid that is ever made closes its row at 1, so that rounding never leads to a bid of probability 0.
    cumulative[cumulative >= cumulative[..., -1:]] = 1.0
    if not game.simple:
        return _play_any(game, cumulative, auctions, seed)
    revenue, highest = np.zeros(auctions), np.zeros(auctions)
    _play(cumulative, np.asarray(game.mechanism.payments), game.bid_grid, auctions, np.uint64(seed), revenue, highest)
    return Played(revenue, highest)


AT_A_TIME = 2_000_000
"""So many bids are sampled at once, at most."""


def _play_any(game: Game, cumulative: Array, auctions: int, seed: int) -> Played:
    """`play` for any game, settled by `settle`."""
    random = np.random.default_rng(int(seed))
    kinds, values, levels = cumulative.shape
    n = game.bidders
    which = np.repeat(np.arange(kinds), game.counts if kinds == len(game.groups) else 1)
    grids = np.repeat(game.value_grids, game.counts, axis=0)
    # one ascending list of all rows, so that one search finds every bid
    rows = (cumulative.reshape(-1, levels) + np.arange(kinds * values)[:, None]).ravel()
    revenue, highest = np.empty(auctions), np.empty(auctions)
    step = max(1, AT_A_TIME // n)
    for first in range(0, auctions, step):
        part = slice(first, min(first + step, auctions))
        shape = (part.stop - first, n)
        value = random.integers(values, size=shape)
        place = which * values + value
        bid = np.searchsorted(rows, place + random.random(shape), side="right") - place * levels
        bid = np.clip(bid, 0, levels - 1)
        enters = turn_up(game, shape[0], random)
        if game.mechanism.may_stay_out:
            enters &= bid > 0
        bids = game.bid_grid[bid]
        luck = game.mechanism.success.noise(random, shape)
        settled = settle(game, grids[np.arange(n), value], bids, random.random(shape), luck, enters)
        revenue[part] = settled.payment.sum(axis=1)
        highest[part] = np.where(enters, bids, 0.0).max(axis=1)
    return Played(revenue, highest)
