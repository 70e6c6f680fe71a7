"""Bidders with networks in contests as they are: auctions settled as exact payoffs say, and what is learned from them."""

import math
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.payoffs import evaluate, exploitability
from allpay.contest.success import LAWS, Highest, Noise, Tullock
from allpay.contest.values import Common, Power, Private, Uniform
from allpay.errors import AllpayError
from allpay.learners import DQN, PPO, EpsilonGreedy, FictitiousPlay, InteriorPoint, learn, run_seeds
from allpay.learners.base import usual_bytes
from allpay.learners.deep import below, chance_of, design_of, draw_bids, settle, uniform
from allpay.outcome import stake
from allpay.precision import usual
from test_contests import SMALL, mixtures

AUCTIONS, BATCHES = 40_000, 40

LUCKY = Game(
    Mechanism((0.6, 0.3, 0.1, 0, 0), (1, 0.8, 0.6, 0.4, 0.2), fee=0.05),
    [(Bidder(Private(Uniform(), 4)), 2), (Bidder(Private(Power(2), 2), handicap=0.7, presence=0.8), 3)],
    bid_levels=9,
)
CHOSEN = ("head starts that tie", "random field", "tullock, unlike, payments by rank, fee", "seconds pay")
"""Those of the small games that have each part once; compiling takes most of the time."""

GAMES = {name: SMALL[name] for name in CHOSEN} | {
    f"{law}, groups, absence, fee": replace(LUCKY, mechanism=replace(LUCKY.mechanism, success=Noise(law, 0.3, power=2.5)))
    for law in LAWS
} | {
    "on the logarithm, random field, reserve": Game(
        Mechanism((0.6, 0.3, 0.1), (1, 1, 1), success=Noise("normal", 0.5, log=True), reserve=0.1),
        Private(Uniform(), 4), bid_levels=9, attendance=0.7,
    ),
    "many, so that they are sorted": Game(
        Mechanism((0.6, 0.4) + (0,) * 18, (1,) * 20, success=Tullock(2)), Private(Uniform(), 4), bid_levels=9,
        attendance=0.4,
    ),
}  # fmt: skip


BETWEEN = {
    "tullock, groups, absence, fee": replace(LUCKY, mechanism=replace(LUCKY.mechanism, success=Tullock(1.3))),
    "reserve and fee": SMALL["reserve and fee"],
}
"""Games for bids between those of the grid: with a fee, so that the lowest number is to stay out."""


