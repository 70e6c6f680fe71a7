"""What bidders care for beside expected utility: joy of winning, weighted chances, a dread of disappointment."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from allpay.adapters.seat import Seat
from allpay.contest.attitudes import (
    Disappointment,
    Expected,
    Prelec,
    TverskyKahneman,
    attitude,
    slopes_of,
    weight_of,
    worth_of,
)
from allpay.contest.auction import settle, utilities_by_rank
from allpay.contest.bidder import Bidder
from allpay.contest.game import Game, Setting
from allpay.contest.mechanism import Mechanism, all_pay
from allpay.contest.payoffs import evaluate, expected_payoffs
from allpay.contest.preferences import Cara, LossAverse
from allpay.contest.success import success
from allpay.contest.values import Common, Discrete, Private
from allpay.errors import AllpayError
from allpay.learners import DQN, EpsilonGreedy, FictitiousPlay, InteriorPoint, LogitEquilibrium, learn
from allpay.outcome import stake
from allpay.study import DesignSpace, Study
from allpay.study.file import group, study_of
from allpay.theory import equilibrium, why_no_equilibrium

KINDS = [Prelec(0.65), Prelec(1.3, 0.8), TverskyKahneman(0.61), Disappointment(0.7)]


def by_definition(x, p, kind):
    """Outcomes sorted from the best down, and cumulated chances; or all pairs of outcomes."""
    if isinstance(kind, Disappointment):
        return p @ x - kind.dread / 2 * (p[:, None] * p * np.abs(x[:, None] - x)).sum()
    order = np.argsort(-x)
    reached = np.minimum(np.cumsum(p[order]), 1.0)
    reached[-1] = 1.0
    if isinstance(kind, Prelec):
        with np.errstate(divide="ignore"):
            w = np.exp(-kind.beta * (-np.log(reached)) ** kind.alpha)
    else:
        w = reached**kind.gamma / (reached**kind.gamma + (1 - reached) ** kind.gamma) ** (1 / kind.gamma)
    return x[order] @ np.diff(w, prepend=0.0)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_a_lottery_is_worth(kind):
    rng = np.random.default_rng(1)
    for _ in range(50):
        x, p = rng.normal(size=4), rng.dirichlet(np.ones(4))
        x[3] = x[0]  # outcomes alike
        assert worth_of(x, p, np.array(kind.code)) == pytest.approx(by_definition(x, p, kind), abs=1e-9)
        slopes, step = np.empty(4), 1e-6
        slopes_of(x, p, np.array(kind.code), slopes)
        for g in range(1, 4):
            moved = p.copy()
            moved[g] += step
            moved[0] -= step
            back = 2 * p - moved
            change = by_definition(x, moved, kind) - by_definition(x, back, kind)
            assert slopes[g] - slopes[0] == pytest.approx(change / (2 * step), abs=1e-4)


def test_weights_of_chances_of_people():
    """Both kinds overweigh small chances, and Prelec's cross the diagonal at 1/e."""
    for kind in (Prelec(0.65), TverskyKahneman(0.61)):
        assert weight_of(0.01, np.array(kind.code)) > 0.03
        assert weight_of(0.9, np.array(kind.code)) < 0.8
    assert weight_of(np.exp(-1), np.array(Prelec(0.5).code)) == pytest.approx(np.exp(-1))
    assert weight_of(0.5, np.array(TverskyKahneman(0.61).code)) == pytest.approx(0.4206, abs=1e-4)


PRIZES, PAYMENTS, GRID = (0.7, 0.3, 0.0), (1.0, 0.5, 1.0), 5


def by_enumeration(game, masses, own, joy, kind, utility):
    """`[values, bids]` of bidder `own` against rivals of these mixtures, all profiles of bids and places in a tie counted."""
    values, costs = game.value_grids[0], game.cost_grids[0]
    rivals = [m for i, m in enumerate(masses) if i != own]
    out = np.empty((len(values), GRID))
    for v, b in itertools.product(range(len(values)), range(GRID)):
        chances = np.zeros(3)
        for profile in itertools.product(range(GRID), repeat=2):
            above, tied = sum(c > b for c in profile), sum(c == b for c in profile)
            chances[above : above + tied + 1] += rivals[0][profile[0]] * rivals[1][profile[1]] / (tied + 1)
        x = utility(
            np.array(
                [
                    values[v] * a + joy * (k == 0) - p * costs[b]
                    for k, (a, p) in enumerate(zip(PRIZES, PAYMENTS, strict=True))
                ]
            )
        )
        out[v, b] = chances @ x if kind is None else by_definition(x, chances, kind)
    return out


