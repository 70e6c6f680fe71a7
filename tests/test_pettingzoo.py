"""PettingZoo: its own tests, seeds along whole episodes, and rewards against the exact engine."""

import warnings

import numpy as np
import pytest

from allpay.contest.game import Game
from allpay.contest.payoffs import evaluate, expected_payoffs
from allpay.contest.values import Common, Private
from allpay.errors import AllpayError

pytest.importorskip("pettingzoo", reason="an optional extra: pip install 'allpay[pettingzoo]'")
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test
from pettingzoo.utils import parallel_to_aec

from allpay.adapters.pettingzoo import AuctionEnv

SMALL = Game.from_weights("prizes", 0.7, values=Private(levels=4), bid_levels=6)
LIMITED = Game.from_weights("payments", 0.6, 4, values=Private(levels=5), bid_levels=8, overbidding=False)
GAMES = {
    "private": SMALL,
    "common": Game.from_weights("prizes", 1.0, 2, values=Common(2.0), bid_levels=5, risk_aversion=1.0),
    "limited": LIMITED,
}

every_game = pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
both_kinds = pytest.mark.parametrize("continuous", [False, True], ids=["grid", "continuous"])


@every_game
@both_kinds
@pytest.mark.parametrize("rounds", [1, 7])
def test_it_passes_the_tests_of_pettingzoo(game, continuous, rounds, capsys):
    parallel_api_test(AuctionEnv(game, rounds, continuous), num_cycles=30)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Observation")  # that it is a single number, or a Dict, is meant
        api_test(parallel_to_aec(AuctionEnv(game, rounds, continuous)), num_cycles=30)
    if game.overbidding:  # this test of theirs takes no notice of masks
        parallel_seed_test(lambda: AuctionEnv(game, rounds, continuous), num_cycles=5)
    assert capsys.readouterr().out.count("Passed") == 2


def trajectory(env, seed, steps=60):
    """Everything that is seen in some episodes, with actions drawn from a generator of the test's own."""
    random, seen = np.random.default_rng(1), []
    observed, infos = env.reset(seed=seed)
    for _ in range(steps):
        if not env.agents:
            observed, infos = env.reset()
        seen.append((observed, infos))
        actions = {}
        for agent in env.agents:
            if env.continuous:
                actions[agent] = random.random(1).astype(np.float32)
            else:
                mask = (
                    observed[agent]["action_mask"]
                    if isinstance(observed[agent], dict)
                    else np.ones(env.game.bid_levels)
                )
                actions[agent] = random.choice(np.flatnonzero(mask))
        observed, *rest = env.step(actions)
        infos = rest[-1]
        seen.append(tuple(rest))
    return repr(seen)


@every_game
@both_kinds
@pytest.mark.parametrize("rounds", [1, 8])
def test_a_seed_decides_whole_episodes(game, continuous, rounds):
    one, other = AuctionEnv(game, rounds, continuous), AuctionEnv(game, rounds, continuous)
    first = trajectory(one, 5)
    assert trajectory(other, 5) == first
    assert trajectory(one, 5) == first  # a seed begins anew, whatever was played before
    if len(game.value_grid) > 1:
        assert trajectory(one, 6) != first


def test_without_a_seed_episodes_go_on_and_differ():
    env = AuctionEnv(SMALL, rounds=40)
    env.reset(seed=3)
    values = []
    for _ in range(2):
        env.reset()
        values.append([])
        while env.agents:
            _, _, _, _, infos = env.step(dict.fromkeys(env.agents, 0))
            values[-1].append([infos[agent]["value"] for agent in infos])
    assert values[0] != values[1]
    fresh = [AuctionEnv(SMALL).reset()[0] for _ in range(30)]
    assert len({repr(observed) for observed in fresh}) > 1


