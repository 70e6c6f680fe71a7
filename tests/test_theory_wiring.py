"""Theory of games as they are given: every number of the closed forms through a `Game`, and a reason where there is none."""

import numpy as np
import pytest

import allpay
from allpay.contest.attendance import Field, field
from allpay.contest.bidder import Bidder
from allpay.contest.game import Game, Setting
from allpay.contest.mechanism import Mechanism, all_pay
from allpay.contest.payoffs import evaluate
from allpay.contest.preferences import Cara, Crra, LossAverse, OwnCost, PowerCost
from allpay.contest.success import Highest, Noise, Tullock
from allpay.contest.values import Common, Power, Private, Uniform, integers
from allpay.theory import equilibrium, equilibrium_or_reason, on_grid, why_no_equilibrium

SIX = 5e-7


def pays(prizes, **options):
    """Everybody pays its bid; prizes are filled up to three ranks."""
    prizes = tuple(prizes) + (0.0,) * (3 - len(prizes))
    return Mechanism(prizes, (1.0,) * len(prizes), **options)


def known(*values, counts=None, **options):
    return [(Bidder(Common(v), **options), n) for v, n in zip(values, counts or (1,) * len(values), strict=True)]


def solved(game):
    found = equilibrium_or_reason(game)
    assert not isinstance(found, str), found
    assert why_no_equilibrium(game) is None
    return found


ALIKE = [
    (Game(all_pay(3), attendance=0.5), {"revenue": 0.1875}),
    (Game(all_pay(5), attendance=0.6), {"revenue": 0.456960}),
    (Game(all_pay(5), [(Bidder(presence=0.6), 5)]), {"revenue": 0.456960}),
    (Game(all_pay(5), [(Bidder(presence=0.6), 2), (Bidder(presence=0.6), 3)]), {"revenue": 0.456960}),
    (Game(all_pay(3), Common(), attendance=0.5), {"revenue": 0.5}),
    (Game(all_pay(3), Common(), attendance=0.8), {"revenue": 0.896}),
    (Game(all_pay(5), Common(), attendance=0.6), {"revenue": 0.91296}),
    (Game(all_pay(4), attendance=field("2:4")), {"revenue": 0.477778}),
    (Game(pays((0.7, 0.3, 0, 0)), attendance=field("2:4")), {"revenue": 0.321111}),
    (Game(pays([1], reserve=0.1)), {"revenue": 0.530376, "highest_bid": 0.36}),
    (Game(pays([0.7, 0.3], reserve=0.1)), {"revenue": 0.419046, "highest_bid": 0.257407}),
    (Game(pays((0.6, 0.4, 0, 0), reserve=0.3), cost_power=2), {"revenue": 0.998963, "highest_bid": 0.493645}),
    (Game(pays([1], fee=0.125)), {"revenue": 11 / 32, "fees": 0.1875}),
    (Game(pays((0.6, 0.4, 0, 0), fee=0.05)), {"revenue": 0.345897, "fees": 0.125752}),
    (Game(pays([1], success=Tullock(0.8)), Common()), {"top_bid": 0.177778}),
    (Game(pays([0.7, 0.3], success=Tullock(0.8)), Common()), {"top_bid": 0.137778}),
    (Game(pays((0.5, 0.3, 0.2, 0, 0), success=Tullock(0.8)), Common()), {"top_bid": 0.097333}),
    (Game(pays([1], success=Tullock(1)), Common(), attendance=0.5), {"top_bid": 0.180556}),
    (Game(pays([1], success=Noise("gumbel", 1.25, log=True)), Common()), {"top_bid": 0.177778}),
    (Game(pays([1], success=Noise("normal", 0.5)), Common(), cost_power=2), {"top_bid": 0.282095}),
    (Game(pays([0.7, 0.3], success=Noise("normal", 0.5)), Common(), cost_power=2), {"top_bid": 0.197466}),
    (Game(pays((0.6, 0.4, 0, 0, 0), success=Noise("normal", 0.5)), Common(), cost_power=2), {"top_bid": 0.179157}),
]
"""Bidders alike, and the numbers that are known."""


@pytest.mark.parametrize(("game", "numbers"), ALIKE)
def test_bidders_alike(game, numbers):
    found = solved(game)
    for name, number in numbers.items():
        assert getattr(found, name) == pytest.approx(number, abs=SIX), name
    assert found.top_bid == pytest.approx(float(found.bid_at(1.0)), abs=1e-12) == found.bid[-1]
    assert sum(play.bidders for play in found.groups) == game.bidders
    # what is won and paid adds up, for risk-neutral bidders who each pay all of their bids
    there = game.bidders * float(game.turnout[0])
    assert there * found.groups[0].mean_bid == pytest.approx(found.revenue, rel=1e-9)