@pytest.mark.parametrize("kind", [None, *KINDS], ids=str)
@pytest.mark.parametrize("utility", [None, Cara(1.5), LossAverse(2.0)], ids=str)
def test_exact_payoffs_against_enumeration(kind, utility):
    rng = np.random.default_rng(3)
    bidder = Bidder(Private(Discrete((0.4, 1.0, 1.6)), 3), cost=2, joy=0.3)
    bidder = replace(bidder, **({"attitude": kind} if kind else {}), **({"utility": utility} if utility else {}))
    game = Game(Mechanism(PRIZES, PAYMENTS), [(bidder, 3)], bid_levels=GRID)
    masses = rng.dirichlet(np.ones(GRID), 3)
    worth = utility.utility if utility else lambda money: money
    known = by_enumeration(game, masses, 0, 0.3, kind, worth)
    np.testing.assert_allclose(expected_payoffs(game, masses[1:]), known, atol=1e-9)
    strategy = rng.dirichlet(np.ones(GRID), (1, 3))
    mass = strategy.mean(axis=1)
    known = by_enumeration(game, np.repeat(mass, 3, axis=0), 0, 0.3, kind, worth)
    np.testing.assert_allclose(expected_payoffs(game, mass[0]), known, atol=1e-9)
    found = evaluate(game, strategy)
    assert found.payoff[0] == pytest.approx((strategy[0] * known).sum(axis=1).mean(), abs=1e-9)
    gain = known.max(axis=1) - (strategy[0] * known).sum(axis=1)
    assert found.exploitability[0] == pytest.approx(gain.mean(), abs=1e-9)


def test_joy_of_winning_is_settled_in_one_way():
    game = Game(Mechanism(PRIZES, PAYMENTS), [(Bidder(Common(1.0), utility=Cara(2.0), joy=0.3), 3)], bid_levels=GRID)
    by_rank = utilities_by_rank(game)[0, 0]
    for bid in range(GRID):
        b = game.bid_grid[bid]
        settled = settle(game, np.ones(3), np.array([b, 0.9 * b, 0.8 * b]), np.array([0.1, 0.2, 0.3]))
        assert settled.utility[0] == pytest.approx(by_rank[bid, 0])
        assert by_rank[bid, 0] == pytest.approx(Cara(2.0).utility(0.7 + 0.3 - b))
        assert by_rank[bid, 1] == pytest.approx(Cara(2.0).utility(0.3 - 0.5 * b))


@pytest.mark.parametrize("luck", ["none", "tullock(1)"])
def test_joy_of_winning_counts_as_so_much_more_prize(luck):
    """Where the winner takes all of a common value v, joy w is a value of v + w (Sheremeta 2010): 3/16 (v + w) in a Tullock
    contest of four."""
    rules = Mechanism((1, 0, 0, 0), (1,) * 4, success=success(luck))
    joyful = Game(rules, [(Bidder(Common(1.0), joy=0.5), 4)], bid_levels=61)
    rich = Game(rules, [(Bidder(Common(1.5)), 4)], bid_levels=61)
    assert joyful.top_bid == rich.top_bid == 1.5
    assert stake(joyful) == stake(rich)
    learner = LogitEquilibrium(0.003, auctions=10)
    found, known = (learn(game, learner, rounds=1) for game in (joyful, rich))
    np.testing.assert_allclose(found.strategy, known.strategy, atol=1e-9)
    assert found.revenue[0, 0] == pytest.approx(1.5 if luck == "none" else 4 * 3 / 16 * 1.5, rel=0.04)


def all_pay_revenue(n, kind):
    """A common value 1, winner takes all, b(q) the bid at quantile q: what a bid is worth is the same for all, so
    b = w(qⁿ⁻¹), or P − ΛP(1 − P) with P = qⁿ⁻¹."""
    q = (np.arange(20000) + 0.5) / 20000
    p = q ** (n - 1)
    code = np.array(kind.code)
    bids = p - kind.dread * p * (1 - p) if isinstance(kind, Disappointment) else [weight_of(x, code) for x in p]
    return n * float(np.mean(bids))


