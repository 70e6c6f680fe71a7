"""PettingZoo: its own tests, seeds along whole episodes, and rewards against the exact engine."""

import warnings
from bisect import bisect_right

import numpy as np
import pytest

from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.payoffs import evaluate, expected_payoffs
from allpay.contest.success import Noise
from allpay.contest.values import Common, Private, Uniform
from allpay.errors import AllpayError
from test_contests import SMALL as CONTESTS
from test_contests import mixtures

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

KINDS = {
    **GAMES,
    **CONTESTS,
    "caps of their own": Game(
        Mechanism((0.6, 0.3, 0.1), (1, 0.5, 0.5), success=Noise("normal", 0.2)),
        [
            (Bidder(Private(Uniform(), 4), max_bid=0.3), 1),
            (Bidder(Private(Uniform(0, 2), 2), overbidding=False), 2),
        ],
        bid_levels=6,
    ),
}
"""Games of every kind."""

every_game = pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
both_kinds = pytest.mark.parametrize("continuous", [False, True], ids=["grid", "continuous"])


@pytest.mark.parametrize("game", KINDS.values(), ids=KINDS)
@both_kinds
@pytest.mark.parametrize("rounds", [1, 7])
def test_it_passes_the_tests_of_pettingzoo(game, continuous, rounds, capsys):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No agents present but not all")  # some never turned up
        parallel_api_test(AuctionEnv(game, rounds, continuous), num_cycles=30)
        warnings.filterwarnings("ignore", "Observation")  # that it is a single number, or a Dict, is meant
        warnings.filterwarnings("ignore", "Agents have different")  # bidders may bid differently much
        api_test(parallel_to_aec(AuctionEnv(game, rounds, continuous)), num_cycles=30)
    if continuous or all(
        bidder.overbidding for bidder, _ in game.groups
    ):  # this test of theirs takes no notice of masks
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


def play(env, strategy, seed, auctions):
    """`[auctions, bidders]` rewards, NaN of who is not there, values, bids, as indices, and ranks of auctions in which agents
    mix by `strategy` `[bidders, values, bids]`."""
    game, uniform = env.game, np.random.default_rng((seed, 1)).random((auctions, env.game.bidders)).tolist()
    rows = np.cumsum(strategy, axis=-1)
    rows[rows >= rows[..., -1:]] = 1.0  # rounding must not lead to the last bids
    rows = rows.tolist()
    which = np.repeat(np.arange(len(game.groups)), game.counts)
    places = [
        {float(x): v for v, x in enumerate((grid / game.groups[i][0].values.highest).astype(np.float32))}
        for i, grid in zip(which, game.value_grids[which], strict=True)
    ]
    rewards = np.full((auctions, game.bidders), np.nan)
    values, bids, ranks = (np.zeros((auctions, game.bidders), np.int64) for _ in range(3))
    env.reset(seed=seed)
    for t in range(auctions):
        if not env.agents or t == 0:
            observed, _ = env.reset()
        actions = {}
        for agent, sees in observed.items():
            i = int(agent[7:])
            value = places[i][float((sees["observation"] if isinstance(sees, dict) else sees)[0])]
            values[t, i], bids[t, i] = value, bisect_right(rows[i][value], uniform[t][i])
            actions[agent] = bids[t, i]
        observed, reward, _, _, infos = env.step(actions)
        for agent, worth in reward.items():
            i = int(agent[7:])
            rewards[t, i] = worth
            ranks[t, i] = -1 if infos[agent]["rank"] is None else infos[agent]["rank"]
    return rewards, values, bids, ranks


def rows_against(game, strategy, i):
    """`[values, bids]` what bids of bidder i are worth, exactly, against a profile `[bidders, values, bids]`."""
    group = int(np.searchsorted(np.cumsum(game.counts), i, side="right"))
    mass = strategy.mean(axis=1)
    first = int(game.counts[:group].sum())
    return expected_payoffs(game, np.insert(np.delete(mass, i, axis=0), first, mass[i], axis=0), group)


