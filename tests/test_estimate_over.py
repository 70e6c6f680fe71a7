"""What data leave open: values and splits over a range of the power of cost, or of luck, and the split that is safe."""

import csv
import json
import tomllib

import numpy as np
import pytest
from typer.testing import CliRunner

from allpay import Beta, Mechanism, Private, Setting
from allpay.cli import app
from allpay.contest.preferences import PowerCost
from allpay.errors import AllpayError
from allpay.estimate.generate import as_table, past_contests
from allpay.estimate.kept import load, save
from allpay.estimate.luck import Asked
from allpay.estimate.over import over_luck, over_powers
from allpay.estimate.past import Contests
from allpay.estimate.power import Sought
from allpay.estimate.values import estimate_values
from allpay.estimate.with_luck import estimate_with_luck
from allpay.exact import best_in_theory, objective_at
from allpay.report.estimated import estimate_in_words, identification
from allpay.report.pages.answers import estimated
from allpay.study import DesignSpace


def alike(contests=200, power=2.0, seed=5):
    game = Setting(Private(Beta(2, 3)), cost_power=power).game(Mechanism((0.6, 0.4, 0.0, 0.0), (1.0,) * 4))
    return past_contests(game, contests, seed=seed)


def by_power(contests):
    return lambda cost, draws: estimate_values(contests, cost=cost, family="curve", resamples=draws)


def test_over_powers_of_cost_the_safe_split_is_that_of_least_regret(monkeypatch):
    monkeypatch.setattr("allpay.estimate.over.POINTS", 3)
    monkeypatch.setattr("allpay.estimate.over.LOOKED_AT", 5)
    found = over_powers(alike(), Sought(1.0, 3.0, given=True), by_power(alike()), 2)
    told = found.open
    assert (told.what, told.method, told.bidders, len(told.worlds)) == ("cost power", "theory", 4, 3)
    assert told.excluded[0] == "b^1"  # values would have to fall as bids rise
    space = DesignSpace("prizes", 4, 4)
    for world in told.worlds[:1]:
        setting = Setting(Private(world.values[0]), cost_power=world.power)
        best = best_in_theory(space, setting)
        safe = float(objective_at(space, setting)(np.array([told.split]))[0][0])
        assert world.loss == pytest.approx(1 - safe / best.value, abs=1e-5)
        np.testing.assert_allclose(world.best, best.weights, atol=2e-3)
    settings = [Setting(Private(world.values[0]), cost_power=world.power) for world in told.worlds]
    most = [best_in_theory(space, setting).value for setting in settings]
    splits = np.array([world.best for world in told.worlds])  # no split that is best somewhere is as safe
    brought = np.stack([objective_at(space, setting)(splits)[0] for setting in settings], axis=1)
    assert max(world.loss for world in told.worlds) <= (1 - brought / most).max(axis=1).min() + 1e-4
    assert found.cost == PowerCost(told.worlds[told.kept].power)
    assert len(found.draws) == 2


def test_a_range_of_which_one_number_is_left_is_refused():
    with pytest.raises(AllpayError, match=r"only b.* explains these bids"):
        over_powers(alike(), Sought(0.3, 1.4, given=True), by_power(alike()), 0)


def scores(contests=120, scale=0.15):
    rng = np.random.default_rng(3)
    bid = rng.uniform(0.3, 0.8, size=2 * contests) + rng.normal(scale=scale, size=2 * contests)
    return Contests(np.repeat(np.arange(contests), 2), np.maximum(bid, 0.0), np.ones((contests, 1)))


