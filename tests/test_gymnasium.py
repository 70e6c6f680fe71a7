"""One bidder against fixed rivals: Gymnasium's own check, exact payoffs, and rewards that agree with them."""

from itertools import product

import numpy as np
import pytest

from allpay.contest.game import Game
from allpay.contest.payoffs import evaluate
from allpay.contest.values import Beta, Common, Private
from allpay.errors import AllpayError
from allpay.learners import FictitiousPlay, learn
from allpay.outcome import Outcome
from allpay.theory import equilibrium, on_grid

pytest.importorskip("gymnasium", reason="an optional extra: pip install 'allpay[gymnasium]'")
from gymnasium.utils.env_checker import check_env

from allpay.adapters.gymnasium import BidderEnv
from allpay.adapters.seat import Seat, strategy_of

SMALL = Game.from_weights("prizes", 0.7, values=Private(levels=4), bid_levels=6)
LIMITED = Game.from_weights("payments", 0.6, 4, values=Private(Beta(2, 2), 5), bid_levels=8, overbidding=False)
COMMON = Game.from_weights("prizes", 1.0, 2, values=Common(2.0), bid_levels=5, risk_aversion=1.0)

every_game = pytest.mark.parametrize("game", [SMALL, LIMITED, COMMON], ids=["private", "limited", "common"])


def mixture(game, kinds=None, seed=0):
    """A random strategy of as many kinds as there are bidders, or so many."""
    strategy = np.random.default_rng(seed).random((kinds or game.bidders, len(game.value_grid), game.bid_levels)) ** 3
    strategy *= np.arange(game.bid_levels) < game.allowed[:, None]
    return strategy / strategy.sum(axis=-1, keepdims=True)


@every_game
def test_it_passes_the_check_of_gymnasium(game):
    check_env(BidderEnv(game, mixture(game)), skip_render_check=True)


@every_game
def test_a_seed_decides_all_that_follows(game):
    def seen(seed):
        env, random, all_of_it = BidderEnv(game, mixture(game)), np.random.default_rng(0), []
        for t in range(40):
            all_of_it.append(repr(env.reset(seed=seed if t == 0 else None)))
            all_of_it.append(repr(env.step(random.integers(game.bid_levels))))
        return all_of_it

    assert seen(1) == seen(1)
    assert seen(1) != seen(2)


def expected(game, bidder, strategy):
    """`[values, bids]` by enumeration: all values and bids of the rivals, ties shared."""
    others = [strategy[i % len(strategy)].mean(axis=0) for i in range(game.bidders) if i != bidder]
    table = np.zeros((len(game.value_grid), game.bid_levels))
    a, p = game.mechanism.prizes, game.mechanism.payments
    for rivals in product(range(game.bid_levels), repeat=game.bidders - 1):
        chance = np.prod([mass[bid] for mass, bid in zip(others, rivals, strict=True)])
        for bid in range(game.bid_levels):
            above, tied = sum(r > bid for r in rivals), 1 + sum(r == bid for r in rivals)
            for k in range(above, above + tied):
                table[:, bid] += chance / tied * game.utility(game.value_grid * a[k] - p[k] * game.costs[bid])
    return table


@every_game
@pytest.mark.parametrize("alike", [True, False])
def test_payoffs_are_exact(game, alike):
    strategy, bidder = mixture(game, 1 if alike else None), game.bidders - 1
    env = BidderEnv(game, strategy, bidder)
    exact = expected(game, bidder, strategy)
    np.testing.assert_allclose(env.payoffs, exact, atol=1e-12)
    own = mixture(game, 1, seed=3)[0]
    assert env.payoff_of(own) == pytest.approx(np.mean(np.sum(own * exact, axis=1)))
    pure = np.arange(len(game.value_grid)) % game.bid_levels
    lowered = np.minimum(pure, game.allowed - 1)
    assert env.payoff_of(pure) == pytest.approx(np.mean(exact[np.arange(len(pure)), lowered]))
    plans = product(*(range(count) for count in game.allowed)) if game is not LIMITED else ()
    every = [np.mean([exact[v, bid] for v, bid in enumerate(plan)]) for plan in plans]
    if every:
        assert env.best_response_payoff == pytest.approx(max(every))
    assert env.best_response_payoff >= env.payoff_of(own)
    assert np.all(env.best_response < game.allowed)
    assert env.payoff_of(env.best_response) == env.best_response_payoff
    gain = env.best_response_payoff - env.payoff_of(strategy[bidder % len(strategy)])
    assert gain == pytest.approx(evaluate(game, strategy).exploitability[bidder])


