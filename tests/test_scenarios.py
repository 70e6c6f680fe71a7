"""Designs in several scenarios: values against equilibria, the best compromises against a search, and what is told."""

import json
import re
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from allpay import Game, equilibrium
from allpay.cli import app
from allpay.cli.scenarios import FILES, THEORY
from allpay.contest.amounts import Amounts
from allpay.contest.game import Setting
from allpay.contest.mechanism import Mechanism
from allpay.contest.values import Power, Private, Uniform
from allpay.errors import AllpayError
from allpay.exact import best_in_theory
from allpay.learners import FictitiousPlay
from allpay.rehearsal import rehearse
from allpay.report.scenarios import _figure, comparison_in_words, draw_comparison
from allpay.scenarios import compare
from allpay.study import DesignSpace, Study
from allpay.study.file import read_file, scenarios_of
from allpay.study.scenario import Scenario, ScenarioStudy
from allpay.surrogate import fit_surrogate

FIVE = DesignSpace(bidders=5)
POWERS = {"cost_power": [1.0, 2.0, 3.0]}


@pytest.fixture(scope="module")
def found():
    return compare([(0.4, 0.3, 0.2, 0.1), 1.0], POWERS, space=FIVE)


def test_values_are_those_of_equilibria(found):
    for weights, values in zip(found.designs, found.values, strict=True):
        for power, value in zip(POWERS["cost_power"], values, strict=True):
            game = Game.from_weights("prizes", weights.tolist(), 5, cost_power=power)
            assert value == pytest.approx(equilibrium(game).revenue, rel=1e-6)


def test_the_best_of_each_scenario_loses_nothing_there(found):
    own = found.losses[2:5]
    np.testing.assert_allclose(np.diag(own), 0, atol=1e-9)
    assert np.all(own[~np.eye(3, dtype=bool)] > 0)
    np.testing.assert_allclose(found.designs[3], [0.8, 0.2, 0, 0, 0], atol=1e-3)


def test_no_other_design_is_a_better_compromise(found):
    """A thousand designs around the two, and as many anywhere."""
    rng = np.random.default_rng(1)
    anywhere = FIVE.sample(300, 2)
    near = [d + t * (e - d) for d in found.designs[-2:] for e, t in zip(anywhere, rng.random(300) ** 3, strict=True)]
    others = compare([tuple(d) for d in (*anywhere, *near)], POWERS, space=FIVE).losses[:900]
    assert found.losses[-2].mean() <= others.mean(axis=1).min() + 1e-5
    assert found.losses[-1].max() <= others.max(axis=1).min() + 1e-3


def test_designs_are_told_as_they_were_given():
    line = ["compare", "7500,2500", "6000,3000,1000", "--bidders", "4,8"]
    said = CliRunner().invoke(app, line).stdout.split("the designs:")[1]
    assert "7,500, 2,500" in said
    assert "6,000, 3,000, 1,000" in said
    assert "10,000" in said  # the best, of the same purse
    said = CliRunner().invoke(app, ["compare", "7500,2500", "5000,3000", "--bidders", "4,8"]).stdout
    assert "(0.75, 0.25" in said  # of two purses, as parts


@pytest.mark.parametrize(
    ("space", "over", "limit"),
    [
        (DesignSpace(bidders=5), {"bidders": [4, 6]}, "at most 3 prizes"),
        (DesignSpace(bidders=5, ranks=2), {"cost_power": [1.0, 3.0]}, "at most 2 prizes"),
        (DesignSpace("payments", bidders=5), {"bidders": [3, 4]}, "ranks that pay"),
        (DesignSpace(bidders=5), {"cost_power": [1.0, 3.0]}, None),
    ],
)
def test_the_answer_says_of_which_designs_the_best_is(space, over, limit):
    found = compare([0.6, 0.7], over, space=space)
    words = comparison_in_words(found)
    first, row = (
        words.split(" brings.")[0],
        next(line for line in words.splitlines() if line.startswith("the best there")),
    )
    title = " ".join(_figure(found).get_suptitle().split())
    for told in (first, row, title):
        assert limit in told if limit else "at most" not in told.split("the best")[-1]
    assert "given" not in words
    assert "1  yours" in words
    assert "2  yours" in words


