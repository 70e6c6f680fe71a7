"""Playing auctions by sampling: values drawn, bids sorted, ties broken at random, what each rank wins and pays.

Pure functions, compiled by Numba: a learner's loop calls the small ones, `play` samples whole auctions of given strategies.
"""

from dataclasses import dataclass

import numpy as np
from numba import int64, njit, uint64
from numpy.typing import NDArray

from allpay.frozen import ByValue
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


@dataclass(frozen=True, eq=False)
class Settled(ByValue):
    """Auctions that are decided, `[…, bidders]`: the rank of each bidder, 0 for the highest bid, its payment and utility."""

    rank: NDArray[np.int64]
    payment: Array
    utility: Array


def settle(game: Game, values: Array, bids: Array, ties: Array) -> Settled:
    """Who wins and pays what, in one auction or many.

    Args:
        game: the game; bids need not lie on its grid.
        values, bids: `[…, bidders]` of each bidder, in money.
        ties: `[…, bidders]` independent random numbers of any one continuous distribution; the lowest wins a tie.
    """
    rank = np.argsort(np.lexsort((ties, -bids)))
    payment = np.asarray(game.mechanism.payments)[rank]
    money = values * np.asarray(game.mechanism.prizes)[rank] - payment * bids**game.cost_power
    return Settled(rank, payment * bids, game.utility(money))


@dataclass(frozen=True, eq=False)
class Played(ByValue):
    """Sampled auctions: `[auctions]` the revenue and the highest bid of each."""

    revenue: Array
    highest_bid: Array


def play(game: Game, strategy: Array, auctions: int, seed: int) -> Played:
    """Sample auctions in which bidders follow given strategies.

    Args:
        game: the game.
        strategy: `[1 or bidders, values, bids]` the probability of each bid given the value.
        auctions: how many.
        seed: of the random stream, an unsigned 64-bit number.
    """
    cumulative = np.cumsum(strategy, axis=-1)
    # The last bid that is ever made closes its row at 1, so that rounding never leads to a bid of probability 0.
    cumulative[cumulative >= cumulative[..., -1:]] = 1.0
    revenue, highest = np.zeros(auctions), np.zeros(auctions)
    _play(cumulative, np.asarray(game.mechanism.payments), game.bid_grid, auctions, np.uint64(seed), revenue, highest)
    return Played(revenue, highest)