UNLIKE = [
    (Game(all_pay(2), [(Bidder(), 1), (Bidder(Power(2)), 1)]), 0.406544, (0.190378, 0.216166)),
    (Game(all_pay(2), [(Bidder(), 1), (Bidder(Uniform(0, 2)), 1)]), 0.433333, None),
    (Game(all_pay(2), [(Bidder(), 1), (Bidder(Uniform(0, 3)), 1)]), 0.471429, None),
    (Game(all_pay(3), known(1, 0.8, 0.5)), 0.72, (0.4, 0.32, 0)),
    (Game(all_pay(3), known(10, 4, 4)), 2.8, None),
    (Game(pays([1], success=Tullock(1)), known(1, 0.8, 0.5)), 0.470588, (0.249135, 0.193772, 0.027682)),
    (Game(pays([1], success=Tullock(1)), known(1, 0.5, 0.2)), 0.333333, (0.222222, 0.111111, 0)),
    (Game(all_pay(4), known(1, 0.5, counts=(2, 2))), 1.0, (0.5, 0)),
]


@pytest.mark.parametrize(("game", "revenue", "bids"), UNLIKE)
def test_bidders_who_differ(game, revenue, bids):
    found = solved(game)
    assert found.revenue == pytest.approx(revenue, abs=SIX)
    if bids is not None:
        assert [play.mean_bid for play in found.groups] == pytest.approx(bids, abs=SIX)
    assert sum(play.bidders * play.win for play in found.groups) == pytest.approx(1, abs=1e-9)
    assert np.isnan(found.bid).all()
    with pytest.raises(allpay.AllpayError, match="bidders of this game differ"):
        found.bid_at(0.5)


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("values", [(1.0, 0.6), (1.0, 1.0)])
def test_one_against_a_group(values, power):
    """Three weak bidders bid alike: exact payoffs leave next to nothing to gain, ever less on finer grids."""
    kinds = [
        (Bidder(Common(values[0]), PowerCost(power)), 1),
        (Bidder(Common(values[1]), PowerCost(power), max_bid=9), 3),
    ]
    gains = []
    for levels in (101, 401):
        game = Game(all_pay(4), kinds, bid_levels=levels, max_bid=1.0)
        found = solved(game)
        played = evaluate(game, on_grid(game, found))
        gains.append(float(played.exploitability.max()))
    assert gains[1] < 0.01
    assert gains[1] < gains[0]
    assert played.revenue == pytest.approx(found.revenue, abs=0.01)
    assert played.highest_bid == pytest.approx(found.highest_bid, abs=0.01)
    strong, weak = found.groups
    q = np.linspace(0, 1, 100_001)
    assert strong.mean_bid == pytest.approx(strong.bid_at((q[1:] + q[:-1]) / 2).mean(), abs=1e-5)
    assert weak.mean_bid == pytest.approx(weak.bid_at((q[1:] + q[:-1]) / 2).mean(), abs=1e-5)
    assert strong.payoff == pytest.approx(values[0] - values[1], abs=1e-12)


def test_one_against_one_is_the_published_formula():
    from allpay.theory.contests import _OneAgainstMany
    from allpay.theory.known import known_values

    one, two = _OneAgainstMany(1.0, 0.8, 1, 2.0), known_values((1, 0.8), 2.0)
    np.testing.assert_allclose(one.integrals(), (*two.mean_bids, two.highest_bid, two.wins[0]), atol=1e-9)


GROUPS = [
    (Private(), {}, {}),
    (Private(Uniform(1, 2)), {"cost_power": 2.0}, {"cost": 2.0}),
    (Common(), {"cost_power": 2.0, "risk_aversion": 2.0}, {"cost": PowerCost(2), "utility": Cara(2)}),
    (Private(), {"max_bid": 0.4}, {"max_bid": 0.4}),
    (Private(integers(0, 3)), {}, {}),
]


@pytest.mark.parametrize(("values", "short", "of_bidder"), GROUPS)
def test_groups_without_a_new_part_are_the_short_form(values, short, of_bidder):
    mechanism = pays([0.7, 0.3])
    plain = equilibrium(Game(mechanism, values, **short))
    bidder = Bidder(values, **of_bidder)
    assert equilibrium(Game(mechanism, [(bidder, 3)])) == plain
    split = equilibrium(Game(mechanism, [(bidder, 2), (bidder, 1)]))
    assert split.revenue == plain.revenue
    assert [play.bidders for play in split.groups] == [2, 1]