def compare(game, profile, bids):
    """Revenue, highest bid and payoffs of auctions with these bids are those of a profile, within 4.5 standard errors."""

    def sample(design, key):
        of_values, of_bids, of_ties, rest = jax.random.split(key, 4)
        shape = (game.bidders, AUCTIONS // BATCHES)
        value = below(jax.random.uniform(of_values, shape), game.value_levels)
        chance = chance_of(design, rest, shape[1])
        bid = bids(design, value, jax.random.uniform(of_bids, shape))
        auctions, played = settle(design, value, bid, jax.random.uniform(of_ties, shape), chance)
        return played, auctions.utility, chance.there

    keys = jax.random.split(jax.random.key(3), BATCHES)
    played, utility, there = (
        np.asarray(x)
        for x in jax.jit(lambda *given: jax.lax.map(partial(sample, given[0]), given[1]))(design_of(game), keys)
    )
    exact = evaluate(game, profile)
    for found, wanted in zip(game.top_bid * played.T.astype(float), (exact.revenue, exact.highest_bid), strict=True):
        assert abs(found.mean() - wanted) < 4.5 * found.std() / math.sqrt(BATCHES) + 1e-6
    for i, wanted in enumerate(exact.payoff):
        found = stake(game) * utility[:, i][there[:, i]].astype(float)
        assert abs(found.mean() - wanted) < 4.5 * found.std() / math.sqrt(len(found)) + 1e-6


@pytest.mark.parametrize("name", GAMES)
def test_auctions_are_settled_as_exact_payoffs_say(name):
    game = GAMES[name]
    profile = mixtures(game, 8, each=True)
    policy = jnp.asarray(profile, jnp.float32)
    compare(game, profile, lambda design, value, u: draw_bids(design, policy, value, u))


@pytest.mark.parametrize("name", ["tullock, groups, absence, fee", "reserve and fee"])
def test_bids_between_those_of_the_grid_are_settled_likewise(name):
    """Numbers that are those of the grid bring what the grid's do, and what is nearer to staying out stays out."""
    game = BETWEEN[name]
    profile = mixtures(game, 9, each=True)
    policy = jnp.asarray(profile, jnp.float32)

    def bids(design, value, u):
        bid = draw_bids(design, policy, value, u).astype(jnp.float32)
        return jnp.where(bid == 0, 0.4, bid)

    compare(game, profile, bids)


STEIN = Game(
    Mechanism((1, 0), (1, 1), success=Tullock(1)), [(Bidder(Common(1)), 1), (Bidder(Common(0.5)), 1)],
    bid_levels=41, max_bid=0.4,
)  # fmt: skip
"""Two bidders with values 1 and ½: they bid v²w/(v + w)², 2/9 and 1/9 (Stein 2002)."""


@pytest.mark.parametrize(
    "learner",
    [
        DQN(iterations=300, batch=512, learning_rate=4e-3, averaging=0.02, chunk=1),
        PPO(iterations=150, batch=512, epochs=2, minibatches=2, learning_rate=5e-3, averaging=0.03, chunk=1),
    ],
    ids=["dqn", "ppo"],
)
def test_unlike_bidders_learn_in_a_contest_with_luck(learner):
    found = learner.learn([STEIN], run_seeds(0, 1, 1))
    profile = found.strategy[0, 0]
    random = np.full(profile.shape, 1 / STEIN.bid_levels)
    assert exploitability(STEIN, profile).mean() < 0.1 * exploitability(STEIN, random).mean()
    np.testing.assert_allclose(profile[:, 0] @ STEIN.bid_grid, [2 / 9, 1 / 9], atol=0.02)


@pytest.mark.parametrize("learner", [DQN, PPO])
def test_who_is_absent_learns_nothing(learner):
    """A bidder who is next to never there stays as it began, though its rivals learn."""
    kinds = [(Bidder(Common(1), presence=1e-9), 1), (Bidder(Common(1)), 2)]
    game = Game(Mechanism((1, 0, 0), (1, 1, 1)), kinds, bid_levels=11)
    rule, design = learner(iterations=20, batch=64, width=8, chunk=1), design_of(game)
    begun = rule.begin(design, jax.random.key(0))
    after, _played = jax.jit(rule.step)(design, begun)
    # a policy network is moved by its entropy alone
    one, other = (x.networks.value if learner is PPO else x.networks for x in (begun, after))
    moved = np.abs(np.asarray(one.matrices[0] - other.matrices[0])).max(axis=(1, 2))
    assert moved[0] < 1e-6
    assert np.all(moved[1:] > 1e-4)


def test_games_with_different_luck_in_one_batch_learn_as_they_do_alone():
    games = [replace(STEIN, mechanism=replace(STEIN.mechanism, success=luck)) for luck in (Tullock(1), Tullock(2))]
    games.append(replace(games[0], mechanism=replace(games[0].mechanism, prizes=(0.8, 0.2))))
    learner = DQN(iterations=3, batch=32, width=4, chunk=2)
    seeds = run_seeds(0, 3, 2)
    together = learner.learn(games, seeds)
    for d, game in enumerate(games):
        alone = learner.learn([game], seeds[d : d + 1])
        np.testing.assert_array_equal(together.strategy[d], alone.strategy[0])
        np.testing.assert_array_equal(together.realised_revenue[d], alone.realised_revenue[0])


class Own:
    """A rule that only inherits what it does not have itself."""

    def __init_subclass__(cls):
        for name in ("lucky", "words", "scores", "noise", "sums"):
            if name not in vars(cls):
                setattr(cls, name, getattr(Noise, name))

    law, scale, log, power = "logistic", 0.3, False, 2.0
    _law = property(Noise._law.fget)


class WithoutLuck(Own):
    pass


class Scalar(Own):
    luck = Noise.luck

    def scores(self, effort, xp=np):
        return np.sqrt(effort)


class Unhashable(Own):
    luck, __hash__ = Noise.luck, None


class Whole(Own):
    luck = Noise.luck


class Sure(Own):
    """No luck, so that it needs none."""

    lucky = False
    scores, noise, sums = Highest.scores, Highest.noise, Highest.sums


@pytest.mark.parametrize("learner", [DQN(iterations=1, batch=8), PPO(iterations=1, batch=8, minibatches=1)])
@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            WithoutLuck,
            "WithoutLuck has no method luck; give it one, as Tullock has, or choose a learner on exact payoffs",
        ),
        (Scalar, "cannot use Scalar on JAX arrays: TracerArrayConversionError: .*; write it with the namespace xp"),
        (Unhashable, "cannot use Unhashable on JAX arrays: TypeError: unhashable"),
    ],
)
def test_rules_of_ones_own_that_networks_cannot_use_are_refused_in_one_line(learner, rule, message):
    game = replace(LUCKY, mechanism=replace(LUCKY.mechanism, success=rule()))
    with pytest.raises(AllpayError, match=message) as error:
        learner.learn([game], run_seeds(0, 1, 1))
    assert len(str(error.value)) <= 300
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("rule", [Whole, Sure])
def test_rules_of_ones_own_that_have_all_there_is_to_have_are_used(rule):
    design = design_of(replace(LUCKY, mechanism=replace(LUCKY.mechanism, success=rule())))
    luck = chance_of(design, jax.random.key(0), 50).luck
    assert luck.shape == (5, 50)
    assert np.ptp(luck) > 0 if rule.lucky else np.all(luck == 0)


