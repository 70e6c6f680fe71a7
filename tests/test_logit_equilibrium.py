"""Logit equilibria against known numbers, an independent fixed point, the definition, and their limits."""

import itertools

import numpy as np
import pytest

from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism, all_pay
from allpay.contest.payoffs import expected_payoffs
from allpay.contest.success import success
from allpay.contest.values import Beta, Common, Discrete, Private, Uniform
from allpay.errors import AllpayError
from allpay.learners import LogitEquilibrium, learn
from allpay.learners.logit_equilibrium import cells
from allpay.outcome import Verdict
from allpay.study import DesignSpace, Study, run


def solved(game, noise, **options):
    return learn(game, LogitEquilibrium(noise, auctions=10, **options), rounds=1)


def profile(game, noise, **options):
    return solved(game, noise, **options).strategy[0, 0]


@pytest.mark.parametrize(
    ("n", "noise", "revenue"), [(3, 0.05, 1.1871), (3, 0.1, 1.2837), (3, 0.25, 1.4165), (4, 0.1, 1.4881)]
)
def test_the_all_pay_auction_of_a_common_value(n, noise, revenue):
    """Anderson, Goeree & Holt (1998): the density e^{(F^{n−1} − b)/μ}, solved here on continuous bids."""
    found = solved(Game.from_weights("prizes", 1.0, n, values="common"), noise)
    assert found.revenue[0, 0] == pytest.approx(revenue, abs=3e-4)
    assert found.verdicts[0, 0] == Verdict.CONVERGED
    assert found.distance[0, 0] < 1e-10
    assert found.exploitability[0, 0] > 0.03  # a fact, not a failure


@pytest.mark.parametrize("noise", [0.003, 0.05, 0.25, 30.0])
@pytest.mark.parametrize("levels", [7, 101])
def test_two_bidders_of_a_common_value_bid_uniformly_whatever_the_noise(noise, levels):
    found = solved(Game.from_weights("prizes", 1.0, 2, values="common", bid_levels=levels), noise)
    assert found.revenue[0, 0] == pytest.approx(1.0, abs=1e-12)


def test_revenue_comes_near_that_of_continuous_bids_with_the_square_of_the_step():
    revenue = [
        solved(Game.from_weights("prizes", 0.8, 4, values="common", bid_levels=k), 0.2).revenue[0, 0]
        for k in (51, 101, 201)
    ]
    first, second = np.diff(revenue)
    assert first / second == pytest.approx(4.0, rel=0.1)


def by_hand(values, caps, noise, bids, prize):
    """Two bidders of one group against one of another: the fixed point of softmax responses, by enumeration and averaging."""
    owners = [0, 0, 1]
    x = [
        np.where(np.arange(len(bids)) < cap, 1.0, 0.0) * np.ones((len(v), 1))
        for v, cap in zip(values, caps, strict=True)
    ]
    x = [rows / rows.sum(axis=1, keepdims=True) for rows in x]
    won = np.empty((len(bids),) * 3)  # the mean prize of a bid against two others
    for b, i, j in itertools.product(range(len(bids)), repeat=3):
        above, tied = (i > b) + (j > b), (i == b) + (j == b)
        won[b, i, j] = np.mean(prize[above : above + tied + 1])
    for _ in range(4000):
        masses = [rows.mean(axis=0) for rows in x]
        response = []
        for group, own in ((0, 0), (1, 2)):
            rivals = [masses[owners[j]] for j in range(3) if j != own]
            share = np.einsum("bij,i,j->b", won, *rivals)
            u = values[group][:, None] * share - bids
            u[:, caps[group] :] = -np.inf
            best = np.exp((u - u.max(axis=1, keepdims=True)) / noise)
            response.append(best / best.sum(axis=1, keepdims=True))
        moved = max(np.abs(a - b).max() for a, b in zip(x, response, strict=True))
        x = [a + 0.3 * (b - a) for a, b in zip(x, response, strict=True)]
        if moved < 1e-12:
            break
    return x


def test_unlike_bidders_of_private_values_against_an_independent_fixed_point():
    prize, bids = np.array([0.7, 0.3, 0.0]), np.linspace(0.0, 1.0, 6)
    weak, strong = Private(Discrete((0.2, 0.6)), 2), Private(Discrete((0.5, 1.5)), 2)
    game = Game(
        Mechanism(tuple(prize), (1.0, 1.0, 1.0)),
        [(Bidder(weak, max_bid=0.6), 2), (Bidder(strong), 1)],
        bid_levels=6,
        max_bid=1.0,
    )
    found = profile(game, 0.15, discrete=True)
    known = by_hand([np.array([0.2, 0.6]), np.array([0.5, 1.5])], (4, 6), 0.15, bids, prize)
    np.testing.assert_allclose(found[0], known[0], atol=1e-9)
    np.testing.assert_allclose(found[1], known[1], atol=1e-9)