@pytest.mark.parametrize("cap", [None, 0.2])
def test_a_scale_of_costs_is_a_unit_of_bids(cap):
    """Bids that cost twice as much are half as high; by another formula too, that of a cost of one's own."""
    twice, once = (
        solved(Game(all_pay(3), [(Bidder(cost=PowerCost(1, scale), max_bid=limit), 3)]))
        for scale, limit in ((2.0, cap), (1.0, None if cap is None else 2 * cap))
    )
    assert twice.revenue == pytest.approx(once.revenue / 2, abs=1e-12)
    np.testing.assert_allclose(twice.bid_at([0.3, 1]), once.bid_at([0.3, 1]) / 2, atol=1e-12)
    assert twice.payoff == pytest.approx(once.payoff, abs=1e-12)
    if cap is None:
        own = solved(Game(all_pay(3), [(Bidder(cost=OwnCost(lambda b: 2 * b)), 3)]))
        assert (own.revenue, own.payoff) == pytest.approx((twice.revenue, twice.payoff), abs=1e-9)
        np.testing.assert_allclose(own.bid_at([[0.3, 1]]), twice.bid_at([[0.3, 1]]), atol=1e-9)


def test_handicaps():
    """With luck on the bid a handicap of 2 is noise half as wide; in a Tullock contest it is a cost half as high."""
    rule, half = pays([1], success=Noise("normal", 1.0)), pays([1], success=Noise("normal", 0.5))
    kind = {"values": Common(), "cost": PowerCost(2)}
    handicapped = solved(Game(rule, [(Bidder(**kind, handicap=2.0, head_start=0.3), 3)]))
    assert handicapped.revenue == pytest.approx(solved(Game(half, [(Bidder(**kind), 3)])).revenue, abs=1e-12)
    mechanism = Mechanism((1.0, 0.0), (1.0, 1.0), success=Tullock(1))
    found = solved(Game(mechanism, [(Bidder(Common(), handicap=2.0), 1), (Bidder(Common()), 1)]))
    assert [play.mean_bid for play in found.groups] == pytest.approx([2 / 9, 2 / 9])
    assert [play.win for play in found.groups] == pytest.approx([2 / 3, 1 / 3])
    equal = Game(all_pay(3), [(Bidder(head_start=0.2, handicap=3.0), 3)])
    assert solved(equal).revenue == pytest.approx(0.5)


def test_a_part_of_the_bid_is_paid():
    half = Mechanism((1.0, 0.0), (0.5, 0.5))
    kinds = [(Bidder(), 1), (Bidder(Power(2)), 1)]
    found, whole = solved(Game(half, kinds)), solved(Game(all_pay(2), kinds))
    assert found.revenue == pytest.approx(whole.revenue, abs=1e-9)
    assert found.top_bid == pytest.approx(2 * whole.top_bid, abs=1e-9)


def test_luck_with_a_reserve_and_a_fee():
    plain = solved(Game(pays([1], success=Tullock(1)), Common()))
    found = solved(Game(pays([1], success=Tullock(1), reserve=0.1, fee=0.05), Common()))
    assert found.revenue == plain.revenue
    assert found.fees == pytest.approx(0.15)
    assert found.payoff == pytest.approx(plain.payoff - 0.05)
    game = Game(pays([1], success=Tullock(1), fee=0.05), Common(), bid_levels=401, max_bid=0.8)
    assert evaluate(game, on_grid(game, solved(game))).exploitability.max() < 1e-5
    unlike = solved(Game(pays([1], success=Tullock(1), fee=0.001), known(1, 0.5, 0.2)))
    assert [play.entry for play in unlike.groups] == [1, 1, 0]
    assert unlike.fees == pytest.approx(0.002)


