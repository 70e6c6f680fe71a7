"""The checks themselves: known cases pass, and whatever is broken in one part of the program makes its own checks fail."""

import dataclasses
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from allpay.cli import app
from allpay.contest.game import Game, game
from allpay.contest.mechanism import first_price
from allpay.contest.payoffs import evaluate
from allpay.contest.values import Private
from allpay.learners import EpsilonGreedy, FictitiousPlay
from allpay.theory import costs, equilibrium
from allpay.theory.noformula import NoFormula
from allpay.verify import checks, contests, known_cases, on_grid
from allpay.verify.cases import by_quadrature
from allpay.verify.page import as_page, as_text


def cases_named(*names):
    """The known cases whose family and point contain one of the names."""
    return [case for case in known_cases() if any(name in f"{case.family}; {case.point}" for name in names)]


def failed(found):
    return {check.what for check in found if not check.passed}


def test_every_row_of_the_tables_is_a_case():
    families = {case.family for case in known_cases()}
    assert {case.family for case in known_cases(full=True)} == families
    assert len(families) == 16
    points = {case.point for case in known_cases(full=True)}
    assert {"w = 0.5", "w = 0.75", "w = 1", "n = 2", "n = 20"} <= points


@pytest.mark.parametrize("case", known_cases(full=True), ids=lambda c: f"{c.family}, {c.point}")
def test_theory(case):
    assert not failed(checks.theory_checks(case, equilibrium(case.game)))


CONTEST_CHECKS = list(checks.contest_checks())


@pytest.mark.parametrize("family", list(dict.fromkeys(check.family for check in CONTEST_CHECKS)))
def test_contests_as_they_are(family):
    assert not failed(check for check in CONTEST_CHECKS if check.family == family)


def test_every_number_of_the_tables_of_contests_is_a_check():
    assert len({check.source for check in CONTEST_CHECKS}) >= 14
    assert len(CONTEST_CHECKS) >= 80
    assert max(check.tolerance for check in CONTEST_CHECKS) <= 5e-4


def test_a_contest_without_a_formula_fails(monkeypatch):
    monkeypatch.setattr("allpay.verify.contests.entry_equilibrium", lambda *args, **options: NoFormula("none"))
    assert {"fees", "lowest value"} <= failed(checks.contest_checks())


@pytest.mark.parametrize(
    "contest", list(contests.played_contests()), ids=lambda contest: f"{contest.family}; {contest.point}"
)
def test_contests_as_games(contest):
    found = list(checks.played_checks(contest, seed=0))
    assert [check.what for check in found] == [
        *("revenue", "to gain on the grid", "revenue on the grid", "left to gain", "revenue learned"),
        "revenue sampled",
    ]
    assert not failed(found)


def test_a_contest_that_is_not_as_known_fails():
    """A game with another reserve passes none of the checks of its revenue."""
    contest = next(c for c in contests.played_contests() if c.point == "reserve 0.1")
    wrong = replace(contest.game, mechanism=replace(contest.game.mechanism, reserve=0.3))
    found = checks.played_checks(replace(contest, game=wrong), seed=0)
    assert failed(found) == {"revenue", "revenue on the grid", "revenue learned"}


def test_quadrature_does_not_ask_theory(monkeypatch):
    monkeypatch.setattr("allpay.theory.quantiles.legendre_rule", None)
    revenue, highest = by_quadrature(game("prizes", 0.8, 3))
    assert revenue == pytest.approx(0.4, abs=1e-10)
    assert highest == pytest.approx(0.8 / 3 - 0.2 / 15, abs=1e-10)


SOME = (
    "common value; w = 0.8",
    "9; w = 0.8",
    "b²; w = 1",
    "private values; w = 0.5",
    "CARA ρ = 2; w = 1",
    "private values; n = 10",
)