@pytest.mark.parametrize("name", KINDS)
def test_rewards_are_the_exact_payoffs_in_the_mean(name):
    """Also bid by bid: what is left of a reward, less what its value and bid are worth, is chance, of mean 0 and smaller."""
    game = KINDS[name]
    absent = game.field is not None or np.any(game.presence < 1)
    strategy = mixtures(game, 8, each=True)
    rewards, values, bids, ranks = play(AuctionEnv(game, 1 if absent else 50), strategy, 4, 1000)
    there, exact = ~np.isnan(rewards), evaluate(game, strategy)
    for i in range(game.bidders):
        own = there[:, i]
        if own.sum() == 0:
            continue
        table = rows_against(game, strategy, i)
        assert np.mean(np.sum(strategy[i] * table, axis=1)) == pytest.approx(exact.payoff[i], abs=1e-12)
        for expected in (exact.payoff[i], table[values[own, i], bids[own, i]]):
            left = rewards[own, i] - expected
            error = left.std(ddof=1) / np.sqrt(len(left))
            assert abs(left.mean()) < 4 * error + 1e-12, (i, left.mean() / error)
        assert error < 0.05 * game.highest_value
        out = game.mechanism.may_stay_out & (bids[own, i] == 0)
        assert np.all((ranks[own, i] < 0) == out)
        assert np.all(rewards[own, i][out] == 0)
    if absent:
        which = np.repeat(np.arange(len(game.groups)), game.counts)
        turnout = game.turnout[which] / somebody(game)  # a draw of nobody is drawn again
        error = np.sqrt(turnout * (1 - turnout) / len(there)) + 1e-12
        assert np.all(np.abs(there.mean(axis=0) - turnout) < 4 * error)
    else:
        assert np.all(there)


def somebody(game):
    """The chance that anybody turns up."""
    if game.field is not None:
        return 1 - game.field.chances[0]
    return 1 - np.prod((1 - game.presence) ** game.counts)


def test_a_bid_of_nothing_or_below_the_reserve_stays_out():
    game = CONTESTS["reserve and fee"]  # 0.2 and 0.05
    env = AuctionEnv(game, continuous=True)
    env.reset(seed=0)
    top = game.top_bid
    parts = (0.0, 0.1 / top, 0.25 / top)
    _, rewards, *_, infos = env.step(dict(zip(env.agents, parts, strict=True)))
    assert [info["rank"] for info in infos.values()] == [None, None, 0]
    assert [info["fee"] for info in infos.values()] == [0, 0, 0.05]
    assert [info["payment"] for info in infos.values()] == pytest.approx([0, 0, 0.25])
    assert list(rewards.values())[:2] == [0, 0]


def test_spaces_are_those_of_each_bidder():
    game = KINDS["caps of their own"]
    env = AuctionEnv(game)
    observed, _ = env.reset(seed=1)
    capped, limited = env.possible_agents[0], env.possible_agents[1]
    levels = int(np.sum(game.bid_grid <= 0.3))
    assert env.action_space(capped).n == levels < game.bid_levels == env.action_space(limited).n
    for agent, shown in ((capped, levels), (limited, game.bid_levels)):  # all or none have masks
        assert observed[agent]["action_mask"].shape == env.observation_space(agent)["action_mask"].shape == (shown,)
    with pytest.raises(AllpayError, match=f"must lie in 0…{levels - 1} at the value .* got {levels} of bidder_0"):
        env.step(dict.fromkeys(env.agents, levels))
    free = AuctionEnv(game, continuous=True)
    free.reset(seed=1)
    *_, infos = free.step(dict.fromkeys(free.agents, 1.0))
    assert infos["bidder_0"]["bid"] == 0.3
    assert infos["bidder_1"]["bid"] == pytest.approx(infos["bidder_1"]["value"])


def test_where_next_to_nobody_turns_up_it_says_so():
    env = AuctionEnv(Game.from_weights("prizes", 0.7, attendance=1e-12))
    with pytest.raises(AllpayError, match="next to nobody ever turns up: give a higher attendance"):
        env.reset(seed=0)


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
    env, ranks = AuctionEnv(SMALL, rounds=4800), []
    env.reset(seed=1)
    bids = dict.fromkeys(env.agents, 2)
    while env.agents:
        ranks.append([info["rank"] for info in env.step(bids)[-1].values()])
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
