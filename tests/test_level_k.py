"""Level-k and cognitive hierarchies against steps taken by hand on the public payoffs."""

import math
from itertools import pairwise

import numpy as np
import pytest

from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.payoffs import expected_payoffs
from allpay.contest.success import success
from allpay.contest.values import Common, Private
from allpay.errors import AllpayError
from allpay.learners import LevelK, learn
from allpay.outcome import Verdict

GAMES = {
    "private": Game.from_weights("prizes", 0.8, 3, bid_levels=21, values=Private(levels=6)),
    "unlike, with luck": Game(
        Mechanism((0.6, 0.4, 0), (1, 1, 1), success=success("tullock(1)")),
        [(Bidder(Common(1.0)), 1), (Bidder(Private(levels=6)), 2)],
        bid_levels=21,
    ),
}


def profile(game, **options):
    return learn(game, LevelK(auctions=10, **options), rounds=1).strategy[0, 0]


def answer(game, x):
    """The lowest best bid of every value against rivals who play x."""
    mass = x.mean(axis=1)
    out = np.zeros(x.shape)
    for i in range(len(x)):
        u = expected_payoffs(game, mass if len(mass) > 1 else mass[0], i)
        out[i, np.arange(len(u)), u.argmax(axis=1)] = 1.0
    return out


@pytest.mark.parametrize("game", list(GAMES.values()), ids=list(GAMES))
def test_each_level_best_responds_to_the_one_below(game):
    levels = [profile(game, level=k) for k in range(4)]
    np.testing.assert_allclose(levels[0][0, 0], [0.025, *[0.05] * 19, 0.025])
    for below, above in pairwise(levels):
        np.testing.assert_array_equal(answer(game, below), above)


def test_a_hierarchy_best_responds_to_all_levels_below():
    game, tau = GAMES["private"], 1.5
    level, believed, total = profile(game, level=0), profile(game, level=0), math.exp(-tau)
    for k in range(1, 30):
        level = answer(game, believed)
        chance = math.exp(-tau) * tau**k / math.factorial(k)
        believed = (believed * total + chance * level) / (total + chance)
        total += chance
    np.testing.assert_allclose(profile(game, hierarchy=tau), believed, atol=1e-9)


def test_those_who_do_not_think_may_bid_their_value():
    game = Game.from_weights("prizes", 1.0, 2, bid_levels=11, values=Private(levels=5), max_bid=0.5)
    np.testing.assert_allclose(profile(game, level=0, start="value")[0] @ game.bid_grid, [0.1, 0.3, 0.5, 0.5, 0.5])


def test_it_is_a_model_that_has_arrived_whatever_is_left_to_gain():
    found = learn(GAMES["private"], LevelK(1, auctions=10), rounds=2)
    assert np.all(found.verdicts == Verdict.CONVERGED)
    assert found.distance.max() == 0
    assert found.relative_exploitability.min() > 0.01
    assert "a model of steps of thinking, which is not a Nash equilibrium" in found.sentence


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": -1}, "level must be at least 0: got -1"),
        ({"level": 1.5}, "level must be a whole number: got 1.5"),
        ({"start": "x"}, "unknown start 'x'"),
        ({"hierarchy": 0}, "hierarchy must be above 0 and finite: got 0"),
        ({"hierarchy": 1.5, "level": 3}, "level has no effect in a hierarchy"),
    ],
)
def test_options_out_of_bounds_are_refused(options, message):
    with pytest.raises(AllpayError, match=message):
        LevelK(**options)