def played(env, strategy, seed):
    """`[rounds, bidders]` rewards and ranks of an episode in which agents mix by `strategy` `[bidders, values, bids]`."""
    random, cumulative = np.random.default_rng(seed), np.cumsum(strategy, axis=-1)
    observed, _ = env.reset(seed=seed)
    rewards, ranks = [], []
    while env.agents:
        values = [o["observation"] if isinstance(o, dict) else o for o in observed.values()]
        index = [int(np.argmin(np.abs(env.game.value_grid / env.game.values.highest - v.item()))) for v in values]
        u = random.random(len(index))
        actions = {
            agent: int(np.searchsorted(cumulative[i, index[i]], u[i] * cumulative[i, index[i], -1], side="right"))
            for i, agent in enumerate(env.agents)
        }
        observed, reward, _, _, infos = env.step(actions)
        rewards.append(list(reward.values()))
        ranks.append([infos[agent]["rank"] for agent in infos])
    return np.array(rewards), np.array(ranks)


@every_game
def test_rewards_are_the_exact_payoffs_in_the_mean(game):
    rng = np.random.default_rng(8)
    strategy = rng.random((game.bidders, len(game.value_grid), game.bid_levels)) ** 3
    strategy *= np.arange(game.bid_levels) < game.allowed[:, None]
    strategy /= strategy.sum(axis=-1, keepdims=True)
    rewards, _ = played(AuctionEnv(game, rounds=5000), strategy, 4)
    error = rewards.std(axis=0, ddof=1) / np.sqrt(len(rewards))
    off = (rewards.mean(axis=0) - evaluate(game, strategy).payoff) / error
    assert np.all(np.abs(off) < 4), off
    assert np.all(error < 0.03)


def test_one_bid_against_given_ones_earns_what_expected_payoffs_says():
    """The bid of every bidder in turn, at its value: reward by reward against one entry of the exact table."""
    mass = np.array([0.0, 0.0, 1.0, 0.0, 0.0, 0.0])  # all rivals bid the third bid, so that ties and ranks are known
    exact = expected_payoffs(SMALL, mass)
    env = AuctionEnv(SMALL, rounds=2000)
    env.reset(seed=2)
    found = {}
    for bid in (1, 2, 3):
        env.reset()
        sums, counts = np.zeros(4), np.zeros(4)
        while env.agents:
            _, rewards, _, _, infos = env.step(dict(zip(env.agents, (bid, 2, 2), strict=True)))
            v = int(np.argmin(np.abs(SMALL.value_grid - infos["bidder_0"]["value"])))
            sums[v] += rewards["bidder_0"]
            counts[v] += 1
        found[bid] = sums / counts
    np.testing.assert_allclose(found[1], exact[:, 1], atol=1e-12)
    np.testing.assert_allclose(found[3], exact[:, 3], atol=1e-12)
    np.testing.assert_allclose(found[2], exact[:, 2], atol=4 * 0.3 / np.sqrt(450))


def test_ties_are_broken_uniformly():
    pure = np.zeros((3, 4, 6))
    pure[..., 2] = 1
    _, ranks = played(AuctionEnv(SMALL, rounds=4800), pure, 1)
    assert np.all(np.sort(ranks, axis=1) == [0, 1, 2])
    orders = np.unique(ranks, axis=0, return_counts=True)[1]
    assert len(orders) == 6
    chi = np.sum((orders - 800) ** 2) / 800
    assert chi < 20.5  # one in a thousand, 5 degrees of freedom


def test_masks_say_which_bids_are_allowed():
    env = AuctionEnv(LIMITED, rounds=20)
    observed, _ = env.reset(seed=0)
    seen = set()
    while env.agents:
        for agent, sees in observed.items():
            assert env.observation_space(agent).contains(sees)
            value = sees["observation"].item() * LIMITED.values.highest
            np.testing.assert_array_equal(sees["action_mask"], LIMITED.bid_grid <= value + 1e-6)
            seen.add(int(sees["action_mask"].sum()))
        highest = {agent: int(observed[agent]["action_mask"].sum()) - 1 for agent in env.agents}
        observed, _, _, _, infos = env.step(highest)
        assert all(info["bid"] <= info["value"] + 1e-12 for info in infos.values())
    assert len(seen) > 2


