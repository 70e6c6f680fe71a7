"""Playing auctions by sampling: values drawn, bids sorted, ties broken at random, what each rank wins and pays.

Pure functions, compiled by Numba: a learner's loop calls the small ones, `play` samples whole auctions of given strategies.
"""

from dataclasses import dataclass

import numpy as np
from numba import int64, njit, uint64
from numpy.typing import ArrayLike, NDArray

from allpay.compiled import compiled
from allpay.contest.game import Array, Game, check_game
from allpay.contest.payoffs import as_strategy
from allpay.errors import AllpayError, exactly, short
from allpay.frozen import ByValue
from allpay.scalars import whole

MOST_AUCTIONS = 10_000_000
"""So many auctions can be sampled in one call; each takes 16 bytes, and the mean of so many is known to 1 part in 1,000."""

PLAYING, LEARNING = 0, 1
"""What the words of a run are for: fresh auctions with what was learned, or the auctions in which it is learned."""

TIE_BITS = 23
"""How many random bits break a tie. A key below 2⁶³ has room for them beside the bid and the number of any bidder."""


def stream(seed: int, purpose: int = PLAYING) -> tuple[np.uint64, np.uint64]:
    """A stream of random numbers: its state s before the first word, and its odd step g; word t is `word(s + t·g)`, t ≥ 1.

    This is SplitMix64 (Steele, Lea & Flood 2014) with a step for each seed, as its authors split streams. With one step for
    all, every stream would be a stretch of one sequence of 2⁶⁴ words, and two of many would overlap. Two streams with different
    steps are no stretch of each other, and that they have one step and overlap has a chance of 2⁻¹²⁶ times their length.

    A counter and three multiplications a word leave the processor free to work on several words at once; NumPy's generators,
    called from Numba, take several times as long.

    Args:
        seed: of a run, any number ≥ 0.
        purpose: `PLAYING` or `LEARNING`; their streams have nothing to do with each other.
    """
    state, bits = np.random.SeedSequence(seed, spawn_key=(purpose,)).generate_state(2, np.uint64).tolist()
    step = bits | 1
    if (step ^ (step >> 1)).bit_count() < 24:  # too regular to mix well, says the paper
        step ^= 0xAAAAAAAAAAAAAAAA
    return np.uint64(state), np.uint64(step)


