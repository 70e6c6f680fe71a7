"""What strategies bring beside revenue: against enumeration of values, bids and presences, and against sampled auctions."""

import itertools
import math
import time
from dataclasses import replace

import numpy as np
import pytest

from allpay.contest.attendance import Field, poisson_field
from allpay.contest.auction import settle, turn_up
from allpay.contest.bidder import Bidder, with_levels
from allpay.contest.game import Game
from allpay.contest.measures import Played
from allpay.contest.mechanism import Mechanism, all_pay
from allpay.contest.success import Noise, Tullock
from allpay.contest.values import Common, Power, Private, Uniform, integers
from allpay.errors import AllpayError
from test_contests import SMALL, mixtures, orders

MORE = {
    "luck, values that differ": Game(
        Mechanism((0.7, 0.3, 0), (1, 1, 1), success=Tullock(0.8)),
        [(Bidder(Private(Uniform(), 2)), 2), (Bidder(Private(Power(2), 2), cost=2), 1)],
        bid_levels=3,
    ),
    "integers, alike": Game(Mechanism((0.6, 0.4, 0), (1, 0.5, 0.2)), Private(integers(1, 3)), bid_levels=3),
}
GAMES = {
    name: replace(game, values=with_levels(game.values, lambda levels: min(levels, 2)))
    for name, game in {**SMALL, **MORE}.items()
}
"""With few values, so that all can be enumerated."""

LEVELS = (0.1, 1 / 3, 0.6, 5.0)


def enumerated(game, profile):
    """The measures of a profile `[bidders, values, bids]`, one presence, one profile of values and bids after another."""
    m, n = game.mechanism, game.bidders
    which = np.repeat(np.arange(len(game.groups)), game.counts)
    cells = list(itertools.product(range(game.value_levels), range(game.bid_levels)))
    field = None if game.field is None else game.field.among(n)
    ordered, most = np.zeros(n), {level: np.zeros(n + 1) for level in LEVELS}
    revenue = entrants = welfare = ablest = prizes = fees = 0.0
    for there in itertools.product((0, 1), repeat=n):
        chance = math.prod(
            game.presence[which[i]] if here else 1 - game.presence[which[i]] for i, here in enumerate(there)
        )
        if field is not None:
            assert np.all(game.presence == 1)
            chance = field[sum(there)] / math.comb(n, sum(there))
        inside = [i for i in range(n) if there[i]]
        if chance == 0:
            continue
        for drawn in itertools.product(cells, repeat=len(inside)):
            weight = chance * math.prod(
                profile[i][cell] / game.value_levels for i, cell in zip(inside, drawn, strict=True)
            )
            if weight == 0:
                continue
            values = {i: game.value_grids[which[i], v] for i, (v, _) in zip(inside, drawn, strict=True)}
            bids = {i: b for i, (_, b) in zip(inside, drawn, strict=True)}
            playing = [i for i in inside if not (m.may_stay_out and bids[i] == 0)]
            money = sorted((game.bid_grid[bids[i]] for i in playing), reverse=True)
            ordered[: len(money)] += weight * np.array(money)
            for level in LEVELS:
                most[level][sum(b >= level * (1 - 1e-9) for b in money)] += weight
            entrants += weight * sum(m.may_stay_out or bids[i] > 0 for i in playing)
            fees += weight * m.fee * len(playing)
            efforts = [game.efforts[which[i], bids[i]] for i in playing]
            for order, part in orders(efforts, m.success):
                if order:
                    best = playing[order[0]]
                    ablest += weight * part * (values[best] == max(values.values()))
                for rank, place in enumerate(order):
                    i, pays = playing[place], rank
                    if m.ties == "seconds-pay" and rank > 0 and sum(e > efforts[place] for e in efforts) <= 1:
                        pays = 1
                    cost = game.cost_grids[which[i], bids[i]]
                    revenue += weight * part * m.payments[pays] * game.bid_grid[bids[i]]
                    welfare += weight * part * (values[i] * m.prizes[rank] - m.payments[pays] * cost)
                    prizes += weight * part * m.prizes[rank]
    tails = {level: np.cumsum(counts[::-1])[::-1][1:] for level, counts in most.items()}
    return ordered, tails, revenue, entrants, welfare, ablest, prizes, fees


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("each", [False, True])
def test_measures_are_those_of_enumeration(name, each):
    game = GAMES[name]
    n, profile = game.bidders, mixtures(game, 3, each)
    played = Played(game, profile)
    full = profile if each else np.repeat(profile, game.counts, axis=0)
    ordered, tails, revenue, entrants, welfare, ablest, prizes, fees = enumerated(game, full)
    close = {"abs": 1e-8, "rel": 0} if game.mechanism.success.lucky else {"abs": 1e-12, "rel": 0}
    np.testing.assert_allclose(played.ranked_bids(n), ordered, atol=1e-12, rtol=0)
    np.testing.assert_allclose(played.ranked_bids(1), ordered[:1], atol=1e-12, rtol=0)
    assert played.highest_bid() == pytest.approx(ordered[0], abs=1e-12)
    for level, chances in tails.items():
        np.testing.assert_allclose(played.at_least(level, n), chances, atol=1e-12, rtol=0)
        assert played.number_at_least(level) == pytest.approx(chances.sum(), abs=1e-12)
    assert played.entrants() == pytest.approx(entrants, abs=1e-12)
    assert played.revenue() == pytest.approx(revenue, **close)
    assert played.welfare() == pytest.approx(welfare, **close)
    assert played.ablest_wins() == pytest.approx(ablest, **close)
    assert played.prizes() == pytest.approx(prizes, **close)
    assert played.fees() == pytest.approx(fees, abs=1e-12)


