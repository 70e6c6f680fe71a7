"""Exploitability against a program that knows nothing of auctions, and the order in which it vanishes on finer grids."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.payoffs import evaluate
from allpay.contest.values import Beta, Common, Power, Private
from allpay.theory import equilibrium
from allpay.verify import on_grid

# OpenSpiel: the auction as a tensor of payoffs, one entry per profile of plans -----------------------------------------


def expected_utility(g, profile, i):
    """Of bidder i for each of its values `[values]` when bidders make the bids `profile`: tied ranks are shared equally."""
    above = sum(bid > profile[i] for bid in profile)
    tied = sum(bid == profile[i] for bid in profile)
    a, p, v = g.mechanism.prizes, g.mechanism.payments, g.value_grid
    return sum(g.utility(v * a[k] - p[k] * g.costs[profile[i]]) for k in range(above, above + tied)) / tied


def nash_conv(g, strategy):
    """By OpenSpiel, of `[bidders, values, bids]`. A plan says what to bid at each value; values are averaged over."""
    pyspiel = pytest.importorskip("pyspiel", reason="OpenSpiel has no wheel here: `pip install open-spiel` brings it")
    from open_spiel.python import policy
    from open_spiel.python.algorithms import exploitability

    n, values, bids = strategy.shape
    plans = list(itertools.product(range(bids), repeat=values))
    tensors = np.zeros((n, *[len(plans)] * n))
    draws = list(itertools.product(range(values), repeat=n))
    utility = {
        profile: [expected_utility(g, profile, i) for i in range(n)]
        for profile in itertools.product(range(bids), repeat=n)
    }
    for cell in itertools.product(range(len(plans)), repeat=n):
        for draw in draws:
            profile = tuple(plans[plan][value] for plan, value in zip(cell, draw, strict=True))
            for i in range(n):
                tensors[(i, *cell)] += utility[profile][i][draw[i]] / len(draws)
    tensor_game = pyspiel.create_tensor_game([t.ravel().tolist() for t in tensors], tensors.shape[1:])
    turns = pyspiel.convert_to_turn_based(tensor_game)
    mixed = policy.TabularPolicy(turns)
    for i in range(n):
        chance = [np.prod([strategy[i, v, bid] for v, bid in enumerate(plan)]) for plan in plans]
        for state in mixed.states_per_player[i]:
            mixed.policy_for_key(state)[:] = chance
    return exploitability.nash_conv(turns, mixed)


def random_strategy(rng, *shape):
    rows = rng.random(shape) * (rng.random(shape) < 0.7)
    rows[..., 0] += 1e-3
    return rows / rows.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("rho", [0.0, 2.0])
@pytest.mark.parametrize(("bidders", "bids"), [(2, 2), (2, 6), (3, 3), (3, 6)])
@pytest.mark.parametrize("w", [0.5, 0.8, 1.0])
@pytest.mark.parametrize("rule", ["prizes", "payments"])
def test_common_values(rule, w, bidders, bids, rho):
    rng = np.random.default_rng([bidders, bids])
    g = Game.from_weights(rule, w, bidders, values=Common(1.3), bid_levels=bids, max_bid=1.2, risk_aversion=rho)
    strategy = random_strategy(rng, bidders, 1, bids)
    assert evaluate(g, strategy).exploitability.sum() == pytest.approx(nash_conv(g, strategy), abs=1e-9)
    shared = np.repeat(strategy[:1], bidders, axis=0)
    assert evaluate(g, strategy[:1]).exploitability.sum() == pytest.approx(nash_conv(g, shared), abs=1e-9)


@pytest.mark.parametrize(("bidders", "values", "bids"), [(2, 2, 4), (2, 3, 3), (3, 2, 3)])
@pytest.mark.parametrize("rule", ["prizes", "payments"])
def test_private_values(rule, bidders, values, bids):
    rng = np.random.default_rng([bidders, values, bids])
    g = Game.from_weights(rule, 0.7, bidders, values=Private(Power(2), values), bid_levels=bids, cost_power=2.0)
    strategy = random_strategy(rng, bidders, values, bids)
    assert evaluate(g, strategy).exploitability.sum() == pytest.approx(nash_conv(g, strategy), abs=1e-9)
    shared = np.repeat(strategy[:1], bidders, axis=0)
    assert evaluate(g, strategy[:1]).exploitability.sum() == pytest.approx(nash_conv(g, shared), abs=1e-9)


# The closed form on finer and finer grids ------------------------------------------------------------------------------

GRIDS = np.array([26, 51, 101, 201, 401])


def exploitabilities(g):
    """`[grids]` at the closed form, every bid moved to the nearest of the grid; with steps of the bid `[grids]`."""
    found = equilibrium(g)
    gains, steps = [], []
    for levels in GRIDS.tolist():
        values = Private(g.values.distribution, levels - 1) if isinstance(g.values, Private) else g.values
        fine = Game(g.mechanism, values, g.cost_power, g.risk_aversion, levels)
        gains.append(evaluate(fine, on_grid(fine, found)).exploitability.mean())
        steps.append(fine.bid_grid[1])
    return np.array(gains), np.array(steps)


def slope(x, y):
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


@pytest.mark.parametrize(
    ("weights", "power"),
    [((1, 0), 1), ((0.6, 0.4, 0), 1), ((0.8, 0.2, 0), 1), ((1, 0, 0), 2), ((0.4, 0.3, 0.3, 0), 1)],
)
def test_first_order_with_a_common_value(weights, power):
    """Every bid of the mixture earns 0. A bid b of the grid, tied with all within half a step h/2, earns the mean of Π over
    these quantiles less b, which is of order h² as Π(q(b)) − b = 0; but the bid 0 has ties on one side only, and earns the
    mean of Π = b(q) over the quantiles of [0, h/2]. Where b ~ q^m near 0 that is (h/2)/(m + 1): first order in h, and with
    this factor. (m is n less the lowest rank that wins more than the last.)
    """
    g = Game(Mechanism.from_weights("prizes", weights), Common())
    gains, steps = exploitabilities(g)
    assert slope(steps, gains) == pytest.approx(1, abs=0.06)
    assert gains[-1] == pytest.approx(steps[-1] / 2 / (power + 1), rel=0.02)


def test_risk_aversion_does_not_change_the_order():
    gains, steps = exploitabilities(Game.from_weights("prizes", (0.8, 0.2, 0), values="common", risk_aversion=2.0))
    assert slope(steps, gains) == pytest.approx(1, abs=0.06)
    # near 0 utility is money
    assert gains[-1] == pytest.approx(steps[-1] / 4, rel=0.02)


@pytest.mark.parametrize("w", [0.8, 1.0])
def test_second_order_where_the_first_step_is_worth_nothing(w):
    """With cost b² the bid 0 stands for costs up to (h/2)² only, and all gains are of second order."""
    gains, steps = exploitabilities(Game.from_weights("prizes", w, 3, values="common", cost_power=2.0))
    assert slope(steps, gains) == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    ("game", "order"),
    [
        (Game.from_weights("payments", 1.0, 3), 2),
        (Game.from_weights("payments", 0.8, 3), 2),
        (Game.from_weights("payments", 0.6, 3), 2),
        (Game.from_weights("prizes", 0.8, 3), 3 / 2),
        (Game.from_weights("prizes", 1.0, 2), 3 / 2),
        (Game.from_weights("prizes", 1.0, 3), 4 / 3),
        (Game.from_weights("prizes", 1.0, 4), 5 / 4),
    ],
)
def test_private_values_lose_less(game, order):
    """At a best response payoffs are flat: a bid half a step off costs second order. What remains is the bid 0, at which all
    bids below half a step tie: with b ~ v^m near 0 these are bids of a part h^{1/m} of the bidders, and each has v·Π(v) to
    win there. Where everyone pays its bid that is as much as it bids, of order h, so that all lose h^{1 + 1/m}; this rules
    in the end, and on the grids here the slope lies between it and 2. Where few of the low ranks pay, v·Π(v) is so small
    that all is of second order. (Values are refined with the bids; where bids fall between steps is chance.)
    """
    gains, steps = exploitabilities(game)
    assert gains[-1] < 0.01 * steps[-1]
    assert order - 0.1 < slope(steps, gains) < 2.1


@st.composite
def ordered_weights(draw):
    n = draw(st.integers(2, 6))
    parts = np.array(draw(st.lists(st.floats(0.02, 1), min_size=n, max_size=n)))
    parts[-1] = 0  # equal prizes for all leave nothing to bid for
    mixed = np.array([np.sum(parts[k:] / np.arange(k + 1, n + 1)) for k in range(n)])
    return (mixed / mixed.sum()).tolist()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    ordered_weights(),
    st.sampled_from(["prizes", "payments"]),
    st.sampled_from([Private(), Private(Beta(2, 3)), Private(Power(0.7)), Common(), Common(2.5)]),
    st.sampled_from([1.0, 1.5, 2.0]),
    st.sampled_from([0.0, 1.0]),
)
def test_exploitability_vanishes_at_the_equilibrium_of_any_game(weights, rule, values, power, rho):
    """Never negative, never more than half of what the dearest step costs, on every grid: so it vanishes with the step."""
    g = Game(Mechanism.from_weights(rule, weights), values, power, rho)
    found = equilibrium(g)
    if found is None:
        return
    for levels in (26, 101, 201):
        finer = Private(values.distribution, levels - 1) if isinstance(values, Private) else values
        fine = Game(g.mechanism, finer, power, rho, levels)
        gain = evaluate(fine, on_grid(fine, found)).exploitability
        assert np.all(gain >= 0)
        assert gain[0] <= 0.55 * np.diff(fine.costs).max()