GAMES = {
    "private": Game.from_weights("prizes", 0.8, 3, bid_levels=21, values=Private(levels=8)),
    "payments, no overbidding": Game.from_weights("payments", 0.7, 3, bid_levels=21, overbidding=False),
    "luck": Game(
        Mechanism((0.6, 0.4, 0), (1, 1, 1), success=success("tullock(1)")),
        [(Bidder(Common(1.0)), 1), (Bidder(Private(Beta(2, 3), 6)), 2)],
        bid_levels=21,
    ),
    "absence, reserve and fee": Game(
        Mechanism((0.6, 0.4, 0), (1, 1, 1), reserve=0.1, fee=0.02), Private(levels=6), bid_levels=21, attendance=0.6
    ),
    "halves, convex cost, averse": Game.from_weights(
        "prizes", 0.5, 3, values="common", cost_power=2.0, risk_aversion=1.0, bid_levels=21
    ),
}


@pytest.mark.parametrize("noise", [0.2, 0.01])
@pytest.mark.parametrize("game", list(GAMES.values()), ids=list(GAMES))
def test_every_kind_of_game_by_its_definition(game, noise):
    """x ∝ e^{u(x)/μ} over the bids allowed, u by the public payoffs: also where learning circles."""
    x = profile(game, noise, discrete=True)
    for group, rows in enumerate(x):
        mass = x.mean(axis=1)
        u = expected_payoffs(game, mass if len(mass) > 1 else mass[0], group) / noise
        u[np.arange(game.bid_levels) >= game.limits[group][:, None]] = -np.inf
        response = np.exp(u - u.max(axis=1, keepdims=True))
        np.testing.assert_allclose(rows, response / response.sum(axis=1, keepdims=True), atol=1e-9)
    continuous = solved(game, noise)
    assert continuous.verdicts[0, 0] == Verdict.CONVERGED
    assert continuous.distance[0, 0] < 1e-8


def test_with_little_noise_it_is_an_equilibrium_and_with_much_bids_are_uniform():
    game = Game.from_weights("prizes", 0.8, 3, overbidding=False)
    assert solved(game, 1e-4).relative_exploitability[0, 0] < 1e-3
    mean = profile(game, 1e9)[0] @ game.bid_grid
    np.testing.assert_allclose(mean, np.minimum(game.value_grid, game.top_bid) / 2, atol=game.bid_grid[1] / 2)


def test_a_bid_of_the_grid_stands_for_those_around_it():
    game = Game(all_pay(2), Private(Discrete((0.0, 0.13, 1.0)), 3), bid_levels=11, overbidding=False)
    weights, apart = cells(game)
    np.testing.assert_allclose(weights[0, :, 1].sum(), 1.3)  # bids up to 0.13, in steps of 0.1
    np.testing.assert_allclose(weights[0, :3, 1], [0.5, 0.8, 0.0])
    np.testing.assert_allclose(apart[0, :3, 1], [0.25, -0.1, 0.0])
    np.testing.assert_allclose(weights[0, :, 2], [0.5, *[1.0] * 9, 0.5])
    assert weights[0, :, 0].tolist() == [1.0] + [0.0] * 10
    out, _ = cells(Game(Mechanism((1, 0), (1, 1), fee=0.1), Private(levels=2), bid_levels=12, max_bid=1.0))
    assert out[0, 0].tolist() == out[0, 1:].sum(axis=0).tolist()  # to stay out counts as much as all bids


def test_what_is_not_solved_is_said_to_be_so():
    found = solved(Game.from_weights("prizes", 0.5, 3, values="common"), 1e-4, iterations=1)
    assert found.verdicts[0, 0] == Verdict.UNSOLVED
    assert "stopped before it found a logit equilibrium" in found.sentence


def test_what_is_solved_is_not_called_a_nash_equilibrium():
    found = solved(Game.from_weights("prizes", 1.0, 3, values="common"), 0.1)
    assert "a logit equilibrium, which is not a Nash equilibrium: by a best response" in found.sentence
    assert "9.5% of the top prize" in found.sentence
    assert "Tolerance" not in found.sentence


def test_a_study_of_it_has_converged_and_says_what_its_designs_are(tmp_path):
    study = Study(DesignSpace("prizes", 3), LogitEquilibrium(0.1, auctions=10), samples=3, rounds=1)
    assert run(study, tmp_path / "study").verdicts[Verdict.CONVERGED] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": 0}, "noise must be above 0 and finite: got 0"),
        ({"noise": float("nan")}, "noise must be above 0 and finite: got nan"),
        ({"iterations": 0}, "iterations must be at least 1: got 0"),
        ({"tolerance": 0}, "tolerance must be above 0: got 0"),
        ({"discrete": 3}, "discrete must be True or False: got 3"),
    ],
)
def test_options_out_of_bounds_are_refused(options, message):
    with pytest.raises(AllpayError, match=message):
        LogitEquilibrium(**options)


def test_values_in_another_unit_need_noise_in_that_unit():
    usual = profile(Game(all_pay(3), Private(Uniform(), 6), bid_levels=31), 0.1)
    larger = profile(Game(all_pay(3), Private(Uniform(0, 1000), 6), bid_levels=31), 100.0)
    np.testing.assert_allclose(usual, larger, atol=1e-9)