SECONDS = {"ties": "seconds-pay"}
NONE = [
    (Game(pays([1], success=Tullock(1))), "only where all know each other's values"),
    (Game(pays([1], success=Tullock(4)), Common()), "no pure equilibrium"),
    (Game(pays([1], success=Noise("normal", 0.01)), Common(), cost_power=2), "no pure equilibrium"),
    (Game(pays([1], success=Noise("normal", 0.2)), Common()), "give a convex cost"),
    (Game(pays([1], success=Tullock(1)), Common(), risk_aversion=1), "risk-neutral"),
    (Game(Mechanism((1, 0), (1, 0.5), success=Tullock(1)), Common()), "every rank pays the same part"),
    (Game(pays([1], success=Tullock(1), fee=0.2), Common()), "some stay out"),
    (Game(pays([1], success=Tullock(1), reserve=0.3), Common()), "the reserve binds"),
    (Game(pays([1], success=Noise("normal", 0.5)), known(1, 0.8, 0.5)), "no formula where ranks are decided by"),
    (Game(pays([1], reserve=0.1), risk_aversion=1), "with a reserve there is a formula for risk-neutral"),
    (Game(all_pay(3), [(Bidder(utility=LossAverse()), 3)]), "constant absolute risk aversion only"),
    (Game(all_pay(2), [(Bidder(utility=Crra(0.5, 3)), 1), (Bidder(), 1)]), "all are risk-neutral"),
    (Game(pays([1], reserve=0.1), max_bid=0.3), "above the cap of 0.3"),
    (
        Game(pays([1], reserve=0.1), Private(Uniform(0, 0.5)), cost_power=3, overbidding=False),
        "exceed the bidder's value",
    ),
    (Game(all_pay(3), [(Bidder(), 2), (Bidder(Power(2)), 1)]), "more than two bidders who differ"),
    (Game(pays([0.7, 0.3]), known(1, 0.8, 0.5)), "only where the winner takes all"),
    (Game(pays([1], reserve=0.1), known(1, 0.8, 0.5)), "with a reserve"),
    (Game(all_pay(2), [(Bidder(presence=0.5), 1), (Bidder(Power(2)), 1)]), "only where all of them are there"),
    (Game(all_pay(2), [(Bidder(), 1), (Bidder(Power(2)), 1)], attendance=0.5), "only where all of them are there"),
    (Game(all_pay(2), [(Bidder(head_start=0.1), 1), (Bidder(), 1)]), "head starts"),
    (Game(all_pay(2), [(Bidder(cost=2.0), 1), (Bidder(), 1)]), "with one power for all"),
    (Game(all_pay(2), [(Bidder(cost=lambda b: b), 1), (Bidder(), 1)]), "with one power for all"),
    (Game(all_pay(3), known(1, 0.8, 0.5, max_bid=0.5)), "above the cap of 0.5"),
    (Game(all_pay(3), [(Bidder(cost=lambda b: np.maximum(b - 0.1, 0)), 3)]), "rises with every bid"),
    (Game(Mechanism((1, 0, 0), (0.6, 0.4, 0), **SECONDS), max_bid=0.4), "bids pool at the cap"),
]


@pytest.mark.parametrize(("game", "says"), NONE)
def test_reasons(game, says):
    assert equilibrium(game) is None
    reason = why_no_equilibrium(game)
    assert says in reason
    assert "\n" not in reason
    assert len(reason) <= 300
    assert equilibrium_or_reason(game) == reason


def test_ties_of_seconds_do_not_matter_where_bids_do_not_tie():
    mechanism = Mechanism((1, 0, 0), (0.6, 0.4, 0))
    seconds = Mechanism((1, 0, 0), (0.6, 0.4, 0), **SECONDS)
    assert equilibrium(Game(seconds, max_bid=2)) == equilibrium(Game(mechanism, max_bid=2))


def test_a_rule_of_ones_own():
    class Mine(Highest):
        lucky = True
        words = "a rule of mine"

    assert "a rule of mine" in why_no_equilibrium(Game(pays([1], success=Mine()), Common()))


@pytest.mark.parametrize(
    "game",
    [
        Game(pays([1], fee=0.125), Private(levels=200), bid_levels=401),
        Game(pays([0.7, 0.3], reserve=0.1), Private(levels=200), bid_levels=401),
        Game(pays([1], reserve=0.1, fee=0.1), Common(), bid_levels=401),
        Game(pays((0.7, 0.3, 0, 0)), Private(levels=200), bid_levels=401, attendance=Field((0.1, 0.2, 0.3, 0.0, 0.4))),
        Game(pays([1]), [(Bidder(Private(levels=200), presence=0.5), 3)], bid_levels=401, attendance=field("2:3")),
    ],
)
def test_theory_on_a_grid_leaves_little_to_gain(game):
    """Exact payoffs, which know no formula, agree with theory on what the equilibrium is and on each of its numbers."""
    found = solved(game)
    played = evaluate(game, on_grid(game, found))
    assert played.exploitability.max() < 0.006
    assert played.revenue == pytest.approx(found.revenue, abs=0.008)
    assert played.highest_bid == pytest.approx(found.highest_bid, abs=0.005)
    assert played.fees == pytest.approx(found.fees, abs=1e-3)
    assert played.payoff.mean() == pytest.approx(found.payoff, abs=0.004)