@every_game
def test_rewards_agree_with_them_in_the_mean(game):
    strategy = mixture(game)
    env = BidderEnv(game, strategy, bidder=1)
    policy = np.minimum(np.arange(len(game.value_grid)) % 3 + 1, game.allowed - 1)
    env.reset(seed=5)
    rewards = []
    for _ in range(6000):
        observed, _ = env.reset()
        value = int(np.flatnonzero(env.observations[:, 0] == observed[0])[0])
        after, reward, terminated, truncated, info = env.step(policy[value])
        rewards.append(reward)
        assert (terminated, truncated) == (True, False)
        assert after == observed
        assert info["bid"] == game.bid_grid[policy[value]]
        assert info["payment"] == game.mechanism.payments[info["rank"]] * info["bid"]
    off = (np.mean(rewards) - env.payoff_of(policy)) / (np.std(rewards, ddof=1) / np.sqrt(len(rewards)))
    assert abs(off) < 4


@every_game
def test_many_auctions_at_once_agree_too(game):
    """What is batched, for every bid at every value."""
    seat, random = Seat(game, mixture(game), bidder=0), np.random.default_rng(2)
    for bid in range(int(game.allowed.max())):
        values = seat.draw(random, 40_000)
        settled, bids = seat.play(random, values, np.full(40_000, bid))
        assert bids.shape == settled.utility.shape == (40_000, game.bidders)
        assert np.all(bids[:, 0] <= np.where(game.overbidding, np.inf, game.value_grid[values] + 1e-12))
        own, exact = (
            settled.utility[:, 0],
            seat.payoffs[np.arange(len(game.value_grid)), np.minimum(bid, game.allowed - 1)],
        )
        off = (own.mean() - exact.mean()) / (own.std() / 200)
        assert abs(off) < 4


def test_a_bid_above_the_value_counts_as_the_highest_allowed():
    env = BidderEnv(LIMITED, mixture(LIMITED))
    masks = set()
    for seed in range(20):
        env.reset(seed=seed)
        allowed = env.action_masks()
        info = env.step(7)[-1]
        np.testing.assert_array_equal(allowed, LIMITED.bid_grid <= info["value"] + 1e-12)
        assert info["bid"] == LIMITED.bid_grid[allowed].max()
        masks.add(int(allowed.sum()))
    assert len(masks) > 2


def test_rivals_come_from_strategies_outcomes_and_theory():
    fine = Game.from_weights("prizes", 0.8)
    np.testing.assert_array_equal(strategy_of(fine, "equilibrium"), on_grid(fine, equilibrium(fine)))
    games = [SMALL, Game.from_weights("prizes", 0.9, values=Private(levels=4), bid_levels=6)]
    learner = FictitiousPlay(iterations=20, auctions=10)
    outcome = learner.learn(games, np.array([[1, 2], [3, 4]], np.uint64))
    np.testing.assert_array_equal(strategy_of(games[1], outcome), outcome.strategy[1, 0])
    own = mixture(SMALL)
    np.testing.assert_array_equal(strategy_of(SMALL, own), own)
    assert isinstance(learn(SMALL, learner), Outcome)
    assert BidderEnv(SMALL, learn(SMALL, learner, rounds=1)).best_response_payoff > 0