def test_designs_that_are_told_have_numbers_without_gaps():
    found = compare([0.8], {"cost_power": [1.0, 1.05, 2.0]}, space=DesignSpace(bidders=3))
    assert len(set(found.numbers)) < len(found.numbers)
    words = comparison_in_words(found)
    count = max(found.numbers)
    for part in (words.split("the designs:")[0], words.split("the designs:")[1]):
        assert [int(x) for x in re.findall(r"^(\d+)  ", part, re.MULTILINE)] == list(range(1, count + 1))
    labels = [label.get_text() for label in _figure(found).axes[0].get_yticklabels()]
    assert [int(label.split()[0]) for label in labels] == list(range(1, count + 1))
    told = _figure(found, Amounts((500.0,), "money", "$")).axes[0].get_yticklabels()[0].get_text()
    assert told.splitlines()[-1] == "$400, $100"
    assert f"Design {found.numbers[found.safest]}, " in words
    assert found.table["design"].unique().sort().to_list() == list(range(1, count + 1))


def test_fewer_bidders_leave_fewer_ranks():
    found = compare([0.7], {"bidders": [4, 6], "reserve": [0.0, 0.1]})
    assert found.designs.shape == (7, 4)
    assert found.ranks == 3
    assert len(found.scenarios) == 4
    assert np.all(found.losses >= 0)
    np.testing.assert_allclose(found.designs.sum(axis=1), 1)


def test_the_command(tmp_path):
    line = ["compare", "50%,30%,20%", "7500,5000,2500", "--bidders", "5", "--cost-power", "1,3"]
    done = CliRunner().invoke(app, [*line, "--out", str(tmp_path / "losses.csv"), "--json"])
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert [design["name"] for design in told["designs"][:2]] == ["given", "given"]
    assert told["designs"][1]["weights"][:3] == pytest.approx([1 / 2, 1 / 3, 1 / 6])
    assert told["designs"][told["safest"] - 1]["largest_loss"] == min(d["largest_loss"] for d in told["designs"])
    assert told["question"]["space"]["bidders"] == 5
    table = pl.read_csv(tmp_path / "losses.csv")
    assert table.height == 2 * len(told["designs"])
    words = CliRunner().invoke(app, line).stdout
    assert words.startswith("Design ")
    assert "Model uncertainty: which of the 2 scenarios is true is not known" in " ".join(words.split())


@pytest.mark.parametrize(
    ("designs", "over", "message"),
    [
        ([], {"bidders": [3]} | {"fee": [0.0]} | {"reserve": [0.1]}, "one or two parameters vary: got 3"),
        ([(0.4, 0.3, 0.2, 0.1)], {"bidders": [3, 4]}, "too many weights: got 4 for 3 bidders"),
        ([0.8], {"luck": [1.0, 2.0]}, "unknown parameter 'luck'"),
        ([0.8], {"cost_power": [1.0, 1e9]}, "cost"),
    ],
)
def test_what_cannot_be_compared_is_told(designs, over, message):
    with pytest.raises(AllpayError, match=message) as error:
        compare(designs, over, Setting(), DesignSpace(bidders=4))
    assert len(str(error.value)) <= 300


