"""OpenSpiel: games out, solutions in. What it says of an auction that it knows only as numbers is what our engine says."""

from itertools import product

import numpy as np
import pytest

from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.payoffs import evaluate
from allpay.contest.payoffs import exploitability as gains
from allpay.contest.success import Noise, Tullock
from allpay.contest.values import Common, Power, Private, Uniform, integers
from allpay.errors import AllpayError
from test_contests import SMALL as CONTESTS
from test_contests import mixtures
from test_oracles import expected_utility, random_strategy

pytest.importorskip("pyspiel", reason="OpenSpiel has no wheel here: `pip install open-spiel` brings it")
import pyspiel
from open_spiel.python import policy
from open_spiel.python.algorithms import exploitability
from open_spiel.python.algorithms.projected_replicator_dynamics import projected_replicator_dynamics
from open_spiel.python.algorithms.regret_matching import regret_matching

from allpay.adapters import openspiel

COMMON = Game.from_weights("prizes", 0.7, 3, values=Common(1.3), bid_levels=4, max_bid=1.2, risk_aversion=2.0)
DUEL = Game.from_weights("prizes", 1.0, 2, values="common", bid_levels=21)
PRIVATE = Game.from_weights("prizes", 0.7, 3, values=Private(Power(2), 2), bid_levels=3, cost_power=2.0)
LIMITED = Game.from_weights("payments", 0.6, 2, values=Private(levels=3), bid_levels=6, overbidding=False)


class Proud(Game):
    """Of a utility of its own."""

    def utility(self, money):
        return np.sinh(money)


KINDS = {
    **{name: game for name, game in CONTESTS.items() if name not in ("unlike", "seconds pay")},
    "unlike": Game(
        Mechanism((0.7, 0.3, 0), (1, 0.5, 0.2)),
        [(Bidder(Private(Uniform(), 4), overbidding=False), 1), (Bidder(Private(Uniform(0, 0.5), 2), max_bid=0.4), 2)],
        bid_levels=4,
        max_bid=0.9,
    ),
    "seconds pay": Game(
        Mechanism((1, 0, 0), (0.7, 0.3, 0), ties="seconds-pay"), Private(integers(0, 1)), bid_levels=4, max_bid=1
    ),
    "one knows, one does not": Game(
        Mechanism((0.8, 0.2), (1, 1), success=Noise("uniform", 0.4)),
        [(Bidder(Common(0.7), head_start=0.1), 1), (Bidder(Private(levels=4)), 1)],
        bid_levels=7,
        attendance=0.9,
    ),
    "as many groups as rivals": Game(
        Mechanism((0.6, 0.3, 0.1), (1, 1, 1), success=Tullock(1)),
        [(Bidder(Common(1.0), max_bid=0.6), 1), (Bidder(Common(0.7)), 2)],
        bid_levels=5,
    ),
    "no bids above the value": Game.from_weights(
        "prizes", 1.0, 3, values="common", max_bid=2.0, bid_levels=5, overbidding=False
    ),
    "a utility of its own": Proud(Mechanism((0.7, 0.3), (1, 1), fee=0.05), Private(levels=3), bid_levels=5),
}
"""Games of every kind."""


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("each", [True, False])
def test_openspiel_judges_games_of_every_kind_as_we_do(name, each):
    game = KINDS[name]
    strategy, known = mixtures(game, 3, each), game.value_levels == 1
    form = (openspiel.normal_form if known else openspiel.extensive_form)(game)
    there = openspiel.policy_of_strategy(game, form, strategy)
    ours = gains(game, strategy)
    assert ours.min() > 1e-3
    assert exploitability.nash_conv(form, there) == pytest.approx(ours.sum(), abs=1e-9)
    back = openspiel.strategy_of_policy(game, form, there)
    np.testing.assert_allclose(gains(game, back), ours, atol=1e-12)
    if known:
        tensors = openspiel.payoff_tensors(game)
        assert tensors.shape == (game.bidders, *np.repeat(game.limits[:, 0], game.counts))
        rows = [row[0, : tensors.shape[1 + i]] for i, row in enumerate(back)]
        np.testing.assert_allclose(openspiel.strategy_of_mixtures(game, rows), back, atol=1e-15)
        for i, tensor in enumerate(tensors):
            worth = tensor
            for row in reversed(rows):
                worth = worth @ row
            assert worth == pytest.approx(evaluate(game, back).payoff[i], abs=1e-12)


