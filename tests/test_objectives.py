"""Objectives: how they are read, what they are worth by strategies, and by theory."""

import re
from dataclasses import fields, replace

import numpy as np
import pytest

from allpay.contest.attendance import field
from allpay.contest.bidder import Bidder
from allpay.contest.game import Game, Setting
from allpay.contest.measures import Played
from allpay.contest.mechanism import Mechanism, all_pay
from allpay.contest.success import Tullock
from allpay.contest.values import Beta, Common, Power, Private, Uniform, integers
from allpay.errors import AllpayError
from allpay.exact import best_in_theory
from allpay.learners import FictitiousPlay, learn
from allpay.objectives import READ, Own, Sum, Top, objective, objectives
from allpay.study import DesignSpace
from allpay.theory import design_objective, equilibrium
from allpay.theory.measures import InTheory

MONEY = (0.375, 0.25, 0.125, 0.05, 0.05, 0.05, 0.05, 0.05)
"""Prizes 7,500/5,000/2,500/5×1,000 of 20,000."""

TEXTS = (
    *("revenue", "highest-bid", "top-3", "ranked-bids(1,0.5,0.25)", "ranked-bids(-1,2)", "threshold(0.4)"),
    *("threshold(0.4,any)", "threshold(0.4,3)", "entrants", "welfare", "ablest-wins", "profit(2)", "profit(2,top-3)"),
    *(
        "0.7*revenue + 0.3*highest-bid",
        "revenue - 0.25*entrants",
        "-revenue",
        "my.module:f",
        "0.5*my.module:f + welfare",
    ),
    "profit(0.5,0.5*revenue + 0.5*top-3)",
)


def prizes(*shares, bidders, **parts):
    return Mechanism((*shares, *[0.0] * (bidders - len(shares))), (1.0,) * bidders, **parts)


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_written_is_read_as_the_same(text):
    found = objective(text)
    assert found.text == text
    assert objective(found.text) == found == objective(found)
    assert (
        objective(f"  {text.replace('(', ' ( ').replace(',', ' , ').replace(' + ', '+').replace(' - ', '-')} ") == found
    )
    assert found.words
    assert found.goal


def test_every_kind_is_among_those_that_are_read():
    assert {re.match(r"[a-z-]+", text)[0] for text in TEXTS if text[0] not in "-0m"} >= READ.keys()