@pytest.mark.parametrize("learner", [DQN(), PPO(), InteriorPoint(), EpsilonGreedy(), FictitiousPlay()])
def test_groups_count_in_the_memory_that_is_asked_for(learner):
    values, bids = 200, 300
    one, ten = (getattr(learner, "bytes_needed", usual_bytes)(20, values, bids, 40, groups) for groups in (1, 10))
    assert ten - one > 8 * 9 * values * bids  # a strategy, or what ranks are worth, for each more


def test_a_game_of_many_groups_that_would_not_fit_is_refused():
    many = [(Bidder(Private(Uniform(), 500)), 2)] * 40
    game = Game(Mechanism((1,) + (0,) * 79, (1,) * 80), many, bid_levels=401)
    with pytest.raises(
        AllpayError, match=r"dqn with rounds 1 of bidders 80 in 40 groups, value levels 500 .* would take"
    ):
        learn(game, DQN(), 1)


def test_numbers_drawn_flat_are_those_of_the_shape():
    with usual():
        key = jax.random.key(7)
        np.testing.assert_array_equal(uniform(key, 3, 2, 5), jax.random.uniform(key, (3, 2, 5)))
        keys = jax.random.split(key, 6).reshape(2, 3)
        np.testing.assert_array_equal(*map(jax.random.key_data, (keys, jax.random.split(key, (2, 3)))))


@pytest.mark.parametrize("bids", [2, 3, 10, 50])
def test_a_drawn_bid_is_the_first_whose_running_sum_is_above_the_number(bids):
    """However running sums are parted into blocks."""
    design = design_of(Game.from_weights("prizes", 0.8, 3, values=Private(Uniform(), 4), bid_levels=bids))
    random = np.random.default_rng(bids)
    policy = random.dirichlet(np.ones(bids), (3, 4)).astype(np.float32)
    value, chance = random.integers(4, size=(3, 400)), random.random((3, 400)).astype(np.float32)
    sums = np.cumsum(policy, axis=2, dtype=np.float32)[np.arange(3)[:, None], value]
    sums[:, :, -1] = np.inf
    clear = np.all(np.abs(sums - chance[..., None]) > 1e-6, axis=2)
    drawn = np.asarray(draw_bids(design, jnp.asarray(policy), jnp.asarray(value), jnp.asarray(chance)))
    np.testing.assert_array_equal(drawn[clear], np.argmax(sums > chance[..., None], axis=2)[clear])