FORMS = {
    "normal": (COMMON, openspiel.normal_form),
    "normal, turn by turn": (COMMON, lambda game: pyspiel.convert_to_turn_based(openspiel.normal_form(game))),
    "extensive, common": (COMMON, openspiel.extensive_form),
    "extensive, private": (PRIVATE, openspiel.extensive_form),
    "extensive, limited": (LIMITED, openspiel.extensive_form),
}

every_form = pytest.mark.parametrize(("game", "form"), FORMS.values(), ids=FORMS)


def some_strategy(game, kinds):
    shape = (kinds, len(game.value_grid), game.bid_levels)
    strategy = random_strategy(np.random.default_rng(shape), *shape) * (
        np.arange(game.bid_levels) < game.allowed[:, None]
    )
    return strategy / strategy.sum(axis=-1, keepdims=True)


@every_form
@pytest.mark.parametrize("alike", [True, False])
def test_strategies_go_there_and_back_and_are_judged_alike(game, form, alike):
    strategy, made = some_strategy(game, 1 if alike else game.bidders), form(game)
    there = openspiel.policy_of_strategy(game, made, strategy)
    assert exploitability.nash_conv(made, there) == pytest.approx(
        evaluate(game, strategy).exploitability.sum(), abs=1e-9
    )
    back = openspiel.strategy_of_policy(game, made, there)
    np.testing.assert_allclose(back, np.broadcast_to(strategy, back.shape), atol=1e-12)


@every_form
def test_every_profile_is_worth_the_same_there(game, form):
    """Payoffs of pure bids, one by one, against ties shared by hand."""
    made = form(game)
    root = made.new_initial_state()
    while root.is_chance_node():
        assert root.chance_outcomes() == [(v, 1 / len(game.value_grid)) for v in range(len(game.value_grid))]
        root.apply_action(len(game.value_grid) - 1)
    for profile in product(range(game.allowed[-1]), repeat=game.bidders):
        state = root.clone()
        if state.is_simultaneous_node():
            state.apply_actions(profile)
        else:
            for bid in profile:
                state.apply_action(bid)
        known = [expected_utility(game, profile, i)[-1] for i in range(game.bidders)]
        np.testing.assert_allclose(state.returns(), known, atol=1e-12)


def test_tensors_are_the_payoffs():
    tensors = openspiel.payoff_tensors(COMMON)
    assert tensors.shape == (3, 4, 4, 4)
    for profile in product(range(4), repeat=3):
        for i in range(3):
            assert tensors[(i, *profile)] == pytest.approx(expected_utility(COMMON, profile, i)[0])


def test_information_is_the_own_value_and_nothing_else():
    table = policy.TabularPolicy(openspiel.extensive_form(LIMITED))
    assert [len(states) for states in table.states_per_player] == [3, 3]
    legal = [int(mask.sum()) for mask in table.legal_actions_mask]
    assert sorted(legal) == sorted([*LIMITED.allowed, *LIMITED.allowed])


def test_a_normal_form_is_solved_and_the_solution_read():
    """Two bidders who pay their bids: adding what the rival paid makes it a game of sum 0, where regrets vanish."""
    first = openspiel.payoff_tensors(DUEL)[0] + DUEL.costs - 0.5
    np.testing.assert_allclose(first, -first.T, atol=1e-12)
    found = regret_matching([first, -first], iterations=3000)
    assert evaluate(DUEL, openspiel.strategy_of_mixtures(DUEL, found)).exploitability.max() < 0.01