def test_a_field_in_which_some_are_absent():
    """A certain number, each there by chance, is a binomial number."""
    plain, thin = Game(all_pay(3), attendance=0.5), Field((0, 0, 0, 1.0)).thinned(0.5)
    np.testing.assert_allclose(thin.chances, plain.field.chances, atol=1e-15)
    game = Game(all_pay(3), [(Bidder(presence=0.5), 3)], attendance=Field((0, 0, 0, 1.0)))
    np.testing.assert_allclose(game.field.chances, plain.field.chances, atol=1e-15)
    assert solved(game).revenue == pytest.approx(0.1875, abs=SIX)


# Who reads it ---------------------------------------------------------------------------------------------------------


def learned(game):
    from allpay.learners import FictitiousPlay, run_seeds

    return FictitiousPlay(50).learn([game], run_seeds(0, 1, 2))


def test_readers_of_groups(tmp_path):
    """Tables, figures and the note on grids take the equilibrium of bidders who differ, or say what they do not do."""
    from allpay.report.curves import bids_in_words, draw_equilibrium
    from allpay.report.rounds import draw_rounds
    from allpay.simulation import coarseness

    game = Game(all_pay(3), known(1, 0.5, counts=(1, 2)), bid_levels=21)
    found = solved(game)
    said = bids_in_words(game, found)
    assert "group 2, 2 bidders" in said
    assert len({len(line) for line in said.splitlines()}) == 1
    assert draw_equilibrium(game, found, tmp_path / "bids.png").exists()
    assert all(path.exists() for path in draw_rounds(learned(game), found, tmp_path / "rounds.png"))
    assert coarseness(game, found, found.revenue) is None
    assert "too coarse" in coarseness(game, found, 0.5 * found.revenue)
    differ = Game(all_pay(2), [(Bidder(), 1), (Bidder(Power(2)), 1)], bid_levels=21)
    assert "bids and values" in coarseness(differ, solved(differ), 0.2)


@pytest.mark.parametrize(
    "bidder", [Bidder(cost=2.0), Bidder(Common(), cost=OwnCost(lambda b: 2 * b)), Bidder(presence=0.5)]
)
def test_readers_of_one_group(bidder, tmp_path):
    from allpay.report.curves import bids_in_words, draw_equilibrium
    from allpay.report.rounds import draw_rounds

    game = Game(all_pay(3), [(bidder, 3)], bid_levels=21)
    found = solved(game)
    assert bids_in_words(game, found).startswith("quantile")
    assert draw_equilibrium(game, found, tmp_path / "bids.png").exists()
    assert all(path.exists() for path in draw_rounds(learned(game), found, tmp_path / "rounds.png"))


@pytest.mark.parametrize(
    ("setting", "best"),
    [(Setting(reserve=0.1), 0.530376), (Setting(Common(), luck=Tullock(1)), None), (Setting(attendance=0.5), 0.1875)],
)
def test_studies_have_theory_beside_them(setting, best):
    """The closed form at each design; which design is best, theory does not say where luck decides."""
    from allpay.exact import best_in_theory
    from allpay.study import DesignSpace

    space = DesignSpace("prizes", 3)
    assert solved(setting.game(space.mechanism([0.8, 0.2, 0]))).revenue > 0
    found = best_in_theory(space, setting)
    assert (found is None) == (best is None)
    assert found is None or found.value == pytest.approx(best, abs=1e-6)


def test_the_command():
    """Groups, luck and fees from the command line; the numbers of theory.md."""
    import json

    from typer.testing import CliRunner

    from allpay.cli import app

    def told(*args):
        done = CliRunner().invoke(app, ["equilibrium", "--weights", *args])
        assert done.exit_code == 0, done.output
        return done.stdout

    kinds = ("--group", "1: uniform(0,1)", "--group", "1: power(2)")
    assert "0.406544" in told("1,0", *kinds)
    assert "group 2, 1 bidder" in told("1,0", *kinds)
    found = json.loads(told("1,0", *kinds, "--json"))
    assert found["groups"][1]["mean_bid"] == pytest.approx(0.216166, abs=SIX)
    assert found["groups"][0]["bid"][-1] == pytest.approx(0.567668, abs=SIX)
    assert found["bid"][0] is None
    assert "fees         0.187500" in told("1,0,0", "--fee", "0.125")
    assert "0.177778" in told("1,0,0", "--luck", "tullock(0.8)", "--values", "common")
    none = json.loads(told("1,0,0", "--luck", "tullock(0.8)", "--json"))
    assert none["groups"] is None
    assert "all know each other's values" in none["reason"]