STUDY = """
[study]
bidders = 5
designs = ["4,3,2,1"]

[[scenario]]
name = "cheap"

[[scenario]]
name = "steep and many"
bidders = 8
cost_power = 3.0
weight = 3

[[scenario]]
cost_power = 2.0
distribution = "power(2)"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "worlds.toml"
    path.write_text(STUDY)
    return path


def test_scenarios_of_a_file_are_what_it_says(file):
    asked = read_file(file)
    assert [each.name for each in asked.scenarios] == ["cheap", "steep and many", "distribution power(2), cost power 2"]
    assert [each.bidders for each in asked.scenarios] == [5, 8, 5]
    assert [each.weight for each in asked.scenarios] == [1, 3, 1]
    cheap, steep, able = (each.setting for each in asked.scenarios)
    assert (cheap.cost_power, steep.cost_power, able.cost_power) == (1, 3, 2)
    assert cheap == asked.study.setting == replace(able, cost_power=1.0, values=cheap.values)
    assert able.values.distribution == Power(2)
    assert asked.study.space == DesignSpace(bidders=5, ranks=4)
    assert asked.given == ((0.4, 0.3, 0.2, 0.1, 0.0),)
    assert scenarios_of(json.loads(json.dumps(asked.specification()))) == asked


def test_a_file_with_scenarios_by_theory(file, tmp_path):
    """Values are those of equilibria, means those of the weights, and each design loses nothing where it is best."""
    line = ["run", str(file), "50%,50%", "--method", "theory", "--out", str(tmp_path / "answer")]
    done = CliRunner().invoke(app, [*line, "--json"])
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert [design["name"] for design in told["designs"][:3]] == ["given", "given", "best for cheap"]
    for design in told["designs"]:
        weights = design["weights"]
        cheap, steep, _ = design["values"]
        assert cheap == pytest.approx(equilibrium(Game.from_weights("prizes", weights, 5)).revenue, rel=1e-6)
        many = Game.from_weights("prizes", weights, 8, cost_power=3.0)
        assert steep == pytest.approx(equilibrium(many).revenue, rel=1e-6)
        assert design["mean_loss"] == pytest.approx(np.dot(design["losses"], [0.2, 0.6, 0.2]))
    own = np.array([design["losses"] for design in told["designs"][2:5]])
    np.testing.assert_allclose(np.diag(own), 0, atol=1e-9)
    assert told["method"] == "theory"
    table = pl.read_csv(tmp_path / "answer" / "losses.csv")
    assert table.height == 3 * len(told["designs"])
    assert table["chance"][:3].to_list() == pytest.approx([0.2, 0.6, 0.2])
    assert {path.name for path in (tmp_path / "answer").iterdir()} == {*FILES, THEORY}
    summary = (tmp_path / "answer" / "summary.txt").read_text()
    for words in (
        "Numerical uncertainty (samples, rounds, grid): none",
        "Model uncertainty: which of the 3",
        "by theory",
    ):
        assert words in summary


def test_a_heavier_scenario_weighs_more():
    worlds = [Scenario(f"p = {p}", Setting(cost_power=p), 5, weight=w) for p, w in ((1.0, 1.0), (3.0, 9.0))]
    even = [replace(each, weight=1.0) for each in worlds]
    found, others = compare([], worlds, space=FIVE), compare([], even, space=FIVE)
    assert found.losses[2, 1] < others.losses[2, 1]  # the best on average
    assert found.mean_losses[2] == found.mean_losses.min()
    np.testing.assert_allclose(found.designs[3], others.designs[3], atol=1e-4)  # in the worst case weights do not count


def test_groups_take_the_place_of_all_that_is_said_of_bidders(tmp_path):
    path = tmp_path / "groups.toml"
    path.write_text(
        "[study]\nbidders = 3\n[game]\ncost_power = 2.0\n[[scenario]]\n[[scenario]]\n"
        'groups = ["1: uniform(0,1)", "3: uniform(0,0.5), cost 2"]\nluck = "tullock(1)"\n'
        '[[scenario]]\nvalues = "common"\nattendance = "2:5"\n'
    )
    alike, unlike, some = read_file(path).scenarios
    assert (alike.bidders, unlike.bidders, some.bidders) == (3, 4, 5)
    assert alike.setting.cost_power == some.setting.cost_power == 2
    assert [count for _, count in unlike.setting.values] == [1, 3]
    assert unlike.name.startswith("luck tullock(1), groups 1: uniform(0,1)")
    assert len(unlike.name) <= 60


def write(tmp_path, text):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    return path


TWO = "[[scenario]]\n[[scenario]]\ncost_power = 2.0\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[scenario]]\n", "from 2 to 1,000 scenarios are compared: got 1"),
        ("[[scenario]]\n[[scenario]]\n", "two scenarios are called 'as it is'"),
        ('[[scenario]]\n[[scenario]]\nname = "again"\n', "'as it is' and 'again' are the same"),
        (f"{TWO}weight = 0\n", "weight of a scenario must be above 0 and finite: got 0"),
        (f"{TWO}weight = inf\n", "weight of a scenario must be above 0 and finite: got inf"),
        (f'{TWO}weight = "much"\n', r"weight of \[\[scenario\]\] 2 must be a number: got 'much'"),
        (f'{TWO}name = " "\n', "name is one line of text"),
        (f'{TWO}name = "{"x" * 61}"\n', "at most 60 characters: got 61"),
        (f"{TWO}cost_powr = 2.0\n", r"unknown key in .*\[\[scenario\]\] 2: 'cost_powr'.*did you mean 'cost_power'"),
        (f"{TWO}samples = 9\n", r"samples belongs in \[study\], not in \[\[scenario\]\] 2"),
        (f"{TWO}groups = 3\n", r"groups of \[\[scenario\]\] 2 must be a list: got 3"),
        (f"{TWO}groups = [3]\n", r"groups of \[\[scenario\]\] 2 must be a text in quotes: got 3"),
        ("[scenario]\ncost_power = 2.0\n", r"scenario is a table for each scenario: .* write \[\[scenario\]\]"),
        ("scenario = [1]\n", r"scenario is a table for each scenario: got scenario = 1; write \[\[scenario\]\]"),
        ("[study]\nweight = 2\n", r"weight belongs in \[\[scenario\]\], not in \[study\]"),
        (f"{TWO}bidders = 1\n", r"\[\[scenario\]\] 2: .*needs at least 2 bidders: got 1"),
        (f"{TWO}reserve = -1.0\n", r"\[\[scenario\]\] 2: the reserve must be at least 0"),
        (f"{TWO}reserve = 3.0\n", r"scenario 'cost power 2, reserve 3': the reserve must be"),
        (f'{TWO}groups = ["2: uniform(0,1)"]\n', r"\[\[scenario\]\] 2: cost-power is said for each group"),
        (
            "[game]\ncost_power = 2.0\n"
            + "".join(f'[[scenario]]\ngroups = ["{k}: uniform(0,1)", "2: common(1)"]\n' for k in (2, 3)),
            r"\[game\] says cost_power, but each \[\[scenario\]\] has groups",
        ),
        ('[study]\nstrategy = "active"\n' + TWO, "an active study chooses designs of its own"),
        ("[study]\nranks = 4\nbidders = 9\n" + TWO + "bidders = 3\n", "too many ranks|ranks"),
        ("[study]\ndesigns = [[0.4, 0.3, 0.2, 0.1]]\n" + TWO, "too many weights: got 4 for 3 bidders"),
    ],
)
def test_what_is_wrong_in_a_file_with_scenarios_is_told_in_one_line(text, message, tmp_path):
    with pytest.raises(AllpayError, match=message) as error:
        read_file(write(tmp_path, text))
    assert len(str(error.value)) <= 300


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("[study]\nseed = 1\n", ["0.6,0.4"], "has no scenarios in which designs are compared"),
        (TWO, ["--method", "theory", "--workers", "2"], "--workers 2 has no effect with --method theory"),
        (TWO, ["--method", "thoery"], "unknown method 'thoery'"),
        (TWO, ["--method", "theory", "--out", "."], "holds something else"),
        (TWO, ["0.6,0.6"], "weights must sum to 1"),
        (
            f'{TWO}luck = "tullock(1)"\n',
            ["--method", "theory"],
            "for cost power 2, luck tullock.1.: .*simulate the designs",
        ),
    ],
)
def test_what_cannot_be_run_is_told_in_one_line(text, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["run", str(write(tmp_path, text)), *options])
    assert done.exit_code == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert re.search(message, done.stderr), done.stderr


LEARNED = [
    *("compare", "0.6,0.4", "--cost-power", "1,3", "--bidders", "3", "--samples", "5", "--rounds", "2", "--json"),
    *("--iterations", "300", "--value-levels", "16", "--bid-levels", "41"),
]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A comparison by learning, kept in a folder, and what was told."""
    folder = tmp_path_factory.mktemp("learned") / "worlds"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "allpay.report.figures.draw_designs", lambda *_: []
        )  # of each scenario's own study: it takes longest
        done = CliRunner().invoke(app, [*LEARNED, "--out", str(folder)])
        assert done.exit_code == 0, done.stderr
        yield folder, json.loads(done.stdout)