@pytest.mark.parametrize(
    ("game", "rivals", "bidder", "message"),
    [
        (SMALL, mixture(SMALL), 3, r"bidder must lie in 0…2: got 3"),
        (SMALL, mixture(SMALL)[:2], 0, r"a strategy must have the shape \(1 or 3, 4, 6\): got \(2, 4, 6\)"),
        (SMALL, mixture(SMALL) / 2, 0, "a strategy must sum to 1"),
        (LIMITED, np.full((1, 5, 8), 1 / 8), 0, "plays a bid above the bidder's value"),
        (SMALL, "fictitious-play", 0, "unknown kind of rivals 'fictitious-play': choose from equilibrium"),
        (
            SMALL,
            learn(COMMON, FictitiousPlay(iterations=2, auctions=2), 1),
            0,
            "the outcome is of other games: give one",
        ),
        (
            Game.from_weights("payments", 0.5, overbidding=False),
            "equilibrium",
            0,
            r"theory knows no equilibrium of this game, for the equilibrium bids exceed .*; give a strategy, or an outcome",
        ),
        (SMALL.mechanism, "equilibrium", 0, "a Game is needed"),
    ],
)
def test_rivals_that_are_none_are_refused(game, rivals, bidder, message):
    with pytest.raises(AllpayError, match=message):
        BidderEnv(game, rivals, bidder)


def test_what_is_no_action_or_policy_is_refused():
    env = BidderEnv(SMALL, mixture(SMALL))
    with pytest.raises(AllpayError, match=r"the auction is over: call reset\(\) before step\(\)"):
        env.step(0)
    for action, message in (
        (-1, "lie in 0…5: got -1"),
        (6, "lie in 0…5: got 6"),
        (np.nan, "be a finite number: got nan"),
    ):
        env.reset()
        with pytest.raises(AllpayError, match=f"an action must {message}"):
            env.step(action)
    env.reset()
    env.step(np.array([5]))  # an array of one, as some agents give it
    with pytest.raises(AllpayError, match="the auction is over"):
        env.step(0)
    with pytest.raises(AllpayError, match=r"must have the shape \(1 or 3, 4, 6\): got \(1, 3\)"):
        env.payoff_of([1, 2, 3])
    with pytest.raises(AllpayError, match="an action must lie in 0…5: got 6"):
        env.payoff_of([1, 2, 3, 6])
    with pytest.raises(AllpayError, match="a strategy must sum to 1"):
        env.payoff_of(np.ones((4, 6)))


def test_stable_baselines3_gets_batches_of_the_same_auctions():
    pytest.importorskip("stable_baselines3", reason="needs PyTorch: pip install stable-baselines3")
    from allpay.adapters.stable_baselines3 import BidderVecEnv

    env = BidderVecEnv(LIMITED, mixture(LIMITED), bidder=2, auctions=20_000, seed=1)
    assert env.best_response_payoff == BidderEnv(LIMITED, mixture(LIMITED), bidder=2).best_response_payoff
    observed = env.reset()
    assert observed.shape == (20_000, 1)
    assert env.observation_space.contains(observed[0])
    np.testing.assert_array_equal(env.env_method("action_masks"), env.action_masks())
    best = env.best_response[np.argmax(env.observations[:, 0] == observed, axis=1)]
    seen, rewards, done, infos = env.step(best)
    assert np.all(done)
    np.testing.assert_array_equal(np.stack([info["terminal_observation"] for info in infos]), observed)
    assert np.any(seen != observed)
    off = (rewards.mean() - env.best_response_payoff) / (rewards.std() / np.sqrt(20_000))
    assert abs(off) < 4
    env.seed(7)
    once = env.reset()
    env.seed(7)
    np.testing.assert_array_equal(env.reset(), once)
    assert env.get_attr("game", [0, 1]) == [LIMITED, LIMITED]
    assert env.env_is_wrapped(object, 0) == [False]