@pytest.mark.parametrize("kind", [Prelec(0.65), TverskyKahneman(0.61), Disappointment(0.7)], ids=str)
@pytest.mark.parametrize("n", [2, 3])
def test_the_all_pay_auction_of_people_with_an_attitude(kind, n):
    game = Game(all_pay(n), [(Bidder(Common(1.0), attitude=kind), n)])
    if isinstance(kind, Disappointment):
        assert all_pay_revenue(n, kind) == pytest.approx(1 - kind.dread * (n - 1) / (2 * n - 1), abs=1e-6)
    near = learn(game, LogitEquilibrium(0.002, auctions=10), rounds=1)
    assert near.distance[0, 0] < 1e-8
    assert near.revenue[0, 0] == pytest.approx(all_pay_revenue(n, kind), rel=0.04)  # weights are steep at the ends


def test_private_values_and_unlike_groups_are_learned():
    weighty = Bidder(Private(levels=8), attitude=Prelec(0.65))
    game = Game(Mechanism((0.6, 0.4, 0), (1, 1, 1)), [(weighty, 2), (Bidder(Private(levels=8)), 1)], bid_levels=31)
    found = learn(game, FictitiousPlay(auctions=10, iterations=1500), rounds=1)
    assert found.relative_exploitability[0, 0] < 0.01
    plain = learn(replace(game, values=[(Bidder(Private(levels=8)), 3)]), FictitiousPlay(auctions=10), rounds=1)
    assert abs(found.revenue[0, 0] / plain.revenue[0, 0] - 1) > 0.05


def test_chances_as_they_are_leave_everything_as_it_was():
    game = Game(Mechanism(PRIZES, PAYMENTS), [(Bidder(Private(levels=4), utility=Cara(1.0)), 3)], bid_levels=GRID)
    same = replace(game, values=[(replace(game.groups[0][0], attitude=Prelec(1.0)), 3)])
    mass = np.full(GRID, 1 / GRID)
    np.testing.assert_allclose(expected_payoffs(game, mass), expected_payoffs(same, mass), atol=1e-12)


def test_who_sees_no_chances_refuses():
    game = Game(all_pay(2), [(Bidder(Private(levels=4), attitude=Prelec(0.65)), 2)], bid_levels=6)
    for learner in (EpsilonGreedy(2000, exploration=500), InteriorPoint(), DQN(iterations=10)):
        with pytest.raises(AllpayError, match=rf"^{learner.name} is for bidders whose chances count as they are"):
            learn(game, learner, rounds=1)
    with pytest.raises(AllpayError, match=r"^a seat is for bidders"):
        Seat(game, np.full((1, 4, 6), 1 / 6))


@pytest.mark.parametrize(
    "bidder", [Bidder(joy=0.2), Bidder(Common(1.0), attitude=Disappointment(0.3))], ids=["joy", "dread"]
)
def test_theory_says_that_it_has_no_formula(bidder):
    game = Game(all_pay(3), [(bidder, 3)])
    assert equilibrium(game) is None
    assert why_no_equilibrium(game).startswith("there is no formula for ")


def test_it_is_spelled_in_text_and_kept():
    section = group("3: uniform(0,1), joy 0.2, prelec(0.65, 0.9), losses 2")
    made, count = section.bidder(8, True)
    assert (count, made.joy, made.attitude, made.utility) == (3, 0.2, Prelec(0.65, 0.9), LossAverse(2.0))
    for kind in (*KINDS, Expected()):
        study = Study(
            DesignSpace("prizes", 3), setting=Setting([(Bidder(joy=0.1, attitude=kind), 3)]), samples=2, rounds=1
        )
        assert study_of(study.specification()).setting == study.setting
    plain = Study(DesignSpace("prizes", 3), setting=Setting([(Bidder(), 3)]), samples=2, rounds=1).specification()
    assert "joy" not in str(plain)  # folders of before are still known
    assert "attitude" not in str(plain)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prelec(0)", "the α of Prelec's weights must be above 0: got 0"),
        ("prelec(0.5,1,2)", "prelec takes at most 2 numbers"),
        ("prelec(x)", r"cannot read the numbers of 'prelec\(x\)'"),
        ("prelek(1)", "unknown attitude 'prelek'.*did you mean 'prelec'"),
        ("disappointment(1.5)", "the dread of disappointment must be"),
        ("tversky-kahneman(0.2)", "the γ of Tversky and Kahneman's weights must be"),
        ("((", "cannot read the attitude"),
    ],
)
def test_attitudes_that_are_none_are_refused(text, message):
    with pytest.raises(AllpayError, match=message):
        attitude(text)


@pytest.mark.parametrize("joy", [-0.1, float("inf"), float("nan"), "x"])
def test_joy_out_of_bounds_is_refused(joy):
    with pytest.raises(AllpayError, match="joy"):
        Bidder(joy=joy)