def test_terms_alike_are_one():
    assert objective("revenue + revenue") == Sum(((2.0, objective("revenue")),))
    assert objective("1*top-3") == Top(3)
    assert objective("threshold(.4, 1)").text == "threshold(0.4,any)"
    assert objective("a.b:f").codes == objective("revenue + profit(1, a.b:f)").codes == ("a.b:f",)
    assert objective("revenue").codes == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("revnue", "did you mean 'revenue'?"),
        ("highest_bid", "did you mean 'highest-bid'?"),
        ("best-entry", "did you mean 'highest-bid'?"),
        ("total_effort", "did you mean 'revenue'?"),
        ("topp-3", "unknown objective 'topp-3'"),
        ("profit(2, tpo-12)", "did you mean 'top-12'?"),
        ("glory-7", "'glory-7': choose from revenue, highest-bid, top-7, "),
        ("revenu-2*top-3", "unknown objective 'revenu': "),
        ("Welfare", "did you mean 'welfare'?"),
        ("top3", "write top-3"),
        ("top-0", "K of top-K must be from 1 to 100,000: got 0"),
        ("top-2.5", "takes a whole number"),
        ("", "an objective is missing"),
        ("revenue +", "missing at the end"),
        ("0.7 revenue", "write 0.5*revenue"),
        ("revenue top-3", "join objectives by + or −"),
        ("revenue - revenue", "a weight of 0"),
        ("1e200*revenue", "must be a finite number, at most 1e+100"),
        ("threshold", "threshold takes a bid"),
        ("threshold(0)", "must be above 0: got 0"),
        ("threshold(0.4, some)", "'any' or a whole number"),
        ("threshold(0.4", "a parenthesis is not closed"),
        ("ranked-bids()", "needs a coefficient that is not 0"),
        ("ranked-bids(1,x)", "'x' is no number"),
        ("profit(-1)", "must be above 0: got -1"),
        ("revenue(3)", "takes nothing in parentheses"),
        ("profit(1," * 20 + "revenue" + ")" * 20, "nested more than 8 deep"),
        ("x" * 301, "at most 300 letters"),
        (3, "an objective is a text"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(text, message):
    with pytest.raises(AllpayError) as error:
        objective(text)
    assert message in str(error.value)
    assert len(str(error.value)) <= 300


def test_several_are_different():
    assert [o.text for o in objectives(["revenue", "top-3"])] == ["revenue", "top-3"]
    with pytest.raises(AllpayError, match="top-3 is given twice"):
        objectives(["top-3", "revenue", "Top-3"])


# By theory ------------------------------------------------------------------------------------------------------------

QUESTIONS = {
    "prize table": (Game(prizes(*MONEY, bidders=50), cost_power=2), (2.9001, 0.4981, 0.4180)),
    "winner takes all": (Game(prizes(1, bidders=50), cost_power=2), (1.9037, 0.6600, 0.4614)),
    "prize table, linear": (Game(prizes(*MONEY, bidders=50)), (0.8922, 0.2554, None)),
    "winner takes all, linear": (Game(prizes(1, bidders=50)), (0.9608, 0.4900, None)),
    "five": (Game(prizes(0.5, 0.3, 0.2, bidders=5), cost_power=2), (1.224941, 0.438640, None)),
    "Beta(2,3), total": (
        Game(prizes(0.7521, 0.1602, 0.0877, bidders=5), Private(Beta(2, 3)), 2),
        (1.150227, None, None),
    ),
    "Beta(2,3), best": (Game(prizes(1, bidders=5), Private(Beta(2, 3)), cost_power=2), (None, 0.516021, None)),
    "eighty": (
        Game(prizes(0.8, 0.05, 0.05, 0.05, 0.05, bidders=80), Private(Beta(1.2, 5)), cost_power=2),
        (None, 0.472957, 0.345),
    ),
    "eighty, fifths": (Game(prizes(*[0.2] * 5, bidders=80), Private(Beta(1.2, 5)), cost_power=2), (None, None, 0.283)),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_designers_questions_have_their_answers(name):
    game, numbers = QUESTIONS[name]
    in_theory = InTheory(game, equilibrium(game))
    for text, known in zip(("revenue", "highest-bid", "top-3"), numbers, strict=True):
        if known is not None:
            digits = 5e-4 if known in (0.345, 0.283) else 5e-7 if round(known, 4) != known else 5e-5
            assert objective(text).value(in_theory) == pytest.approx(known, abs=digits)


def test_expected_ordered_bids_as_printed():
    game = Game(prizes(0.5, 0.3, 0.2, bidders=5), cost_power=2)
    ranked = InTheory(game, equilibrium(game)).ranked_bids(5)
    assert ranked == pytest.approx((0.438640, 0.336796, 0.239430, 0.146829, 0.063246), abs=5e-7)
    for power, weights, known in ((2, (0.937, 0.063), 1.191192), (3, (0.736, 0.264), 1.393058)):
        game = Game(prizes(*weights, bidders=5), Common(), cost_power=power)
        found = objective("ranked-bids(1,1)").value(InTheory(game, equilibrium(game)))
        assert found == pytest.approx(known, abs=2e-6)


SOLVED = {
    "private": Game(prizes(0.6, 0.3, 0.1, bidders=4), Private(Beta(2, 3)), cost_power=1.5),
    "payments": Game(Mechanism((1, 0, 0), (0.6, 0.3, 0.1)), Private(Uniform())),
    "integers": Game(prizes(0.7, 0.3, bidders=3), Private(integers(1, 4))),
    "averse": Game(prizes(0.6, 0.4, bidders=4), Common(), risk_aversion=2),
    "cap": Game(prizes(0.8, 0.2, bidders=3), max_bid=0.3),
    "absent": Game(prizes(0.6, 0.4, bidders=5), cost_power=2, attendance=0.6),
    "field": Game(prizes(0.7, 0.3, bidders=4), attendance=field("2:4")),
    "reserve": Game(prizes(0.6, 0.4, bidders=4, reserve=0.3), cost_power=2),
    "fee": Game(prizes(0.6, 0.4, bidders=4, fee=0.05), attendance=0.8),
    "reserve, known": Game(prizes(0.6, 0.4, bidders=4, reserve=0.1), Common(), attendance=0.7),
    "luck": Game(prizes(0.7, 0.3, bidders=3, success=Tullock(0.8)), Common(), attendance=0.7),
    "two": Game(all_pay(2), [(Bidder(Private(Uniform())), 1), (Bidder(Private(Power(0.5))), 1)]),
    "known values": Game(all_pay(3), [(Bidder(Common(v)), 1) for v in (1, 0.8, 0.5)]),
    "one against many": Game(all_pay(4), [(Bidder(Common(1)), 1), (Bidder(Common(0.8)), 3)]),
    "Stein": Game(prizes(1, bidders=3, success=Tullock(1)), [(Bidder(Common(v)), 1) for v in (1, 0.8, 0.5)]),
    "no prize is better": Game(prizes(0.5, 0.5, bidders=2)),
}


@pytest.mark.parametrize("name", SOLVED)
def test_measures_of_an_equilibrium_are_those_of_draws_from_it(name):
    """Within four standard errors: bids at random quantiles, of those who turn up; and sums that must hold."""
    game, auctions, random = SOLVED[name], 40_000, np.random.default_rng(2)
    found, n = equilibrium(game), SOLVED[name].bidders
    in_theory = InTheory(game, found)
    from allpay.contest.auction import turn_up

    bids = np.concatenate([play.bid_at(random.random((auctions, play.bidders))) for play in found.groups], axis=1)
    bids = np.where(turn_up(game, auctions, random), bids, 0.0)
    money = -np.sort(-bids, axis=1)
    ranked = in_theory.ranked_bids(n)
    level = 0.4 * found.top_bid if found.top_bid else 0.1
    for expected, drawn in (
        *((ranked[k], money[:, k]) for k in range(n)),
        (in_theory.number_at_least(level), np.sum(money >= level, axis=1)),
        (in_theory.at_least(level, 2)[1], money[:, 1] >= level),
    ):
        assert abs(drawn.mean() - expected) < 4 * drawn.std() / np.sqrt(auctions) + 1e-9
    assert ranked[0] == pytest.approx(found.highest_bid, abs=1e-8)
    if len(set(game.mechanism.payments)) == 1:
        assert ranked.sum() == pytest.approx(found.revenue, abs=1e-8)
    elif len(game.groups) == 1:
        assert ranked @ game.mechanism.payments == pytest.approx(found.revenue, abs=1e-8)
    assert in_theory.at_least(level, n).sum() == pytest.approx(in_theory.number_at_least(level), abs=1e-9)


LEARNED = {
    "private": Game(prizes(0.7, 0.3, bidders=3), Private(Uniform(), 48), cost_power=2, bid_levels=121),
    "fee": Game(prizes(0.7, 0.3, bidders=3, fee=0.05), Private(Uniform(), 48), bid_levels=121),
    "absent": Game(prizes(0.8, 0.2, bidders=3), Private(Uniform(), 48), attendance=0.7, bid_levels=121),
}


@pytest.mark.parametrize("name", LEARNED)
def test_learned_strategies_bring_what_theory_says(name):
    """Two ways to each number: exactly on a grid from what fictitious play learned, and by quadrature in equilibrium."""
    game = LEARNED[name]
    outcome = learn(game, FictitiousPlay(iterations=1500), rounds=1)
    in_theory, played = InTheory(game, equilibrium(game)), Played(game, outcome.strategy[0, 0])
    for text, close in (
        *(("top-2", 0.02), ("ranked-bids(0,0,1)", 0.1), ("welfare", 0.03), ("profit(2, top-2)", 0.03)),
        *((("entrants", 0.05),) if game.mechanism.may_stay_out else ()),  # else the lowest bids are 0 on a grid
        *(("ablest-wins", 0.08), (f"threshold({0.5 * in_theory.found.top_bid})", 0.06)),
    ):
        wanted = objective(text).value(in_theory)
        assert objective(text).value(played) == pytest.approx(wanted, rel=close, abs=0.004), text
        assert objective(text).values(outcome)[0, 0] == objective(text).value(played)


def test_what_theory_does_not_know_is_refused():
    for game, text, message in (
        (SOLVED["two"], "ablest-wins", "the ablest of private values that differ"),
        (SOLVED["cap"], "ablest-wins", "where bids pool at the cap"),
        (SOLVED["averse"], "welfare", "risk-neutral bidders only"),
        (SOLVED["private"], "some.module:f", "theory has none of that"),
    ):
        with pytest.raises(AllpayError, match=message):
            objective(text).value(InTheory(game, equilibrium(game)))
    assert isinstance(objective("some.module:f"), Own)


# Gradients ------------------------------------------------------------------------------------------------------------

LINEAR = (
    *("top-2", "ranked-bids(1,-0.5,0.25)", "0.6*revenue + 0.4*highest-bid"),
    *("welfare", "profit(2,top-2)", "revenue - welfare"),
)

DESIGNED = {
    "private, convex": (Game(prizes(0.5, 0.3, 0.2, bidders=4), Private(Beta(2, 3)), cost_power=2), "prizes"),
    "payments": (Game(Mechanism((1, 0, 0, 0), (0.5, 0.3, 0.15, 0.05))), "payments"),
    "common": (Game(prizes(0.5, 0.3, 0.2, bidders=4), Common(0.7), cost_power=2), "prizes"),
    "cap": (Game(prizes(0.55, 0.3, 0.15, bidders=4), max_bid=0.25), "prizes"),
    "common, cap": (Game(prizes(0.6, 0.25, 0.15, bidders=4), Common(), max_bid=0.4), "prizes"),
    "all pool": (Game(prizes(0.6, 0.25, 0.15, bidders=4), Common(), max_bid=0.05), "prizes"),
    "atoms": (Game(prizes(0.55, 0.3, 0.15, bidders=4), Private(integers(1, 3)), cost_power=2), "prizes"),
    "absent": (Game(prizes(0.55, 0.3, 0.15, bidders=4), cost_power=2, attendance=0.7), "prizes"),
    "field": (Game(prizes(0.55, 0.3, 0.15, bidders=4), attendance=field("2:4")), "prizes"),
    "reserve": (Game(prizes(0.55, 0.3, 0.15, bidders=4, reserve=0.2), cost_power=2), "prizes"),
    "fee": (Game(prizes(0.55, 0.3, 0.15, bidders=4, fee=0.05), attendance=0.8), "prizes"),
    "reserve, known": (Game(prizes(0.55, 0.3, 0.15, bidders=4, reserve=0.1), Common(), attendance=0.7), "prizes"),
}


@pytest.mark.parametrize("name", DESIGNED)
def test_gradients_are_limits_of_differences_and_values_those_of_the_equilibrium(name):
    game, rule = DESIGNED[name]
    w = np.array(getattr(game.mechanism, rule))
    w = w * 0.98 + 0.02 * np.linspace(0.4, 0.1, len(w))  # inside, so that each can be moved
    at = Game(**{**vars_of(game), "mechanism": replace(game.mechanism, **{rule: tuple(w.tolist())})})
    known = InTheory(at, equilibrium(at))
    for text in LINEAR if game.simple else LINEAR[:3]:
        of = design_objective(game, rule, text)
        value, gradient = of(w)
        assert float(value) == pytest.approx(objective(text).value(known), rel=1e-7, abs=1e-9), text
        h = 1e-5
        differences = (of(w + h * np.eye(len(w)))[0] - of(w - h * np.eye(len(w)))[0]) / (2 * h)
        np.testing.assert_allclose(gradient, differences, rtol=3e-5, atol=3e-6, err_msg=text)


def vars_of(game):
    return {field.name: getattr(game, field.name) for field in fields(game)}


def test_the_best_splits_by_theory_are_those_that_are_known():
    for power, weights, value in ((2, (0.937, 0.063, 0, 0, 0), 1.191192), (3, (0.736, 0.264, 0, 0, 0), 1.393058)):
        found = best_in_theory(DesignSpace("prizes", 5, 5), Setting(Common(), power), "ranked-bids(1,1)")
        assert found.weights == pytest.approx(weights, abs=6e-4)
        assert found.value == pytest.approx(value, abs=1e-6)
    beta = Setting(Private(Beta(2, 3)), 2)
    found = best_in_theory(DesignSpace("prizes", 5, 5), beta, "revenue")
    assert found.weights == pytest.approx((0.7521, 0.1602, 0.0877, 0, 0), abs=2e-4)
    assert best_in_theory(DesignSpace("prizes", 5, 5), beta, "highest-bid").weights == pytest.approx(
        (1, 0, 0, 0, 0), abs=1e-6
    )
    assert best_in_theory(DesignSpace("prizes", 5, 5), beta, "entrants") is None


def test_what_has_no_gradient_is_refused():
    game = Game(prizes(0.5, 0.5, bidders=3))
    for text in ("threshold(0.3)", "entrants", "ablest-wins", "revenue + entrants", "some.module:f"):
        with pytest.raises(AllpayError, match="theory has no gradient of"):
            design_objective(game, "prizes", text)
    with pytest.raises(AllpayError, match="theory has no gradient of welfare"):
        design_objective(Game(prizes(0.5, 0.5, bidders=3), risk_aversion=1.0), "prizes", "welfare")
    with pytest.raises(AllpayError, match="top-4 needs at least 4 bidders"):
        design_objective(game, "prizes", "top-4")