def test_losses_that_were_learned_are_those_of_theory_within_their_errors(learned):
    _, told = learned
    assert told["method"] == "surrogate"
    theory = compare([d["weights"] for d in told["designs"]], {"cost_power": [1.0, 3.0]}, space=DesignSpace(bidders=3))
    for d, design in enumerate(told["designs"]):
        assert design["exact"] == pytest.approx(theory.values[d].tolist(), rel=1e-6)
        for loss, error, exact in zip(design["losses"], design["errors"], theory.losses[d], strict=True):
            assert 0 < error < 0.2
            assert abs(loss - exact) <= error
    given, one, three, average, worst = told["designs"]
    assert one["losses"][0] == three["losses"][1] == 0
    assert given["losses"][0] > 0.2
    assert worst["largest_loss"] <= min(design["largest_loss"] for design in (given, one, three, average)) + 0.02
    assert average["mean_loss"] <= min(design["mean_loss"] for design in (given, one, three, worst)) + 0.02


def test_scenarios_share_designs_and_seeds(learned):
    folder, _ = learned
    one, two = (pl.read_parquet(folder / f"scenario-{k}" / "rounds.parquet") for k in (1, 2))
    shared = ["design", "round", "w1", "w2", "seed"]
    assert one.select(shared).equals(two.select(shared))
    assert not one["revenue"].equals(two["revenue"])