@pytest.mark.parametrize("case", cases_named(*SOME), ids=lambda c: f"{c.family}, {c.point}")
def test_payoffs_and_auctions(case):
    found = equilibrium(case.game)
    assert not failed(checks.payoff_checks(case, found, (26, 51, 101)))
    assert not failed(checks.auction_checks(case, found, 2000, seed=1))


@pytest.mark.parametrize("values", [(1.0, 1.0), (2.0, 1.0), (1.0, 3.0)])
def test_two_bidders(values):
    assert not failed(checks.unequal_checks(*values, bid_levels=101))


def test_bids_on_a_grid_keep_their_order_and_mean():
    g = game("prizes", 0.8, 3, bid_levels=401)
    strategy = on_grid(g, equilibrium(g))
    assert strategy.shape == (1, 64, 401)
    np.testing.assert_allclose(strategy.sum(axis=2), 1)
    means = strategy[0] @ g.bid_grid
    assert np.all(np.diff(means) >= 0)
    q, bid = equilibrium(g).quantile, equilibrium(g).bid
    assert means.mean() == pytest.approx(np.trapezoid(bid, q), abs=1e-4)


def test_bids_on_a_grid_are_allowed():
    """With twenty bidders a first-price bid is 95 % of the value, and the nearest bid of the grid may be above the value."""
    g = Game(first_price(20), Private(levels=8), bid_levels=11, overbidding=False)
    strategy = on_grid(g, equilibrium(g))
    free = on_grid(replace(g, overbidding=True, max_bid=g.top_bid), equilibrium(g))
    above = np.arange(11) >= g.allowed[:, None]
    assert free[0][above].sum() > 0.1
    assert strategy[0][above].sum() == 0
    np.testing.assert_allclose(strategy.sum(axis=2), 1)
    for v, allowed in enumerate(g.allowed):
        np.testing.assert_array_equal(strategy[0, v, : allowed - 1], free[0, v, : allowed - 1])
    assert evaluate(g, strategy).exploitability.mean() < g.bid_grid[1]


# What is broken is found ----------------------------------------------------------------------------------------------


def test_a_broken_formula_fails(monkeypatch):
    right = costs.means_below
    monkeypatch.setattr(costs, "means_below", lambda *args: tuple(1.01 * x for x in right(*args)))
    (case,) = cases_named("prizes, private values; w = 0.8")
    found = equilibrium(case.game)
    assert failed(checks.theory_checks(case, found)) >= {"revenue", "revenue, integrated", "highest bid"}
    # what theory says and what its bids bring still agree: one layer cannot stand for another
    assert not failed(checks.auction_checks(case, found, 2000, seed=1))


def test_bids_that_are_no_equilibrium_fail(monkeypatch):
    (case,) = cases_named("prizes, common value; w = 0.8")
    wrong = equilibrium(dataclasses.replace(case.game, cost_power=1.3))
    assert {"to gain, 101 bids", "order of its fall"} <= failed(checks.payoff_checks(case, wrong, (26, 51, 101)))


def test_no_equilibrium_where_one_is_known_fails():
    (case,) = cases_named("payments, private values; w = 0.8")
    found = list(checks.theory_checks(case, None))
    assert not any(check.passed for check in found)
    assert all(math.isnan(check.error) for check in found)


def test_an_engine_that_miscounts_fails(monkeypatch):
    right = checks.evaluate

    def wrong(g, strategy):
        found = right(g, strategy)
        return dataclasses.replace(found, revenue=1.05 * found.revenue, exploitability=found.exploitability + 0.01)

    monkeypatch.setattr(checks, "evaluate", wrong)
    (case,) = cases_named("prizes, private values; w = 0.8")
    found = equilibrium(case.game)
    assert len(failed(checks.payoff_checks(case, found, (26, 51, 101)))) == 3
    assert failed(checks.auction_checks(case, found, 20_000, seed=1)) == {"revenue, sampled"}


# Learners -------------------------------------------------------------------------------------------------------------


