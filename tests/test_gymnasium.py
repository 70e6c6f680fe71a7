"""One bidder against fixed rivals: Gymnasium's own check, exact payoffs, and rewards that agree with them."""

from itertools import product

import numpy as np
import pytest

from allpay.contest.attendance import field
from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.payoffs import evaluate
from allpay.contest.success import Noise
from allpay.contest.values import Beta, Common, Private, Uniform
from allpay.errors import AllpayError
from allpay.learners import FictitiousPlay, learn
from allpay.outcome import Outcome
from allpay.theory import equilibrium, on_grid
from test_contests import SMALL as CONTESTS
from test_contests import mixtures

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


@pytest.mark.parametrize(
    "name", ["private", "limited", "common", "caps of their own", "reserve and fee", "random field"]
)
def test_it_passes_the_check_of_gymnasium(name):
    game = KINDS[name]
    check_env(BidderEnv(game, mixtures(game, 0, each=True)), skip_render_check=True)


def test_who_stays_out_has_no_rank_and_pays_no_fee():
    game = CONTESTS["reserve and fee"]
    env = BidderEnv(game, mixtures(game, 0), bidder=2)
    env.reset(seed=1)
    _, reward, _, _, info = env.step(0)
    assert (reward, info["payment"], info["fee"], info["rank"]) == (0, 0, 0, None)
    env.reset()
    _, reward, _, _, info = env.step(game.bid_levels - 1)
    assert info["fee"] == game.mechanism.fee
    money = info["value"] * game.mechanism.prizes[info["rank"]] - info["payment"] - info["fee"]
    assert reward == pytest.approx(float(game.utility_of(1, money)))


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
def test_its_steps_are_the_auctions_of_the_seat(game):
    """One by one what the seat plays with the same random numbers: means are tested there, many at once."""
    strategy = mixture(game)
    env, seat = BidderEnv(game, strategy, bidder=1), Seat(game, strategy, bidder=1)
    random = np.random.Generator(np.random.PCG64(5))  # that of Gymnasium's seeds
    for t in range(200):
        observed, _ = env.reset(seed=5 if t == 0 else None)
        values = seat.draw(random, 1)
        np.testing.assert_array_equal(observed, seat.observations[values[0]])
        bid = min(int(values[0]) % 3 + 1, int(game.allowed[values[0]]) - 1)
        after, reward, terminated, truncated, info = env.step(bid)
        settled, bids = seat.play(random, values, [bid])
        assert (terminated, truncated) == (True, False)
        assert after == observed
        assert reward == settled.utility[0, 1]
        assert info == {
            "value": game.value_grid[values[0]],
            "bid": bids[0, 1],
            "payment": settled.payment[0, 1],
            "fee": 0.0,
            "rank": settled.rank[0, 1],
        }
        assert bids[0, 1] == game.bid_grid[bid]
        assert info["payment"] == game.mechanism.payments[info["rank"]] * info["bid"]


KINDS = {
    "private": SMALL,
    "limited": LIMITED,
    "common": COMMON,
    **CONTESTS,
    "caps of their own": Game(
        Mechanism((0.6, 0.3, 0.1), (1, 0.5, 0.5), success=Noise("normal", 0.2)),
        [
            (Bidder(Private(Uniform(), 4), max_bid=0.3), 1),
            (Bidder(Private(Uniform(0, 2), 2), overbidding=False), 2),
        ],
        bid_levels=6,
    ),
    "as many groups as rivals": Game(
        Mechanism((0.6, 0.3, 0.1), (1, 1, 1)),
        [(Bidder(Common(1.0), presence=0.7), 1), (Bidder(Common(0.7)), 2)],
        bid_levels=4,
        attendance=field("1:3"),
    ),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("each", [True, False])
def test_many_auctions_at_once_agree_too(name, each):
    """What is batched, for every bid of a bidder in each group."""
    game, random = KINDS[name], np.random.default_rng(2)
    strategy = mixtures(game, 0, each)
    exact = evaluate(game, strategy)
    for bidder in np.cumsum(game.counts) - 1:
        seat = Seat(game, strategy, bidder=int(bidder))
        own = strategy[bidder if each else seat.group]
        assert seat.payoff_of(own) == pytest.approx(exact.payoff[bidder], abs=1e-12)
        gain = seat.best_response_payoff - seat.payoff_of(own)
        assert gain == pytest.approx(exact.exploitability[bidder], abs=1e-12)
        limits, auctions = game.limits[seat.group], 8_000
        for bid in range(seat.bid_levels):
            values = seat.draw(random, auctions)
            settled, bids = seat.play(random, values, np.full(auctions, bid))
            assert bids.shape == settled.utility.shape == (auctions, game.bidders)
            made = np.minimum(bid, limits[values] - 1)
            np.testing.assert_array_equal(bids[:, bidder], game.bid_grid[made])
            left = settled.utility[:, bidder] - seat.payoffs[values, made]  # chance, once value and bid are known
            assert abs(left.mean()) < 4 * left.std() / np.sqrt(auctions) + 1e-12, bid
            out = game.mechanism.may_stay_out & (made == 0)
            np.testing.assert_array_equal(settled.rank[:, bidder] == game.bidders, out)


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
            lambda: learn(COMMON, FictitiousPlay(iterations=2, auctions=2), 1),  # not when tests are collected
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
    rivals = rivals() if callable(rivals) else rivals
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
    with pytest.raises(AllpayError, match=r"a policy must have the shape \(4,\) or \(4, 6\): got \(3,\)"):
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