def test_continuous_bids_are_parts_of_the_highest_allowed():
    env = AuctionEnv(LIMITED, continuous=True)
    env.reset(seed=0)
    _, rewards, terminated, truncated, infos = env.step(
        {f"bidder_{i}": np.array([part], np.float32) for i, part in enumerate((0, 0.25, 0.5, 1))}
    )
    for info, part in zip(infos.values(), (0, 0.25, 0.5, 1), strict=True):
        assert info["bid"] == pytest.approx(part * info["value"])
    last = max(infos, key=lambda agent: infos[agent]["bid"])
    assert infos[last]["rank"] == 0
    assert rewards[last] == pytest.approx(infos[last]["value"] - 0.6 * infos[last]["bid"])
    assert all(terminated.values())
    assert not any(truncated.values())
    free = AuctionEnv(SMALL, continuous=True)
    free.reset(seed=0)
    assert free.step(dict.fromkeys(free.agents, 0.5))[-1]["bidder_2"]["bid"] == pytest.approx(SMALL.top_bid / 2)


@pytest.mark.parametrize(
    ("options", "actions", "message"),
    [
        ({}, [0, 0], "every bidder must bid: there is no action of bidder_2, bidder_3"),
        ({}, [0, 0, -1, 0], r"an action must lie in 0…\d at the value 0\.\d: got -1 of bidder_2; its action_mask says"),
        ({}, [0, 0, 0, 8], r"got 8 of bidder_3"),
        ({"continuous": True}, [0, 1, 1.5, 0], r"an action must lie in \[0, 1\]: got 1\.5 of bidder_2"),
        ({"continuous": True}, [0, 1, np.nan, 0], r"got nan of bidder_2"),
    ],
)
def test_actions_that_are_none_are_refused(options, actions, message):
    env = AuctionEnv(LIMITED, **options)
    env.reset(seed=0)
    with pytest.raises(AllpayError, match=message):
        env.step({f"bidder_{i}": action for i, action in enumerate(actions)})


def test_what_cannot_be_played_is_refused():
    with pytest.raises(AllpayError, match="rounds must be at least 1: got 0"):
        AuctionEnv(SMALL, rounds=0)
    with pytest.raises(AllpayError, match="a Game is needed"):
        AuctionEnv(SMALL.mechanism)
    env = AuctionEnv(SMALL)
    with pytest.raises(AllpayError, match=r"the episode is over: call reset\(\) before step\(\)"):
        env.step({})
    env.reset()
    env.step(dict.fromkeys(env.agents, 1))
    assert env.agents == []
    with pytest.raises(AllpayError, match="the episode is over"):
        env.step(dict.fromkeys(env.possible_agents, 1))


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("action", [np.nan, np.inf, -np.inf, None, "x", [1, 2], 10**400, 1j])
def test_an_action_that_is_no_number_is_refused_in_one_line(action, continuous):
    env = AuctionEnv(Game.from_weights("prizes", 0.8, 2), continuous=continuous)
    env.reset(seed=0)
    with pytest.raises(AllpayError, match=r"an action must be (one|a finite) number: got .* of bidder_1") as error:
        env.step({"bidder_0": 0, "bidder_1": action})
    assert len(str(error.value)) <= 300


@pytest.mark.parametrize(("continuous", "action"), [(True, 1.0000001), (True, -1e-9), (False, 1.0000001)])
def test_an_action_just_beyond_its_bound_is_told_in_full(action, continuous):
    env = AuctionEnv(Game.from_weights("prizes", 0.8, 2), continuous=continuous)
    env.reset(seed=0)
    with pytest.raises(AllpayError, match=f"got {action!r} of bidder_1"):
        env.step({"bidder_0": 0, "bidder_1": action})