def test_what_was_learned_is_kept(learned):
    """The answer is shown again; after a kill that has left half of it, the same is found from what is there."""
    folder, told = learned
    runner = CliRunner()
    again = runner.invoke(app, ["resume", str(folder), "--json"])
    shown = json.loads(again.stdout)
    assert set(shown.pop("files")) == set(told["files"])
    assert shown == {key: value for key, value in told.items() if key != "files"}
    assert "nothing is computed again" in again.stderr
    states = json.loads(runner.invoke(app, ["status", str(folder), "--json"]).stdout)
    assert [state["designs"] for state in states["studies"]] == [5, 5]
    assert states["finished"]
    rows = pl.read_csv(runner.invoke(app, ["export", str(folder)]).stdout.encode())
    assert rows.group_by("scenario").len().sort("scenario").rows() == [("scenario-1", 10), ("scenario-2", 10)]
    (folder / "result.json").unlink()
    shutil.rmtree(folder / "scenario-2")
    done = runner.invoke(app, ["resume", str(folder), "--json"])
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    for part in ("scenarios", "designs", "safest"):
        assert found[part] == told[part]
    summary = " ".join((folder / "summary.txt").read_text().split())
    for words in ("by simulation: fictitious-play, 5 designs × 2 rounds", "as ± (90%)", "Model uncertainty", "±"):
        assert words in summary


def test_the_figure_names_every_scenario_once(tmp_path):
    """One with few long names, and one with many."""
    name = "a world in which rather few turn up and all are able"
    long = [Scenario(name, Setting(cost_power=2), 4), Scenario(name[::-1], Setting(), 4)]
    for over in (long, {"cost_power": [1.0 + k / 10 for k in range(10)]}):
        found = compare([0.6], over, space=DesignSpace(bidders=3))
        (one,) = draw_comparison(found, tmp_path / "one.svg")
        drawn = " ".join(re.findall(r"<!--(.*?)-->", one.read_text(), re.DOTALL))
        for each in found.scenarios:
            assert each.name.split()[-1] in drawn