def test_over_luck_of_scores_splits_are_tried_by_learning(tmp_path, monkeypatch):
    monkeypatch.setattr("allpay.estimate.over.POINTS", 2)
    monkeypatch.setattr("allpay.estimate.over.PARTS", 4)

    def estimate(text, draws):
        return estimate_with_luck(scores(), text, cost=PowerCost(2), resamples=draws, scores=True)

    found = over_luck(Asked.of("normal(0.08:0.15)"), estimate, 2)
    told = found.open
    assert [world.luck for world in told.worlds] == ["normal(0.08)", "normal(0.15)"]
    assert told.method == "learned"
    assert told.worlds[0].values != told.worlds[1].values
    assert min(world.loss for world in told.worlds) == pytest.approx(0, abs=1e-12)
    assert found.luck.text == told.worlds[told.kept].luck
    save(found, tmp_path)
    assert load(tmp_path).open == told
    words = estimate_in_words(load(tmp_path))
    for text in ("Not told by these data: the luck", "normal(0.08) ", "Safe over the whole range: "):
        assert text in words
    page = estimated(tmp_path)  # of an estimate in which no bids are foretold
    assert page.values["charts"]["bids"] is None
    assert "Safe over the whole range" in page.values["over"][1]
    assert "how much of the scores is luck" in str(identification(found)["not_identified"])
    with pytest.raises(AllpayError, match=r"all of their spread: got normal"):
        over_luck(Asked.of("normal(0.08:3)"), estimate, 0)
    with pytest.raises(AllpayError, match=r"luck has no range here: give one, as normal\(0.1:0.3\)"):
        over_luck(Asked.of("normal"), estimate, 0)


def test_a_range_of_luck_is_read_and_ranks_are_looked_for_within_it():
    assert Asked.of("tullock(0.5:2)") == Asked("tullock({})", None, (0.5, 2.0))
    assert Asked.of(" normal( 0.1 : 0.3 ,log)").rule(0.2).log
    for text, words in (("normal(0.3:0.1)", "got 0.3:0.1"), ("normal(a:1)", "normal"), ("tullock(0:1)", "above 0")):
        with pytest.raises(AllpayError, match=words):
            Asked.of(text)
    rng = np.random.default_rng(1)
    bid = rng.beta(2, 3, size=(200, 4))
    rank = np.argsort(np.argsort(-(np.log(bid) + rng.gumbel(size=bid.shape)), axis=1), axis=1) + 1
    contests = Contests(np.repeat(np.arange(200), 4), bid.ravel(), np.ones((200, 1)), rank=rank.ravel())
    inside, beyond = (estimate_with_luck(contests, f"tullock({r})", resamples=0).luck.number for r in ("0.5:2", "2:4"))
    assert abs(inside - 1) < 0.2
    assert beyond == pytest.approx(2.0)


def run(*line):
    return CliRunner().invoke(app, list(map(str, line)))


def test_the_range_is_in_the_folder_the_json_and_the_study_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("allpay.estimate.over.LOOKED_AT", 3)
    monkeypatch.setattr("allpay.report.estimated.save", lambda figure, path: path.write_text(""))  # drawing takes long
    as_table(alike()).write_csv("past.csv")
    line = ("estimate", "past.csv", "--family", "curve", "--resamples", 2)
    told = run(*line, "--cost-power", "1.6:3", "--json")
    assert told.exit_code == 0, told.output
    values = json.loads(told.stdout)
    worlds = values["estimate"]["open"]["worlds"]
    assert "range.csv" in values["files"]
    rows = list(csv.DictReader((tmp_path / "estimate" / "range.csv").read_text().splitlines()))
    assert [float(row["loss"]) for row in rows] == [world["loss"] for world in worlds]
    study = tomllib.loads((tmp_path / "estimate" / "study.toml").read_text())
    assert [one["cost_power"] for one in study["scenario"]] == [world["power"] for world in worlds]
    words = (tmp_path / "estimate" / "summary.txt").read_text()
    assert words.startswith(
        "Found over a range of the cost power, 1.6:3, which these data do not tell: half of the bidders"
    )
    assert "Safe over the whole range: " in words
    kept = load(tmp_path / "estimate").open
    assert f"a bid b costs {kept.worlds[kept.kept].text}, one of the range 1.6:3 that you gave" in words
    assert any(f"for {kept.worlds[kept.kept].text} alone, one point of the range" in one for one in values["warnings"])
    both = run(
        "estimate", "past.csv", "--prizes", "0.6,0.4", "--scores", "--luck", "normal(0.01:0.02)", "--cost-power", "1:2"
    )
    assert (both.exit_code, both.stderr.count("\n")) == (2, 1)
    assert "tell neither luck nor the power of cost" in both.stderr
