"""Models of behaviour and theory, held against past contests: from Python, and by `allpay fit`."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from allpay import Beta, Bidder, Common, Game, Mechanism, Private, Setting, Uniform
from allpay.cli import app
from allpay.contest.mechanism import all_pay
from allpay.contest.preferences import LossAverse, PowerCost
from allpay.errors import AllpayError
from allpay.estimate.behaviour import MODELS, Bids, Fit, _at_bounds, _best_first, fit_behaviour
from allpay.estimate.fit import FittedModels, fit_models
from allpay.estimate.generate import as_table, past_contests
from allpay.estimate.past import Contests
from allpay.learners import LevelK, LogitEquilibrium
from allpay.report.fitted import fitted_in_words, fitted_values
from allpay.report.words import collected

COMMON = Game(all_pay(3), Common(1.0), bid_levels=31)


def made(game, strategy, contests, seed=1):
    return past_contests(game, contests, seed, strategy=strategy)


def test_without_errors_levels_are_those_of_the_learner():
    game = Game(Mechanism((0.7, 0.3, 0.0), (1.0,) * 3), Private(Uniform(0, 1), 8), bid_levels=41)
    for name, learner, number in (("level-k", LevelK(2), 2.0), ("hierarchy", LevelK(hierarchy=1.5), 1.5)):
        found = MODELS[name].strategy(game, True, 1e-5, number)
        known = learner._thought(game).strategy
        np.testing.assert_allclose(found @ game.bid_grid, known @ game.bid_grid, atol=0.02)
    half = MODELS["level-k"].strategy(game, True, 0.05, 1.5)
    one, two = (MODELS["level-k"].strategy(game, True, 0.05, float(k)) for k in (1, 2))
    np.testing.assert_allclose(half, (one + two) / 2, atol=1e-12)


def test_losses_that_count_are_told_from_errors_alone():
    averse = Game(all_pay(3), [(Bidder(Common(1.0), utility=LossAverse(2.5)), 3)], max_bid=1.0, bid_levels=31)
    contests = made(averse, LogitEquilibrium(0.1).solve(averse).strategy, 400)
    fits = fit_behaviour(COMMON, Bids(contests.bid, contest=contests.contest), ("logit", "losses"), folds=2)
    assert fits[0].model == "losses"
    assert fits[0].parameters["losses"] == pytest.approx(2.5, abs=3 * fits[0].errors["losses"])
    assert 0 < fits[0].errors["losses"] < 1


def test_bids_of_several_games_are_fitted_together():
    other = Game(all_pay(4), Common(1.0), bid_levels=31)
    seen = [
        Bids(
            made(game, LogitEquilibrium(0.1).solve(game).strategy, 150).bid,
            contest=np.repeat(np.arange(150), game.bidders),
        )
        for game in (COMMON, other)
    ]
    apart = [fit_behaviour(game, bids, folds=0)[0] for game, bids in zip((COMMON, other), seen, strict=True)]
    (both,) = fit_behaviour((COMMON, other), seen, folds=0)
    low, high = sorted(one.parameters["noise"] for one in apart)
    assert low - 1e-3 <= both.parameters["noise"] <= high + 1e-3
    assert both.loglikelihood <= sum(one.loglikelihood for one in apart) + 1e-2
    assert both.bids == 150 * 7
    assert both.errors["noise"] < min(one.errors["noise"] for one in apart)
    with pytest.raises(AllpayError, match="bids for each of 2 games"):
        fit_behaviour((COMMON, other), seen[:1])


def test_bids_of_the_equilibrium_are_those_of_theory():
    games = [
        Setting(Private(Uniform(0, 1)), cost_power=2.0).game(Mechanism((0.7, 0.3, *[0.0] * (n - 2)), (1.0,) * n))
        for n in (3, 5)
    ]
    contests = past_contests(games, 600, seed=3)
    found = fit_models(contests, (), cost=PowerCost(2))
    assert [kind.bidders for kind in found.kinds] == [5, 3]
    for kind in found.kinds:
        assert abs(kind.observed - kind.theory) < 3 * kind.error
    twice = Contests(contests.contest, 1.2 * contests.bid, contests.prizes, value=contests.value)
    kind = fit_models(twice, (), cost=PowerCost(2)).kinds[0]
    assert (kind.observed - kind.theory) / kind.error > 5
    assert "above the" in fitted_in_words(fit_models(twice, (), cost=PowerCost(2)))


def test_models_are_told_as_a_table_for_a_paper():
    fits = [Fit(name, {"a": 0.1}, {"a": 0.02}, -9.0, -5.0, 10) for name in ("logit", "joy")]
    known = {"bids": 10, "kinds": (), "folds": 2, "highest": 1.0, "cost_power": 1.0, "left_out": 0, "values": "known"}
    with collected() as tables:
        fitted_in_words(SimpleNamespace(fits=fits, exact=False, **known))
    (table,) = tables
    assert [row[0] for row in table.rows] == ["model", "logit", "joy"]
    assert "10 bids" in table.caption


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"value": None}, {}, "--value 1"),
        ({}, {"value": 1.0}, "leave one of them out"),
        ({"value": None}, {"value": -1.0}, "--value must be above 0"),
        ({}, {"max_bid": 0.01}, "max bid must be at least the highest bid"),
        ({"value": np.full(9, np.nan)}, {}, "the column of values is empty"),
        ({"value": np.zeros(9)}, {}, "no value is above 0"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(change, options, message):
    given = {"value": np.ones(9), **change}
    contests = Contests(np.repeat([0, 1, 2], 3), np.linspace(0.1, 0.5, 9), np.ones((3, 1)), **given)
    with pytest.raises(AllpayError, match=message):
        fit_models(contests, ("logit",), **options)


def run(*line):
    return CliRunner().invoke(app, list(map(str, line)))


def test_from_a_table_to_a_comparison_of_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    contests = made(COMMON, LogitEquilibrium(0.1).solve(COMMON).strategy, 60)
    rows = [
        f"{c},{b!r},{p}" for c, b, p in zip(contests.contest, contests.bid.tolist(), contests.rank == 1, strict=True)
    ]
    (tmp_path / "lab.csv").write_text(
        "contest,bid,prize\n" + "\n".join(rows).replace("True", "1").replace("False", "0") + "\n"
    )
    done = run("fit", "lab.csv", "--value", 1, "--model", "logit", "--model", "level-k", "--out", "found", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [fit["model"] for fit in found["models"]] == ["logit", "level-k"]
    assert found["kinds"][0]["theory"] == pytest.approx(1 / 3, rel=1e-3)
    assert found["models"][0]["held_out"] > found["models"][1]["held_out"]
    assert {path.name for path in (tmp_path / "found").iterdir()} == {
        *("fit.json", "models.csv", "summary.txt", "command.txt")
    }
    words = (tmp_path / "found" / "summary.txt").read_text()
    assert "Best by contests left out, in 4 parts: logit" in words
    assert "standard errors" in words
    unknown = run("fit", "lab.csv")
    assert unknown.exit_code == 0
    assert "cannot test whether bids answer" in unknown.stdout
    assert unknown.stdout.strip().endswith("give a column of values, or one value for all as --value 1.")
    for line, message in (
        (("--model", "logitt"), "logit"),
        (("--value-column", "worth"), "worth"),
        (("--value", 1, "--max-bid", 0.1), "line 2, column bid"),
        (("--value", "nan"), "--value"),
        (("--out", "."), "holds something else"),
    ):
        wrong = run("fit", "lab.csv", *line)
        assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1), (line, wrong.output)
        assert message in wrong.stderr


def test_a_value_that_is_wrong_is_named_with_its_line(tmp_path):
    for cell in ("x", "-1", "1e400"):
        (tmp_path / "t.csv").write_text(f"contest,bid,prize,value\n1,0.5,1,1\n1,0.2,0,{cell}\n2,0.5,1,1\n2,0.2,0,1\n")
        wrong = run("fit", tmp_path / "t.csv")
        assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)
        assert "line 3, column value" in wrong.stderr
    (tmp_path / "t.csv").write_text("contest,bid,prize\n1,0.5,1\n1,0.2,0\n2,0.5,1\n2,0.2,0\n")
    assert "give bids and values in other units" in run("fit", tmp_path / "t.csv", "--value", "1e20").stderr


def test_values_are_plain():
    contests = Contests(np.repeat([0, 1, 2], 3), np.linspace(0.1, 0.5, 9), np.ones((3, 1)), value=np.ones(9))
    assert (
        json.loads(json.dumps(fitted_values(fit_models(contests, ("logit",), folds=0))))["models"][0]["held_out"]
        is None
    )


def test_a_parameter_at_an_end_of_its_range_is_said():
    assert _at_bounds(np.array([0.0, 10.0]), "losses") == {"losses": "highest"}
    assert _at_bounds(np.array([np.log(1e-3), 1.0]), "losses") == {"noise": "lowest"}
    assert _at_bounds(np.array([0.0, 0.1 + 0.01]), "losses") == {"losses": "lowest"}
    assert _at_bounds(np.array([0.0, 1.0]), "losses") == {}
    near = Fit(
        "losses",
        {"noise": 0.1, "losses": 10.0},
        {"noise": 0.01, "losses": np.nan},
        -5.0,
        -6.0,
        20,
        {"losses": "highest"},
    )
    found = FittedModels((near,), (), 0, 4, 20, 1.0, "1.0", 1.0)
    assert not found.exact
    without = replace(found, fits=(replace(near, at_bounds={"noise": "lowest"}),))
    assert without.exact
    assert "None is best. These bids scatter less than the least noise" in fitted_in_words(without)
    assert "At an end of the range in which it was sought: losses of losses (highest, 10)" in fitted_in_words(found)
    assert fitted_values(found)["models"][0]["at_bounds"] == {"losses": "highest"}
    assert "At an end" not in fitted_in_words(replace(found, fits=(replace(near, at_bounds={}),)))


def test_the_power_of_cost_is_found_where_values_are_not_known_and_contests_differ(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("allpay.estimate.values.TEST_DRAWS", 2)
    setting = Setting(Private(Beta(2, 2)), cost_power=1.6)
    games = [setting.game(Mechanism((1.0, *[0.0] * (n - 1)), (1.0,) * n)) for n in (3, 4, 6)]
    as_table(past_contests(games, 300, seed=5)).write_csv("kinds.csv")
    as_table(past_contests(games[:1], 60, seed=5)).write_csv("alike.csv")
    found = json.loads(run("fit", "kinds.csv", "--cost-power", "estimate", "--json").stdout)
    assert found["cost_power"] == pytest.approx(1.6, rel=0.15)
    assert all(abs(kind["beyond"]) < 0.15 for kind in found["kinds"])
    for line, words in (
        (
            ("alike.csv", "--cost-power", "1:3"),
            "contests that are all alike tell no power of cost: got --cost-power 1:3",
        ),
        (("kinds.csv", "--cost-power", "estimate", "--value", 1), "fit needs a number: got --cost-power estimate"),
        (("kinds.csv", "--cost-power", "often"), "--cost-power is a number"),
    ):
        refused = run("fit", *line)
        assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.output
        assert words in refused.stderr


def test_of_models_that_foretell_as_much_that_with_fewest_numbers_is_best(tmp_path, monkeypatch):
    """Joy of winning that is none is the logit equilibrium itself, whatever rounding says of their likelihoods."""
    fits = [
        Fit("joy", {"noise": 0.1, "joy": 0.0}, {"noise": 0.01, "joy": np.nan}, -5.0, -6.0, 20, {"joy": "lowest"}),
        Fit("logit", {"noise": 0.1}, {"noise": 0.01}, -5.0, -6.001, 20, {}),
        Fit("level-k", {"noise": 0.1, "level": 1.0}, {"noise": 0.01, "level": 0.1}, -9.0, -9.0, 20, {}),
    ]
    order = _best_first(fits, [fit.held_out for fit in fits])
    assert [fit.model for fit in order] == ["logit", "joy", "level-k"]
    assert [fit.model for fit in _best_first(fits, [-6.0, -6.2, -9.0])] == ["joy", "logit", "level-k"]
    words = fitted_in_words(FittedModels(tuple(order), (), 0, 4, 20, 1.0, "1.0", 1.0))
    assert (
        "logit (logit equilibrium: better bids are made more often). As good, with more numbers that add nothing: joy."
        in words
    )


def test_a_fit_has_a_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(
        "simulate",
        "--weights",
        1,
        "--bidders",
        3,
        "--values",
        "common",
        "--learner",
        "logit-equilibrium",
        "--noise",
        0.1,
        "--contests",
        40,
        "--out",
        "lab.csv",
    )
    assert run("fit", "lab.csv", "--value", 1, "--model", "logit", "--model", "level-k", "--out", "lab").exit_code == 0
    assert run("report", "lab").exit_code == 0
    page = (tmp_path / "lab" / "report.html").read_text()
    for text in ("How people bid", "Beside theory", "log likelihood per bid below the best", "level-k"):
        assert text in page