def test_a_verdict_that_learning_does_not_settle_passes():
    (case,) = cases_named("prizes, common value; w = 0.5")
    for learner in (FictitiousPlay(iterations=300), EpsilonGreedy(iterations=20_000, exploration=5000)):
        (check,) = checks.learner_checks(learner, [case], 1, seed=0)
        assert check.at_least
        assert check.passed
        assert check.value > 0.05
        assert "circling" in check.what or "still learning" in check.what


def test_a_learner_that_claims_to_settle_where_none_does_fails():
    """A tolerance so wide that anything counts as converged."""
    (case,) = cases_named("prizes, common value; w = 0.5")
    (check,) = checks.learner_checks(FictitiousPlay(iterations=300, tolerance=0.9), [case], 1, seed=0)
    assert not check.passed


def test_learning_that_is_not_finished_is_given_more():
    (case,) = cases_named("prizes, private values; w = 0.8")
    gain, revenue = checks.learner_checks(FictitiousPlay(iterations=50), [case], 1, seed=0)
    assert gain.passed
    assert "converged" in gain.what
    assert revenue.passed


def test_learners_with_networks_learn_games_of_one_shape_together():
    together = []

    class Recorded(FictitiousPlay):
        name = "dqn"

        def learn(self, games, seeds):
            together.append(len(games))
            return super().learn(games, seeds)

    cases = cases_named("prizes, private values; w = 0.8", "CARA ρ = 2; w = 1", "payments, private values; w = 0.5")
    found = list(checks.learner_checks(Recorded(iterations=500), cases, 2, seed=0))
    assert together == [2, 1]
    alone = [check for case in cases for check in checks.learner_checks(Recorded(iterations=500), [case], 2, seed=0)]
    assert found == alone


# The command ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch):
    """One case of each kind, one learner, small grids."""
    some = cases_named("prizes, common value; w = 0.8", "prizes, private values; w = 0.8")
    monkeypatch.setattr(checks, "known_cases", lambda full: some)
    monkeypatch.setattr(checks, "played_contests", lambda full: list(contests.played_contests())[:1])
    monkeypatch.setattr(checks, "LEARNERS", {"fictitious-play": FictitiousPlay})


def test_verify_passes_and_writes_the_page(few, tmp_path):
    page = tmp_path / "docs" / "page.md"
    done = CliRunner().invoke(app, ["verify", "--markdown", str(page)])
    assert done.exit_code == 0, done.output
    assert "checks passed" in done.stdout
    assert "FAIL" not in done.stdout
    text = page.read_text(encoding="utf-8")
    assert "allpay verify --markdown" in text
    assert "| prizes, private values | w = 0.8 | Moldovanu & Sela 2001 |" in text
    assert "### fictitious-play" in text


def test_verify_fails_where_a_formula_is_broken(few, monkeypatch):
    right = costs.means_below
    monkeypatch.setattr(costs, "means_below", lambda *args: tuple(1.01 * x for x in right(*args)))
    done = CliRunner().invoke(app, ["verify", "--json"])
    assert done.exit_code == 1
    values = json.loads(done.stdout)
    bad = [check for check in values["checks"] if not check["passed"]]
    assert len(bad) == values["failed"] > 0
    assert {check["family"] for check in bad} == {"prizes, private values"}


def test_failures_are_named_in_both_forms():
    wrong = checks.Check("family", "w = 0.5", "theory", "revenue", 1.0, 0.5, 1e-6, "somebody")
    none = checks.Check("family", "w = 0.6", "theory", "revenue", math.nan, 0.5, 1e-6, "somebody")
    report = checks.Report((wrong, none), False, 1.0)
    assert report.sentence == "2 of 2 checks failed."
    assert "FAIL" in as_text(report)
    assert "**2 failed**" in as_page(report)
    assert "revenue is 1.000000, expected 0.500000" in as_page(report)