def test_a_number_beside_the_weights_is_chosen_in_scenarios():
    """Efforts grow as the purse P to the power 1/p, so that of a profit 2·R·P^(1/p) − P the best purse is (2R/p)^(p/(p−1)), if
    the best split brings R; the purses that are safe lie between."""
    space = DesignSpace(bidders=4, choose={"purse": (0.2, 5.0)})
    over = {"bidders": [4, 6], "cost_power": [2.0, 3.0]}
    found = compare([(0.7, 0.3, 0, 0, 1.5)], over, space=space, objective="profit(2)")
    purses = [found.chosen(d)["purse"] for d in range(7)]
    assert purses[0] == 1.5
    for d, world in enumerate(found.scenarios, start=1):
        p = world.setting.cost_power
        best = best_in_theory(DesignSpace(bidders=world.bidders, ranks=3), world.setting)
        assert purses[d] == pytest.approx((2 * best.value / p) ** (p / (p - 1)), rel=1e-3)
        assert found.losses[d, d - 1] == pytest.approx(0, abs=1e-9)
    assert min(purses[1:5]) < purses[5] < max(purses[1:5])
    assert min(purses[1:5]) < purses[6] < max(purses[1:5])
    rng = np.random.default_rng(3)
    near = [
        found.designs[d] + t * (e - found.designs[d])
        for d in (5, 6)
        for e in found.designs[1:5]
        for t in rng.random(9) ** 3
    ]
    others = compare([tuple(d) for d in near], over, space=space, objective="profit(2)").losses[: len(near)]
    assert found.losses[5].mean() <= others.mean(axis=1).min() + 1e-5
    assert found.losses[6].max() <= others.max(axis=1).min() + 1e-3
    assert found.table.filter(pl.col("name") == "given")["purse"].to_list() == [1.5] * 4
    assert found.to_json()["designs"][0]["chosen"] == {"purse": 1.5}
    assert "(0.7, 0.3, 0, 0), purse 1.5" in comparison_in_words(found)


@pytest.mark.parametrize(
    ("designs", "over", "message"),
    [
        ([0.8], {"bidders": [3, 4]}, "do not say the reserve, which is to be chosen: leave one out, or give 3 weights"),
        ([(1, 0, 0, 0.9)], {"bidders": [3, 4]}, "the reserve is chosen from 0 to 0.1: got 0.9"),
        ([], {"bidders": [3, 4], "reserve": [0.0, 0.1]}, "for 3 bidders, reserve 0.1: the reserve is given as 0.1"),
    ],
)
def test_what_does_not_say_the_number_to_be_chosen_is_refused(designs, over, message):
    space = DesignSpace(bidders=3, choose={"reserve": (0.0, 0.1)})
    with pytest.raises(AllpayError, match=message) as error:
        compare(designs, over, Setting(), space)
    assert len(str(error.value)) <= 300


