"""What scripts and notebooks meet: short reprs, tables, names where objects would do, help with examples."""

import shlex
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner

import allpay
from allpay import Beta, Bidder, DesignSpace, FictitiousPlay, Game, Mechanism, Private, Setting, Study
from allpay.cli import app
from allpay.cli.examples import EXAMPLES
from allpay.errors import AllpayError
from allpay.frozen import LONGEST, brief
from allpay.objectives import objective
from allpay.pareto import pareto_in_theory
from allpay.pipeline import Result, optimum_of
from allpay.scenarios import scenarios_over
from allpay.simulation import Estimate
from allpay.surrogate import QUICK, fit_surrogate

COMMANDS = typer.main.get_command(app).commands


@pytest.fixture(scope="module")
def made():
    """One of every public type, large where it can be."""
    game = Game.from_weights("prizes", 0.8, bidders=3, bid_levels=21)
    outcome = allpay.learn(game, FictitiousPlay(iterations=40), rounds=3)
    space = DesignSpace("prizes")
    study = Study(space, FictitiousPlay(iterations=20), Setting(bid_levels=11), samples=6, rounds=2)
    sweep = allpay.study.run(study)
    surrogate = fit_surrogate(sweep.points, sweep.values(), 0, **QUICK)
    best = optimum_of(study, surrogate)
    result = Result(sweep, surrogate, best, 0.1, Estimate((0.5, 0.5)), outcome, 0.5, None, 1.0)
    scenarios = scenarios_over({"bidders": [3, 4]}, Setting(), space)
    many = Mechanism((0.5, *[0.5 / 99] * 99), (1.0,) * 100)
    values = allpay.Discrete(tuple(np.linspace(0.1, 1, 200).tolist()))
    return [
        *(game, outcome, space, study, sweep, surrogate, best, result, scenarios[0], many, values, Private(values)),
        *(Bidder(values, cost=2), Game(many, values, cost_power=2, bid_levels=11), Setting(values=values)),
        Game(
            Mechanism((0.6, 0.4, 0, 0), (1,) * 4),
            [(Bidder(Beta(2, k + 1), cost=2), 1) for k in range(4)],
            bid_levels=21,
        ),
        *(
            allpay.equilibrium(game),
            allpay.exact_design(space, Setting()),
            allpay.compare([0.5], scenarios, Setting(), space),
        ),
        *(
            allpay.judge([50, 30, 20], 5),
            allpay.comparative_statics({"bidders": [3, 4]}),
        ),
        pareto_in_theory(space, Setting(), (objective("revenue"), objective("highest-bid"))),
        *(allpay.learner(name) for name in allpay.LEARNERS),
        *(allpay.Tullock(1), allpay.Highest(), allpay.Cara(2), allpay.field("2:40"), allpay.LossAverse(2)),
        allpay.ScenarioStudy(study, scenarios),
    ]


def test_the_repr_of_every_public_type_is_short(made):
    for one in made:
        text = repr(one)
        assert text.startswith(type(one).__name__)
        assert len(text) <= 600, (type(one), len(text), text)
        assert "\n" not in text
    assert max(len(brief(one)) for one in made if hasattr(one, "_repr_html_")) <= LONGEST
    public = {kind for kind in vars(allpay.contest.values).values() if isinstance(kind, type)} & {
        type(one) for one in made
    }
    assert public


def test_notebooks_show_tables_and_polars_takes_numbers(made):
    framed = [one for one in made if hasattr(one, "to_frame")]
    assert {type(one).__name__ for one in framed} >= {
        "Outcome",
        "Sweep",
        "Result",
        "Equilibrium",
        "Optimum",
        "Judgement",
    }
    for one in framed:
        table = one.to_frame()
        assert isinstance(table, pl.DataFrame)
        assert table.height > 0
    for one in made:
        if hasattr(one, "_repr_html_"):
            html = one._repr_html_()
            assert html.count("<table>") == html.count("</table>") == 1
            assert len(html) < 10_000
    outcome = next(one for one in made if isinstance(one, allpay.Outcome))
    assert outcome.to_frame()["revenue"].to_list() == outcome.revenue[0].tolist()


def test_what_a_notebook_shows_is_escaped():
    class Named(Beta):
        def __repr__(self):
            return "<script>"

    assert "<script>" not in Setting(values=Private(Named(2, 3)))._repr_html_()


def test_learners_are_known_by_their_names():
    game = Game.from_weights("prizes", 0.8, bidders=3, bid_levels=11)
    named = allpay.learn(game, "level-k", rounds=1)
    assert named == allpay.learn(game, allpay.learner("level-k"), rounds=1)
    assert Study(learner="regret-matching") == Study(learner=allpay.learner("regret-matching"))
    assert Study(learner="ppo").learner.name == "ppo"
    with pytest.raises(AllpayError, match=r"unknown learner 'ficticious-play'.*did you mean 'fictitious-play'"):
        allpay.learn(game, "ficticious-play")
    with pytest.raises(AllpayError, match="unknown learner 'nobody'"):
        allpay.judge([2, 1], 3, method="learning", learner="nobody")


def test_a_distribution_is_that_of_private_values():
    mechanism = Mechanism((0.8, 0.2, 0), (1, 1, 1))
    assert Game(mechanism, Beta(2, 5)) == Game(mechanism, Private(Beta(2, 5)))
    assert Setting(values=Beta(2, 5)) == Setting(values=Private(Beta(2, 5)))
    assert Bidder(Beta(2, 3)) == Bidder(Private(Beta(2, 3)))
    assert Game.from_weights("prizes", 0.8, bidders=3, values=Beta(2, 5)).values == Private(Beta(2, 5))
    mixed = Game(mechanism, [(Beta(2, 5), 1), (Bidder(Beta(2, 3)), 2)])
    assert mixed == Game(mechanism, [(Bidder(Private(Beta(2, 5))), 1), (Bidder(Private(Beta(2, 3))), 2)])
    with pytest.raises(AllpayError, match=r"values must be Private"):
        Game(mechanism, Beta)


def test_dir_shows_what_is_public():
    shown = [name for name in dir(allpay) if not name.startswith("__")]
    assert set(shown) == set(allpay.__all__)
    assert all(hasattr(allpay, name) for name in shown)


def test_every_command_has_examples_that_parse(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert set(EXAMPLES) == set(COMMANDS)
    for name, lines in EXAMPLES.items():
        shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"}).stdout
        for line in lines:
            program, command, *words = shlex.split(line)
            assert (program, command) == ("allpay", name)
            COMMANDS[name].make_context(name, words)  # raises what is wrong with them
            assert line in shown


def test_the_package_is_a_program_and_shells_complete_it():
    for words, told in ((["--version"], "allpay "), (["--show-completion", "bash"], "_ALLPAY_COMPLETE")):
        done = subprocess.run([sys.executable, "-m", "allpay", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert told in done.stdout
