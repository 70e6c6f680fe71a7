"""What holds for every learner: one outcome, seeds that decide everything, batches and threads that decide nothing."""

import os
import pickle
from dataclasses import fields

import jax
import numpy as np
import pytest

from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism, all_pay
from allpay.contest.payoffs import evaluate
from allpay.contest.values import Common, Private
from allpay.errors import AllpayError
from allpay.learners import LEARNERS, EpsilonGreedy, FictitiousPlay, learn, learner, run_seeds
from allpay.learners.base import each_run, threads, threads_limited
from allpay.learners.conformance import check_learner_api
from allpay.outcome import Outcome, Verdict

SHORT = {"iterations": 60, "auctions": 2000}
SHORT_ITS_OWN_WAY = {
    "epsilon-greedy": {"iterations": 3000, "exploration": 1000, "halving": 200, "tail": 1000},
    "level-k": {"auctions": 2000},
    "dqn": {"iterations": 40, "batch": 32, "width": 4, "chunk": 3},
    "ppo": {"iterations": 40, "batch": 32, "width": 4, "chunk": 3},
}

ARRAYS = [
    f.name
    for f in fields(Outcome)
    if f.name not in {"games", "learner", "auctions", "tolerance", "solver", "behaviour"}
]

every_learner = pytest.mark.parametrize(
    "short", [learner(name, **SHORT_ITS_OWN_WAY.get(name, SHORT)) for name in LEARNERS], ids=list(LEARNERS)
)


def small(w: float, rule: str = "prizes", bidders: int = 3, **options) -> Game:
    return Game(Mechanism.from_weights(rule, w, bidders), **({"values": Private(levels=4), "bid_levels": 6} | options))


def assert_same(one: Outcome, other: Outcome, index=...) -> None:
    """Every array has the same bits, NaN included."""
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name)[index], getattr(other, name), err_msg=name)


@every_learner
def test_same_seed_same_bits_for_any_batch(short):
    games, seeds = [small(w) for w in (0.5, 0.7, 0.9, 1.0)], run_seeds(3, 4, 5)
    together = short.learn(games, seeds)
    for d in range(4):
        assert_same(together, short.learn(games[d : d + 1], seeds[d : d + 1]), np.s_[d : d + 1])
    assert_same(together, short.learn(games, seeds[:, 1:3]), np.s_[:, 1:3])
    assert_same(together, short.learn(games[::-1], seeds[::-1]), np.s_[::-1])
    assert_same(together, short.learn(games, seeds))


@every_learner
def test_same_seed_same_bits_for_any_number_of_threads(short, monkeypatch):
    games, seeds = [small(w) for w in (0.5, 0.9)], run_seeds(3, 2, 4)
    usual = short.learn(games, seeds)
    for cores in (1, 3, None):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert_same(usual, short.learn(games, seeds))


@every_learner
def test_other_seeds_give_other_runs_and_equal_seeds_equal_ones(short):
    found = short.learn([small(0.8)], np.array([[5, 6, 5]], np.uint64))
    assert found.realised_revenue[0, 0] != found.realised_revenue[0, 1]
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(found, name)[:, 0], getattr(found, name)[:, 2])


@every_learner
def test_every_learner_keeps_the_protocol(short):
    check_learner_api(short)


@every_learner
@pytest.mark.parametrize("rule", ["prizes", "payments"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"values": Common(2.0)},
        {"overbidding": False},
        {"cost_power": 2.0, "risk_aversion": 1.0},
        {"max_bid": 0.3},
        {"bidders": 2},
        {
            "bidders": 7,
            "values": Private(levels=1),
            "bid_levels": 2,
        },  # together: each shape is compiled anew for networks
    ],
    ids=lambda options: ",".join(options) or "plain",
)
def test_an_outcome_is_whole_and_agrees_with_the_exact_engine(short, rule, options):
    game = small(0.8, rule, **options)
    found = learn(game, short, rounds=2, seed=1)
    bidders, values, bids = game.bidders, len(game.value_grid), game.bid_levels
    assert found.games == (game,)
    assert found.learner == short.name
    assert found.strategy.shape in {(1, 2, kinds, values, bids) for kinds in (1, bidders)}
    np.testing.assert_allclose(found.strategy.sum(axis=-1), 1.0, atol=1e-9)
    for name in set(ARRAYS) - {"strategy", "history"}:
        assert getattr(found, name).shape == (1, 2), name
        assert np.all(np.isfinite(getattr(found, name))), name
    assert found.history.shape[:2] == (1, 2)
    for r in range(2):
        exact = evaluate(game, found.strategy[0, r])
        assert found.revenue[0, r] == exact.revenue
        assert found.highest_bid[0, r] == exact.highest_bid
        assert found.exploitability[0, r] == exact.exploitability.mean()
        np.testing.assert_array_equal(found.exploitability_by_bidder[0, r], exact.exploitability)
        assert found.payoff[0, r] == exact.payoff.mean()
    assert np.all(found.exploitability >= 0)
    assert np.all((found.realised_highest_bid >= 0) & (found.realised_highest_bid <= game.top_bid))
    assert found.auctions > 0
    assert set(found.verdicts.ravel()) <= {v.value for v in Verdict}
    assert np.all((found.asymmetry >= 0) & (found.asymmetry <= 1))