THREE = [
    (Bidder(Private(Uniform(), 8)), 3),
    (Bidder(Private(Power(2), 8), cost=2, presence=0.7), 4),
    (Bidder(Common(0.8)), 2),
]
SAMPLED = {
    "groups, absence, reserve": Game(
        Mechanism((0.6, 0.3, 0.1) + (0,) * 6, (1,) * 9, reserve=0.1), THREE, bid_levels=12
    ),
    "head starts": Game(
        Mechanism((0.6, 0.4, 0, 0, 0), (1, 0.8, 0.6, 0.4, 0.2)),
        [(Bidder(Private(Uniform(), 8), head_start=0.2), 2), (Bidder(Private(Power(2), 8), handicap=1.3), 3)],
        bid_levels=15,
    ),
    "noise, random field": Game(
        Mechanism((0.6, 0.3, 0.1, 0, 0, 0), (1,) * 6, success=Noise("normal", 0.2), fee=0.02),
        [(Bidder(Private(Uniform(), 8)), 4), (Bidder(Private(Power(2), 8)), 2)],
        bid_levels=12,
        attendance=Field((0, 0, 0.2, 0.3, 0.1, 0.2, 0.2)),
    ),
    "alike, Poisson": Game(
        Mechanism((0.6, 0.4, *[0] * (poisson_field(4).most - 2)), (1,) * poisson_field(4).most),
        Private(Uniform(), 8),
        bid_levels=15,
        attendance=poisson_field(4),
    ),
}


@pytest.mark.parametrize("name", SAMPLED)
def test_measures_are_those_of_sampled_auctions(name):
    """Within four standard errors of auctions settled one by one."""
    game, auctions, random = SAMPLED[name], 40_000, np.random.default_rng(5)
    profile, n = mixtures(game, 8), game.bidders
    which = np.repeat(np.arange(len(game.groups)), game.counts)
    value = random.integers(game.value_levels, size=(auctions, n))
    chosen = np.sum(np.cumsum(profile, axis=-1)[which, value] < random.random((auctions, n, 1)), axis=-1)
    chosen = np.minimum(chosen, game.bid_levels - 1)
    there = turn_up(game, auctions, random)
    enters = there & (chosen > 0) if game.mechanism.may_stay_out else there
    bids, values = game.bid_grid[chosen], game.value_grids[which, value]
    luck = game.mechanism.success.noise(random, bids.shape)
    done = settle(game, values, bids, random.random(bids.shape), luck, enters)
    money = -np.sort(-np.where(enters, bids, 0.0), axis=1)
    costs = game.cost_grids[which[None, :], chosen] * np.append(game.mechanism.payments, 0.0)[done.rank]
    best = np.where(there, values, -1.0).max(axis=1)
    played, level = Played(game, profile), game.bid_grid[game.bid_levels // 2]
    for expected, found in (
        *((played.ranked_bids(n)[k], money[:, k]) for k in range(min(n, 6))),
        (played.revenue(), done.payment.sum(axis=1)),
        (played.number_at_least(level), np.sum(money >= level - 1e-9, axis=1)),
        (played.at_least(level, 2)[1], money[:, 1] >= level - 1e-9),
        (played.entrants(), np.sum(enters & (chosen > 0), axis=1)),
        (played.welfare(), np.sum(values * done.share - costs, axis=1)),
        (played.ablest_wins(), np.any((done.rank == 0) & (values == best[:, None]), axis=1)),
        (played.prizes(), done.share.sum(axis=1)),
        (played.fees(), done.fee.sum(axis=1)),
    ):
        error = found.std() / math.sqrt(auctions)
        assert abs(found.mean() - expected) < 4 * error + 1e-9


@pytest.mark.parametrize("attendance", [1.0, 0.8, poisson_field(700)])
def test_a_thousand_bidders_in_three_groups(attendance):
    """All E[b_(k)] add up to what all bid, the chances of so many bids to their number, and the whole is quick."""
    n, uniform, power = 1000, Private(Uniform(), 4), Private(Power(2), 4)
    kinds = [(Bidder(uniform), 400), (Bidder(power, presence=0.9), 350), (Bidder(Common(0.5)), 250)]
    prizes = (0.5, 0.3, 0.2, *[0.0] * (n - 3))
    game = Game(Mechanism(prizes, (1.0,) * n, reserve=0.01), kinds, bid_levels=21, attendance=attendance)
    played = Played(game, mixtures(game, 1))
    begun = time.perf_counter()
    ranked = played.ranked_bids(n)
    assert time.perf_counter() - begun < 5
    assert np.all(np.diff(ranked) <= 1e-12)
    assert np.all(ranked >= 0)
    np.testing.assert_allclose(played.ranked_bids(3), ranked[:3], rtol=1e-10)
    everybody = game.counts * game.turnout
    assert ranked.sum() == pytest.approx(everybody @ played.strategy.mean(axis=1) @ game.bid_grid, rel=1e-10)
    level = game.bid_grid[10]
    assert played.at_least(level, n).sum() == pytest.approx(played.number_at_least(level), rel=1e-10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("game", 3), "a Game is needed"),
        ((-1,), "auctions must be at least 0"),
        ((2.5,), "a whole number"),
        ((3, 3), "bidder must be a number from 0 to 2"),
        ((3, -1), "bidder must be a number from 0 to 2"),
    ],
)
def test_who_turns_up_is_asked_of_bidders_that_there_are(arguments, message):
    game = Game(all_pay(3), attendance=0.5)
    first, *rest = arguments
    arguments = (first, *rest) if isinstance(first, str) else (game, first, *rest)
    asked, auctions, *bidder = arguments
    with pytest.raises(AllpayError, match=message):
        turn_up(asked, auctions, np.random.default_rng(0), *bidder)