def test_three_bidders_are_solved_too():
    game = Game.from_weights("prizes", 0.8, 3, values="common", bid_levels=11)
    found = projected_replicator_dynamics(openspiel.payoff_tensors(game), prd_iterations=5000, prd_dt=0.02)
    assert evaluate(game, openspiel.strategy_of_mixtures(game, found)).exploitability.max() < 0.01


def test_a_tree_is_solved_and_the_solution_read():
    """Counterfactual regret minimisation, in C++, whose policies are of another type than Python's."""
    game = Game.from_weights("prizes", 0.8, 3, values=Private(levels=3), bid_levels=5)
    tree = openspiel.extensive_form(game)
    solver = pyspiel.CFRPlusSolver(tree)
    before = evaluate(game, openspiel.strategy_of_policy(game, tree, solver.average_policy()))
    for _ in range(100):
        solver.evaluate_and_update_policy()
    after = evaluate(game, openspiel.strategy_of_policy(game, tree, solver.average_policy()))
    assert after.exploitability.max() < 0.002 < before.exploitability.max()


def test_rounding_is_put_right_and_more_is_not():
    rounded = [np.array([0.5, 0.5 + 4e-7, 0, -1e-9])] * 3
    np.testing.assert_allclose(openspiel.strategy_of_mixtures(COMMON, rounded).sum(axis=-1), 1, atol=1e-15)
    with pytest.raises(AllpayError, match=r"a strategy must sum to 1: got 1\.01"):
        openspiel.strategy_of_mixtures(COMMON, [np.array([0.5, 0.51, 0, 0])] * 3)
    with pytest.raises(AllpayError, match=r"there must be a mixture for each of 3 bidders: got 2"):
        openspiel.strategy_of_mixtures(COMMON, [np.array([0.5, 0.5, 0, 0])] * 2)
    with pytest.raises(AllpayError, match=r"mixtures must be as long as there are bids, 4, 4, 4: got lengths 4, 3, 4"):
        openspiel.strategy_of_mixtures(COMMON, [np.eye(4)[0], np.ones(3) / 3, np.eye(4)[0]])


@pytest.mark.parametrize(
    ("game", "make", "message"),
    [
        (
            Game.from_weights("prizes", 0.8),
            openspiel.normal_form,
            r"private values have no small normal form: a bidder has about 10\^128 plans, a bid for each of its 64 values; "
            "use extensive_form, or a common value",
        ),
        (
            Game.from_weights("prizes", 1.0, 4, values="common"),
            openspiel.payoff_tensors,
            r"at most 10,000,000 payoffs: 4 bidders and 101 bids make 4 × 101\^4; give fewer of either",
        ),
        (
            Game(Mechanism((1, 0, 0), (1, 1, 1)), [(Bidder(Common(1)), 1), (Bidder(Private(levels=64)), 2)]),
            openspiel.gambit,
            r"3 bidders with 64 values and 101 bids make 101 × 6464\^2; give fewer of either",
        ),
        (
            Game.from_weights("prizes", 0.8),
            openspiel.extensive_form,
            r"at most 200,000 leaves: 3 bidders with 64 values and 101 bids make 6464\^3; give fewer of either",
        ),
        (Game.from_weights("prizes", 0.8, 90_000, values="common"), openspiel.payoff_tensors, r"90000 × 101\^90000"),
        (COMMON.mechanism, openspiel.extensive_form, "a Game is needed"),
        (COMMON.mechanism, openspiel.normal_form, "a Game is needed"),
    ],
)
def test_what_is_too_large_is_refused_with_its_size_and_a_remedy(game, make, message):
    with pytest.raises(AllpayError, match=message):
        make(game)


def test_a_form_of_another_game_is_refused():
    tree = openspiel.extensive_form(PRIVATE)
    with pytest.raises(AllpayError, match=r"it has 3 players, 2 values and 3 bids, this has 2, 3 and 5; make it by"):
        openspiel.strategy_of_policy(LIMITED, tree, policy.UniformRandomPolicy(tree))
    with pytest.raises(AllpayError, match="must be a form of this one"):
        openspiel.policy_of_strategy(LIMITED, tree, some_strategy(LIMITED, 1))