def test_a_number_beside_the_weights_is_chosen_by_learning(monkeypatch):
    """All scenarios learn the same designs and purses, also with more bidders; what is kept is the same question; and theory's
    values are those of the equilibrium of each purse."""
    space = DesignSpace(bidders=3, choose={"purse": (0.5, 2.0)})
    setting = Setting(values=Private(Uniform(), 8), bid_levels=21, cost_power=2.0)
    study = Study(space, FictitiousPlay(iterations=80), setting, samples=6, rounds=1, objective="profit(2)")
    worlds = (Scenario("steep", setting, 3), Scenario("steeper", replace(setting, cost_power=3.0), 3))
    given = ((0.8, 0.2, 0.0, 1.1),)
    more = ScenarioStudy(study, (worlds[0], Scenario("many", setting, 5)), given)
    assert scenarios_of(json.loads(json.dumps(more.specification()))) == more
    three, five = more.studies().values()
    np.testing.assert_array_equal(np.delete(five.designs, [3, 4], axis=1), three.designs)
    assert np.all(five.designs[:, 3:5] == 0)
    monkeypatch.setattr("allpay.pipeline.fit_surrogate", partial(fit_surrogate, members=5, steps=50))  # in no time
    found = rehearse(ScenarioStudy(study, worlds, given)).comparison
    assert found.designs.shape == (5, 4)
    for d in range(5):
        purse = found.chosen(d)["purse"]
        assert 0.5 <= purse <= 2
        for w, world in enumerate(worlds):
            theory = equilibrium(world.setting.game(Mechanism(tuple(purse * found.weights[d]), (1.0,) * 3)))
            assert found.exact[d, w] == pytest.approx(2 * theory.revenue - purse, rel=1e-6)
            assert found.values[d, w] == pytest.approx(found.exact[d, w], abs=0.3)


DESIGN = ("design", "--bidders", "4,6", "--cost-power", "1,3", "--method", "theory", "--json")


def test_design_asks_what_compare_and_a_study_file_ask(tmp_path):
    """Several numbers of a parameter are scenarios, the same as those of the other two ways to give them."""
    runner, plot, table = CliRunner(), tmp_path / "losses.svg", tmp_path / "losses.csv"
    done = runner.invoke(app, [*DESIGN, "--plot", str(plot), "--out", str(table)])
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert plot.stat().st_size > 10_000
    assert pl.read_csv(table).height == 4 * len(told["designs"])
    found = compare([], {"bidders": [4, 6], "cost_power": [1.0, 3.0]}, space=DesignSpace(bidders=4))
    assert told["over"] == {"bidders": [4, 4, 6, 6], "cost_power": [1.0, 3.0, 1.0, 3.0]}
    file = tmp_path / "worlds.toml"
    worlds = [f"[[scenario]]\nbidders = {n}\ncost_power = {p}\n" for n in (4, 6) for p in (1.0, 3.0)]
    file.write_text("[study]\nbidders = 4\n" + "".join(worlds))
    compared = runner.invoke(app, ["compare", *DESIGN[1:5], "--json"])
    written = runner.invoke(app, ["run", str(file), "--method", "theory", "--json"])
    for other in (compared, written):
        for design, same in zip(json.loads(other.stdout)["designs"], told["designs"], strict=True):
            assert _without_names(design) == _without_names(same)
    assert [design["weights"] for design in told["designs"]] == found.designs.tolist()


def _without_names(design):
    """A design without what it is called after, for scenarios of a file have other names."""
    return {**design, "name": "", "told": {**design["told"], "what": ""}}