@njit(inline="always")
def word(state):  # type: ignore[no-untyped-def]
    """The 64 random bits that belong to a state of the stream."""
    z = (state ^ (state >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
    return z ^ (z >> uint64(31))


@njit(nogil=True, error_model="numpy")
def fill(words, state, step):  # type: ignore[no-untyped-def]
    """The words that follow a state of the stream, as many as there is room for."""
    for k in range(len(words)):
        words[k] = word(state + step * uint64(k + 1))


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
    """A number that sorts bidders by bid and, where bids tie, by the lowest of the random bits; different for each i.

    It is below (bid levels)·2^TIE_BITS·n, which is below 2⁶³ for the most bids and bidders that there can be. Where bids and
    random bits are the same, the higher i wins: a bias of 2⁻²⁴ between two bidders.
    """
    return ((bid << TIE_BITS) | int64(bits & uint64((1 << TIE_BITS) - 1))) * n + i


@njit(inline="always")
def rank_of(i, keys, n):  # type: ignore[no-untyped-def]
    """The rank of bidder i among n, 0 for the highest."""
    rank = 0
    for j in range(n):
        rank += keys[j] > keys[i]
    return rank


FEW = 16
"""Up to so many bidders are ranked by counting, and drawn one by one where all are alike."""

GUIDE = 128
"""In so many equal parts of [0, 1) a bid is looked up that belongs to a random number."""


@compiled
def guides_of(cumulative):  # type: ignore[no-untyped-def]
    """`[kinds, values, GUIDE]` for each part of [0, 1), the bid that belongs to its beginning (Chen & Asau 1974)."""
    kinds, values, levels = cumulative.shape
    guides = np.empty((kinds, values, GUIDE), np.int32)
    for i in range(kinds):
        for v in range(values):
            bid = 0
            for j in range(GUIDE):
                while bid < levels - 1 and cumulative[i, v, bid] <= j / GUIDE:
                    bid += 1
                guides[i, v, j] = bid
    return guides


@njit(inline="always")
def guided(row, guide, u):  # type: ignore[no-untyped-def]
    """The first bid whose running sum in `row` `[bids]` is above u in [0, 1), or the last."""
    bid = guide[int64(u * GUIDE)]
    while bid < len(row) - 1 and row[bid] <= u:
        bid += 1
    return bid


@compiled
def _play(cumulative, payments, bids, auctions, state, step, revenue, highest):  # type: ignore[no-untyped-def]
    """Fill revenue and highest `[auctions]`; cumulative is `[1 or bidders, values, bids]`."""
    n = len(payments)
    kinds, values, _ = cumulative.shape
    guides = guides_of(cumulative)
    keys = np.empty(n, np.int64)
    played, ranked = np.empty(n, np.int64), np.empty(n, np.int64)
    for t in range(auctions):
        for i in range(n):
            state += step
            bits = word(state)
            value = high_index(bits, values)
            state += step
            u = float(word(state) >> uint64(11)) * 2.0**-53
            bid = guided(cumulative[i % kinds, value], guides[i % kinds, value], u)
            played[i] = bid
            keys[i] = bid_key(bid, bits, i, n)
        if n <= FEW:  # counting is quicker than sorting while bidders are few
            for i in range(n):
                ranked[rank_of(i, keys, n)] = played[i]
        else:
            ranked[:] = played[np.argsort(keys)[::-1]]
        for k in range(n):
            revenue[t] += payments[k] * bids[ranked[k]]
        highest[t] = bids[ranked[0]]


@compiled
def alias_table(mass):  # type: ignore[no-untyped-def]
    """Walker's (1977) table of a distribution `[bids]`: a bid drawn from all alike is kept where 32 random bits are below
    limit `[bids]`, else it becomes other `[bids]`. It gives every probability to within 2⁻³², built as by Vose (1991)."""
    levels = len(mass)
    scaled = mass / mass.sum() * levels
    limit, other = np.full(levels, uint64(1) << uint64(32)), np.arange(levels)
    small, large = np.empty(levels, np.int64), np.empty(levels, np.int64)
    few = many = 0
    for b in range(levels):
        if scaled[b] < 1.0:
            small[few] = b
            few += 1
        else:
            large[many] = b
            many += 1
    while few > 0 and many > 0:
        few -= 1
        low, high = small[few], large[many - 1]
        limit[low], other[low] = uint64(scaled[low] * 2.0**32), high
        scaled[high] -= 1.0 - scaled[low]
        if scaled[high] < 1.0:
            many -= 1
            small[few] = high
            few += 1
    return limit, other


@compiled
def _play_alike(mass, payments, bids, auctions, state, step, revenue, highest):  # type: ignore[no-untyped-def]
    """The same of many bidders who all bid with the probabilities `mass` `[bids]`: values do not matter then, nor who of
    several equal bids is ahead, and a random word is enough for two bidders."""
    n, levels = len(payments), uint64(len(mass))
    limit, other = alias_table(mass)
    becomes = np.empty(2 * len(mass), np.int64)  # no jump, which could not be foretold
    for b in range(len(mass)):
        becomes[2 * b], becomes[2 * b + 1] = b, other[b]
    last = payments[n - 1]
    used = n
    while used > 0 and payments[used - 1] == last:
        used -= 1
    counts = np.zeros(len(mass), np.int64)
    pairs = (n + 1) // 2
    words, drawn = np.empty(pairs, np.uint64), np.empty(2 * pairs, np.int64)
    half = uint64(0xFFFFFFFF)
    for t in range(auctions):
        for i in range(pairs):  # on vector registers, as are the draws
            words[i] = word(state + step * uint64(i + 1))
        state += step * uint64(pairs)
        for i in range(pairs):
            low, high = (words[i] & half) * levels, (words[i] >> uint64(32)) * levels
            one, two = int64(low >> uint64(32)), int64(high >> uint64(32))
            drawn[i] = becomes[2 * one + int64((low & half) >= limit[one])]
            drawn[pairs + i] = becomes[2 * two + int64((high & half) >= limit[two])]
        first = second = 0.0  # two sums, so that none waits for the last addition
        for i in range(n // 2):
            first += bids[drawn[i]]
            second += bids[drawn[pairs + i]]
        if n % 2:
            first += bids[drawn[pairs - 1]]
        top = 0
        for i in range(n):
            top = max(top, drawn[i])
        revenue[t] = last * (first + second)
        highest[t] = bids[top]
        if used > 0:
            for i in range(n):
                counts[drawn[i]] += 1
            bid, rank = top, 0
            while rank < used:
                if counts[bid] > 0:
                    revenue[t] += (payments[rank] - last) * bids[bid]
                    counts[bid] -= 1
                    rank += 1
                else:
                    bid -= 1
            for i in range(n):
                counts[drawn[i]] = 0


@dataclass(frozen=True, eq=False)
class Settled(ByValue):
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

    Raises:
        AllpayError: if there is not a number for each bidder, or one is not finite, or a bid is negative.
    """
    check_game(game)
    given = (("bids", bids), ("values", values), ("ties", ties), ("luck", luck))
    shape = np.shape(bids)
    for what, numbers in given:
        _check_each(what, numbers, shape, game.bidders, infinite=what == "luck")
    values, bids, ties = (np.asarray(numbers, float) for numbers in (values, bids, ties))
    mechanism, n = game.mechanism, game.bidders
    which = np.repeat(np.arange(len(game.groups)), game.counts)
    values = np.broadcast_to(values, bids.shape)
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
        if bidder.joy:
            money[..., own] += bidder.joy * (rank[..., own] == 0)
        utility[..., own] = game.utility_of(i, money[..., own] - fee[..., own] if mechanism.fee else money[..., own])
    return Settled(rank, payment * bids, utility, share, fee)


def _check_each(what: str, given: ArrayLike, shape: tuple[int, ...], bidders: int, infinite: bool) -> None:
    """Raise AllpayError unless these are numbers `[…, bidders]` that fit together; luck is one for all, or may be infinite."""
    try:
        numbers = np.asarray(given, float)
        np.broadcast_to(numbers, shape)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    fits = shape[-1:] == (bidders,) and (numbers.shape[-1:] == (bidders,) or (infinite and numbers.shape == ()))
    if not fits:
        raise AllpayError(f"{what} must be numbers, one for each of {bidders} bidders: got {short(given)}")
    if np.any(np.isnan(numbers)) or (not infinite and not np.all(np.isfinite(numbers))):
        raise AllpayError(f"{what} must be finite: got {exactly(numbers[~np.isfinite(numbers)].flat[0])}")
    if what == "bids" and np.any(numbers < 0):
        raise AllpayError(f"bids must not be negative: got {exactly(numbers.min())}")


def utilities_by_rank(game: Game) -> Array:
    """`[groups, values, bids, bidders + 1]` the utility of a value and bid at each rank; 0 without one, and for staying out."""
    prizes, payments, fee = np.asarray(game.mechanism.prizes), np.asarray(game.mechanism.payments), game.mechanism.fee
    out = np.zeros((len(game.groups), game.value_levels, game.bid_levels, game.bidders + 1))
    for i in range(len(game.groups)):
        money = game.value_grids[i][:, None, None] * prizes - game.cost_grids[i][None, :, None] * payments
        money[..., 0] += game.joys[i]
        out[i, ..., :-1] = game.utility_of(i, money - fee if fee else money)
    if game.mechanism.may_stay_out:
        out[:, :, 0] = 0.0
    return out


def turn_up(game: Game, auctions: int, random: np.random.Generator, bidder: int | None = None) -> NDArray[np.bool_]:
    """`[auctions, bidders]` who is there; given that one bidder is, if that is named, by its number from 0.

    Raises:
        AllpayError: if there is no such bidder, or the auctions are no whole number of at least 0.
    """
    check_game(game)
    n, auctions = game.bidders, whole("auctions", auctions)
    if auctions < 0:
        raise AllpayError(f"auctions must be at least 0: got {auctions:,}")
    if bidder is not None and not 0 <= whole("bidder", bidder) < n:
        raise AllpayError(f"bidder must be a number from 0 to {n - 1:,}: got {short(bidder)}")
    there = np.ones((auctions, n), bool)
    if game.field is not None:  # so many of them, each set equally likely
        chances = game.field.among(n)
        if bidder is not None:  # who is there sees a large field more often than a small one
            chances = chances * np.arange(n + 1)
            chances /= chances.sum()
        count = random.choice(n + 1, size=auctions, p=chances)
        lots = random.random((auctions, n))
        if bidder is not None:
            lots[:, bidder] = -1.0
        there = lots.argsort(axis=1).argsort(axis=1) < count[:, None]
    presence = np.repeat(game.presence, game.counts)
    if bidder is not None:
        presence[bidder] = 1.0
    return there & (random.random((auctions, n)) < presence) if np.any(presence < 1) else there


@dataclass(frozen=True, eq=False)
class Played(ByValue):
    """Sampled auctions: `[auctions]` the revenue, without fees, and the highest bid of each; 0 where nobody bids."""

    revenue: Array
    highest_bid: Array


def play(game: Game, strategy: ArrayLike, auctions: int, seed: int) -> Played:
    """Sample auctions in which bidders follow given strategies.

    Args:
        game: the game.
        strategy: `[groups or bidders, values, bids]` the probability of each bid given the value.
        auctions: how many, from 1 to `MOST_AUCTIONS`.
        seed: of the random stream, an unsigned 64-bit number.

    Raises:
        AllpayError: if these are no strategies of the game (see `as_strategy`), or a number is out of its bounds.
    """
    check_game(game)
    auctions = check_auctions(auctions)
    seed = whole("seed", seed)
    if not 0 <= seed < 2**64:
        raise AllpayError(f"the seed of a stream must lie in [0, 2^64): got {short(seed)}")
    cumulative = closed(as_strategy(game, strategy))
    if not game.simple:
        return _play_any(game, cumulative, auctions, seed)
    revenue, highest = np.zeros(auctions), np.zeros(auctions)
    rest = (np.asarray(game.mechanism.payments), game.bid_grid, auctions, *stream(seed), revenue, highest)
    if len(cumulative) == 1 and game.bidders > FEW:
        _play_alike(np.diff(cumulative[0], axis=1, prepend=0.0).mean(axis=0), *rest)
    else:
        _play(cumulative, *rest)
    return Played(revenue, highest)


def check_auctions(auctions: int) -> int:
    """How many auctions there are, as a plain number.

    Raises:
        AllpayError: unless so many can be sampled in one call.
    """
    auctions = whole("auctions", auctions)
    if auctions < 1:
        raise AllpayError(f"auctions must be at least 1: got {auctions}")
    if auctions > MOST_AUCTIONS:
        raise AllpayError(f"auctions must be at most {MOST_AUCTIONS:,}: got {short(auctions)}; give fewer")
    return auctions


def closed(strategy: Array) -> Array:
    """The running sums of a strategy over bids, same shape.

    The last bid that is ever made closes its row at 1, so that rounding never leads to a bid of probability 0.
    """
    cumulative = np.cumsum(strategy, axis=-1)
    cumulative[cumulative >= cumulative[..., -1:]] = 1.0
    return cumulative


AT_A_TIME = 2_000_000
"""So many bids are sampled at once, at most."""


def _play_any(game: Game, cumulative: Array, auctions: int, seed: int) -> Played:
    """`play` for any game."""
    random, (state, step) = np.random.default_rng(int(seed)), stream(seed)
    kinds, n, mechanism = len(cumulative), game.bidders, game.mechanism
    group = np.repeat(np.arange(len(game.groups)), game.counts)
    tables = [alias_table(row) for row in np.diff(cumulative, axis=2, prepend=0.0).mean(axis=1)]
    limit, other = (np.stack(parts) for parts in zip(*tables, strict=True))
    payments, seconds = np.asarray(mechanism.payments), int(mechanism.ties != "random")
    ranked = bool(seconds) or bool(np.any(payments != payments[-1]))  # else all who bid pay alike, whatever their rank
    lucky, absent = ranked and mechanism.success.lucky, game.field is not None or bool(np.any(game.presence < 1))
    scores = mechanism.success.scores(game.efforts)[group]
    table = group if kinds == len(game.groups) else np.arange(n)
    revenue, highest = np.empty(auctions), np.empty(auctions)
    size = max(1, AT_A_TIME // n)
    for first in range(0, auctions, size):
        part = slice(first, min(first + size, auctions))
        shape = (part.stop - first, n)
        there = turn_up(game, shape[0], random) if absent else np.empty((0, n), bool)
        luck = mechanism.success.noise(random, shape) if lucky else np.empty((0, n))
        _play_ranked(
            *(table, limit, other, scores, luck, there, payments, game.bid_grid, int(mechanism.may_stay_out), seconds),
            *(state, step, uint64(first * n), revenue[part], highest[part]),
        )
    return Played(revenue, highest)


@compiled
def _play_ranked(  # type: ignore[no-untyped-def]
    table, limit, other, scores, luck, there, payments, bids, out, seconds, state, step, taken, revenue, highest
):
    """Fill revenue and highest `[auctions]`.

    Args:
        table: `[bidders]` which row of limit and other `[rows, bids]`, see `alias_table`, a bidder's bids are drawn from.
        scores: `[bidders, bids]` what decides ranks, before luck.
        luck: `[auctions, bidders]` what is added to it, or `[0, bidders]` where nothing is.
        there: `[auctions, bidders]` who is there, or `[0, bidders]` where all always are.
        payments: `[bidders]` the part of its bid that each rank pays.
        out: 1 where the first bid is to stay out.
        seconds: 1 where all losers with at most one score strictly above theirs pay as second.
        state, step, taken: of the stream, and how many words of it were taken before.
    """
    state += step * taken
    n, levels = scores.shape
    last = payments[n - 1]
    used = n
    while used > 0 and payments[used - 1] == last and not seconds:
        used -= 1
    top_scores, top_ties, top_bids = np.empty(used), np.empty(used, np.uint64), np.empty(used)
    half = uint64(0xFFFFFFFF)
    for t in range(len(revenue)):
        total, top, held = 0.0, 0.0, 0
        for i in range(n):
            state += step
            bits = word(state)
            if len(there) > 0 and not there[t, i]:
                continue
            row = table[i]
            scaled = (bits & half) * uint64(levels)
            bid = int64(scaled >> uint64(32))
            if (scaled & half) >= limit[row, bid]:
                bid = other[row, bid]
            if out and bid == 0:
                continue
            total += bids[bid]
            top = max(top, bids[bid])
            if used == 0:
                continue
            score, tie = scores[i, bid], bits >> uint64(32)
            if len(luck) > 0:
                score += luck[t, i]
            if held < used:
                held += 1
            elif not (score > top_scores[held - 1] or (score == top_scores[held - 1] and tie > top_ties[held - 1])):
                continue
            k = held - 1
            while k > 0 and (score > top_scores[k - 1] or (score == top_scores[k - 1] and tie > top_ties[k - 1])):
                top_scores[k], top_ties[k], top_bids[k] = top_scores[k - 1], top_ties[k - 1], top_bids[k - 1]
                k -= 1
            top_scores[k], top_ties[k], top_bids[k] = score, tie, bids[bid]
        paid, above = last * total, 0
        for k in range(held):
            if k > 0 and top_scores[k] != top_scores[k - 1]:
                above = k
            rank = 1 if seconds and k > 0 and above <= 1 else k
            paid += (payments[rank] - last) * top_bids[k]
        revenue[t], highest[t] = paid, top