@every_learner
def test_a_learner_survives_pickling_as_processes_need(short):
    assert pickle.loads(pickle.dumps(short)) == short
    game = small(0.8)
    assert pickle.loads(pickle.dumps(game)) == game


@every_learner
def test_an_outcome_survives_pickling(short):
    found = learn(small(0.8), short, rounds=1)
    assert_same(found, pickle.loads(pickle.dumps(found)))


@every_learner
def test_rounds_below_one_are_refused(short):
    with pytest.raises(AllpayError, match="rounds must be at least 1: got 0"):
        learn(small(0.8), short, rounds=0)


@every_learner
@pytest.mark.parametrize(
    "other", [small(0.8, bid_levels=7), small(0.8, values=Private(levels=5)), small(0.8, bidders=4)]
)
def test_games_of_one_batch_must_have_one_shape(short, other):
    with pytest.raises(AllpayError, match="games of one batch must have as many bidders, groups, values and bids each"):
        short.learn([small(0.8), other], run_seeds(0, 2, 1))


@every_learner
def test_there_must_be_seeds_for_every_game(short):
    with pytest.raises(
        AllpayError, match=r"seeds must be \[designs, rounds\], one row per game: got \(3, 2\) for 2 games"
    ):
        short.learn([small(0.8), small(0.9)], run_seeds(0, 3, 2))


def test_learners_by_name():
    assert learner("fictitious-play") == FictitiousPlay()
    assert learner("epsilon-greedy", iterations=500_000) == EpsilonGreedy(iterations=500_000)
    assert learner("fictitious-play", iterations=None, tolerance=0.1) == FictitiousPlay(tolerance=0.1)
    for name, kind in LEARNERS.items():
        assert name == kind.name


def test_a_misspelt_learner_is_told_the_nearest():
    with pytest.raises(
        AllpayError,
        match=rf"^unknown learner 'epsilon': choose from {', '.join(LEARNERS)}; did you mean 'epsilon-greedy'\?$",
    ):
        learner("epsilon")


def test_an_option_of_another_learner_is_refused():
    with pytest.raises(AllpayError, match=r"^fictitious-play has no option 'exploration': it has iterations"):
        learner("fictitious-play", exploration=3)


@every_learner
def test_the_default_setting_of_a_learner_makes_a_game_it_can_play(short):
    game = short.setting.game(Mechanism.from_weights("prizes", 0.8, 3))
    assert np.isfinite(learn(game, short, rounds=1).revenue).all()


def test_a_run_that_fails_stops_the_others_and_says_why():
    def run(game, seed):
        if seed == 3:
            raise ValueError("the third")
        return seed

    with pytest.raises(ValueError, match="the third"):
        each_run(run, [small(0.8)], np.arange(8, dtype=np.uint64)[None])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((all_pay(3), FictitiousPlay()), r"^a Game is needed: got Mechanism\(.*; give Game\(mechanism, values\)$"),
        ((small(0.8), "fictitious-plan"), r"^unknown learner .fictitious-plan.: .*; did you mean .fictitious-play.\?$"),
        ((small(0.8), FictitiousPlay), r"^FictitiousPlay is a class: call it, as FictitiousPlay\(\)$"),
        ((small(0.8), 3), r"^a learner is needed: got 3; give one, as FictitiousPlay\(\)$"),
        ((small(0.8), FictitiousPlay(), 2.5), r"^rounds must be a whole number: got 2\.5$"),
        (
            (small(0.8), FictitiousPlay(), 10**9),
            r"^rounds must be at most 100,000: got 1,000,000,000; give fewer$",
        ),
        ((small(0.8), FictitiousPlay(), 1, 0.5), r"^seed must be a whole number: got 0\.5$"),
    ],
)
def test_what_cannot_be_learned_with_is_told_what_to_give(arguments, message):
    with pytest.raises(AllpayError, match=message):
        learn(*arguments)


@every_learner
def test_more_bidders_than_can_learn_are_refused_at_once(short):
    with pytest.raises(AllpayError, match=r"^bidders who learn must be at most 10,000: got 10,001; theory takes more$"):
        learn(small(0.8, bidders=10_001), short, rounds=1)


def test_no_limit_of_threads_leaves_the_one_around_it():
    with threads_limited(1):
        with threads_limited(None):
            assert threads() == 1
        with threads_limited(3):
            assert threads() == 3
        assert threads() == 1


def test_networks_of_two_learners_of_one_seed_begin_apart():
    """They had the same first layer."""
    from allpay.learners import DQN, PPO, deep

    design = deep.design_of(small(0.8))
    key = jax.random.key(5)
    first = [np.asarray(jax.tree.leaves(kind().begin(design, key).networks)[0]) for kind in (DQN, PPO)]
    assert first[0].shape == first[1].shape
    assert abs(np.corrcoef(first[0].ravel(), first[1].ravel())[0, 1]) < 0.2