def test_design_in_scenarios_by_learning_is_kept_in_a_folder(learned, tmp_path, monkeypatch):
    """It is the same study as that of compare with no designs beside the best."""
    monkeypatch.setattr("allpay.report.figures.draw_designs", lambda *_: [])
    done = CliRunner().invoke(
        app, ["design", *LEARNED[2:], "--first-at-most", "90%", "--out", str(tmp_path / "worlds")]
    )
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["method"] == "surrogate"
    assert told["over"] == learned[1]["over"] == {"cost_power": [1.0, 3.0]}
    assert [design["name"] for design in told["designs"]] == [design["name"] for design in learned[1]["designs"][1:]]
    assert all(design["weights"][0] <= 0.9 + 1e-12 for design in told["designs"])
    for name in ("summary.txt", "losses.csv", "figure.png", "scenario-2/rounds.parquet"):
        assert (tmp_path / "worlds" / name).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--strategy", "active"], "an active study chooses designs of its own"),
        (["--method", "theory", "--within", "1%"], "--within has no effect on several scenarios"),
        (["--objective", "revenue", "--objective", "top-2"], "compared by one objective"),
        (["--money", "100"], "money has no effect on a comparison of scenarios"),
        (["--method", "theory", "--rounds", "3"], "--rounds has no effect with --method theory"),
        (["--out", "losses.txt"], "a table is written as .csv, .parquet, .json: got losses.txt"),
        (["--plot", "bids.xyz"], "choose an ending"),
        (["--group", "2: uniform(0,1)"], "2 bidders"),
        (["--reserve", "0,0.1", "--fee", "0,0.1"], "one or two parameters vary: got 3"),
        (["--prizes", "4"], "--prizes 4 needs --bidders 4 or more: got 3"),
    ],
)
def test_what_design_cannot_do_in_scenarios_is_told_in_one_line(options, message):
    done = CliRunner().invoke(app, ["design", "--bidders", "3,5", *options])
    assert done.exit_code == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert message in done.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("design --plot a.png", "--plot draws several scenarios, as --bidders 40,80,120"),
        ("design --bidders 3,x", "--bidders"),
        ("design --cost-power x", "--cost-power takes a number, several as 1,2,4, or a range as 1:3:0.25: got 'x'"),
        ("simulate --weights 1 --bidders 3,4", "allpay design --bidders 3,4"),
        ("compare 0.5 0.3 0.2 --bidders 3,4", "one split: write it as one word, 0.5,0.3,0.2"),
        ("compare 50% 30% 20% --bidders 3,4", "one split: write it as one word, 50%,30%,20%"),
        ("compare 7500 2500 --bidders 3,4", "one split: write it as one word, 7500,2500"),
        ("compare 3/5 2/5 --bidders 3,4", "one split: write it as one word, 3/5,2/5"),
    ],
)
def test_what_several_numbers_are_is_told_in_one_line(line, message):
    done = CliRunner().invoke(app, line.split())
    assert done.exit_code == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert message in done.stderr


def test_designs_of_one_number_each_are_compared():
    done = CliRunner().invoke(app, ["compare", "0.8", "0.6", "--cost-power", "1,2", "--json"])
    assert done.exit_code == 0, done.stderr
    assert [design["weights"][0] for design in json.loads(done.stdout)["designs"][:2]] == [0.8, 0.6]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"study": 3}, "holds no scenarios that can be read"),
        ({"each": [{"name": "one"}]}, "holds no scenarios that can be read"),
        ({"each": [1, 2, 3]}, "holds no scenarios that can be read"),
        ({"given": 3}, "holds no scenarios that can be read"),
        ({"given": [[0.6, 0.6]]}, "weights must sum to 1"),
    ],
)
def test_scenarios_of_a_folder_that_were_forged_are_refused(change, message, file):
    specification = read_file(file).specification()
    specification["scenarios"] |= change
    with pytest.raises(AllpayError, match=message):
        scenarios_of(specification)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "theory", "--rounds", "3"], "--rounds has no effect with --method theory"),
        (["--method", "learning"], "unknown method 'learning'"),
        (["--samples", "3"], "at least 5 designs"),
        (["--out", "losses.txt"], "a table is written as .csv, .parquet, .json: got losses.txt"),
        (["--group", "2: uniform(0,1)"], "--bidders has no effect beside --group"),
        (["--luck", "tullock(1)"], "theory has no objective for designs of contests with luck: simulate"),
        (["--plot", "bids.xyz"], "choose an ending"),
        (["--sampling", "grid", "--workers", "0"], "workers must be at least 1"),
    ],
)
def test_what_compare_cannot_do_is_told_in_one_line(options, message):
    done = CliRunner().invoke(app, ["compare", "--bidders", "3", "--cost-power", "1,2", *options])
    assert done.exit_code == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert message in done.stderr


def test_what_has_no_effect_on_a_comparison_is_refused():
    worlds = (Scenario("few", Setting(), 3), Scenario("many", Setting(), 5))
    with pytest.raises(AllpayError, match="round_to has no effect"):
        ScenarioStudy(Study(round_to=0.05), worlds)
