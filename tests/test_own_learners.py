"""Learners of others: found by name, refused in one line, kept in study folders, sent to workers."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from typer.testing import CliRunner

from allpay.cli import app
from allpay.contest.game import Game, Setting
from allpay.contest.payoffs import evaluate, exploitability
from allpay.contest.values import Private
from allpay.errors import AllpayError
from allpay.learners import FictitiousPlay, learn, learner, name_of, outcome_of, random_strategy, run_seeds
from allpay.learners.base import CHECKPOINTS
from allpay.outcome import Verdict, distance_of
from allpay.study import Study, run
from allpay.study.file import read_study, study_of
from allpay.study.store import read_folder
from allpay.study.sweep import learn_one

MODULE = '''
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from allpay import AllpayError, Private, Setting
from allpay.learners import outcome_of, random_strategy

@dataclass(frozen=True)
class Still:
    """Bidders who keep to what they begin with."""
    layers: tuple = (1, 2)
    name: ClassVar[str] = "still"
    setting: ClassVar[Setting] = Setting(Private(levels=3), bid_levels=4)
    continuous: ClassVar[bool] = False
    def learn(self, games, seeds):
        return outcome_of(self, games, seeds, lambda game, seed: [random_strategy(game, seed)[None]], auctions=50)

class Plain:
    def learn(self, games, seeds): ...

@dataclass(frozen=True)
class Nameless(Still):
    name: ClassVar[None] = None

@dataclass(frozen=True)
class Unset(Still):
    setting: ClassVar[str] = "private"

@dataclass(frozen=True)
class Undecided(Still):
    continuous: ClassVar[int] = 1

@dataclass(frozen=True)
class Deaf(Still):
    learn: ClassVar[None] = None

@dataclass(frozen=True)
class Picky(Still):
    size: int = 0
    def __post_init__(self):
        if self.size == 1:
            raise AllpayError("size must not be 1: got 1")
        if self.size > 1:
            raise ValueError("too\\nbig")

@dataclass(frozen=True)
class Silent(Still):
    def learn(self, games, seeds): ...

class Home:
    @dataclass(frozen=True)
    class Inner(Still): ...

still = Still()
number = 3
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with a module of learners, in which we are."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "learners.py").write_text(MODULE)
    (tmp_path / "mine" / "nothing.py").write_text("x = 1\n")
    (tmp_path / "mine" / "lacks.py").write_text("import a_library_that_is_not_there\n")
    (tmp_path / "mine" / "fails.py").write_text("raise RuntimeError('first\\nsecond')\n")
    (tmp_path / "mine" / "wrong.py").write_text("def f(:\n")
    (tmp_path / "mine" / "script.py").write_text("import sys; sys.exit('usage')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.split(".")[0] == "mine":
            del sys.modules[name]


def test_a_class_is_found_in_the_current_folder(mine):
    made = learner("mine.learners:Still", layers=[3, 4])
    assert (type(made).__name__, made.layers) == ("Still", (3, 4))
    assert learner("mine.learners:Still") == learner("mine.learners:Still", layers=None)
    assert name_of(made) == "mine.learners:Still"
    assert name_of(learner("mine.learners:Home.Inner")) == "mine.learners:Home.Inner"
    assert name_of(FictitiousPlay()) == "fictitious-play"
    assert learn(made.setting.game(Game.from_weights("prizes", 0.8).mechanism), made, rounds=2).learner == "still"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mine.learners:", {}, r"named by module and class: got 'mine\.learners:'; give package\.module:Class"),
        (":Still", {}, "named by module and class"),
        ("mine.learnres:Still", {}, r"there is no module 'mine\.learnres': neither in .* nor on the Python path"),
        ("hers.learners:Still", {}, r"there is no module 'hers\.learners'"),
        ("mine.lacks:Still", {}, r"mine\.lacks cannot be imported: ModuleNotFoundError: .*a_library_that_is_not_there"),
        ("mine.fails:Still", {}, r"mine\.fails cannot be imported: RuntimeError: first second$"),
        ("mine.wrong:Still", {}, r"mine\.wrong cannot be imported: SyntaxError"),
        ("mine.script:Still", {}, r"mine\.script cannot be imported: SystemExit: usage"),
        ("mine.learners:Stil", {}, r"unknown learner in mine\.learners: 'Stil': .*did you mean 'Still'\?"),
        ("mine.nothing:Still", {}, r"mine\.nothing has no 'Still', nor any other class with a method learn"),
        ("mine.learners:still", {}, r"mine\.learners:still must be a class: got Still\(layers=\(1, 2\)\)"),
        ("mine.learners:number", {}, "must be a class: got 3"),
        ("mine.learners:Plain", {}, r"must be a dataclass.*put @dataclass\(frozen=True\) above it"),
        ("mine.learners:Nameless", {}, r"Nameless\.name must be a text, as name: .*: got None"),
        ("mine.learners:Unset", {}, r"Unset\.setting must be who bids for what.*: got 'private'"),
        ("mine.learners:Undecided", {}, r"Undecided\.continuous must be whether .*: got 1"),
        ("mine.learners:Deaf", {}, r"a learner is needed: got Deaf"),
        ("mine.learners:Still", {"rate": 2}, r"mine\.learners:Still has no option 'rate': it has layers"),
        ("mine.learners:Still", {"layers": {"a": 1}}, "layers of mine.* must be a number, a text or a list of them"),
        ("mine.learners:Still", {"layers": [[1]]}, "layers of mine.* must be a number, a text or a list of them"),
        ("mine.learners:Picky", {"size": 1}, r"^size must not be 1: got 1$"),
        ("mine.learners:Picky", {"size": 2}, r"mine\.learners:Picky cannot be made .*: ValueError: too big$"),
        ("fictitious-play", {"iterations": "many"}, "iterations of fictitious-play must be a whole number: got 'many'"),
    ],
)
def test_what_is_no_learner_is_told_in_one_line(mine, name, options, message):
    with pytest.raises(AllpayError, match=message) as error:
        learner(name, **options)
    assert "\n" not in str(error.value)


def test_the_command_line_says_it_in_one_line_too(mine):
    done = CliRunner().invoke(app, ["simulate", "--weights", "0.8", "--learner", "mine.learners:Stil"])
    assert done.exit_code == 2
    assert done.stderr.startswith("allpay: unknown learner in mine.learners: 'Stil': choose from Still")
    assert done.stderr.count("\n") == 1


def test_an_outcome_that_is_none_is_said(mine):
    silent = learner("mine.learners:Silent")
    game = silent.setting.game(Game.from_weights("prizes", 0.8).mechanism)
    with pytest.raises(AllpayError, match=r"^still must return an Outcome: got None; `outcome_of` makes one$"):
        learn(game, silent)
    done = CliRunner().invoke(app, ["design", "--learner", "mine.learners:Silent", "--samples", "5"])
    assert done.exit_code == 2
    assert "still must return an Outcome" in done.stderr


def test_a_study_file_names_it_and_a_folder_gives_it_back(mine):
    (mine / "mine.toml").write_text('[learner]\nname = "mine.learners:Still"\nlayers = [5, 6]\n')
    study = read_study(mine / "mine.toml")
    assert study.learner == learner("mine.learners:Still", layers=(5, 6))
    assert study.setting.bid_levels == 4
    held = json.loads(json.dumps(study.specification()))
    assert held["learner"] == {"type": "mine.learners:Still", "layers": [5, 6]}
    assert study_of(held) == study
    assert study_of(held).specification() == study.specification()


@dataclass(frozen=True)
class Ladder:
    """Bidders whose strategies come nearer and nearer to an end, step by step; made to be counted."""

    steps: int = 50
    tolerance: float | None = None
    kinds: int = 1

    name: ClassVar[str] = "ladder"
    setting: ClassVar[Setting] = Setting(Private(levels=4), bid_levels=6)
    continuous: ClassVar[bool] = True

    def learn(self, games, seeds):
        return outcome_of(self, games, seeds, self.run, auctions=100)

    def run(self, game, seed):
        start = random_strategy(game, seed)[None].repeat(self.kinds, axis=0)
        end = FictitiousPlay(iterations=300, auctions=1).learn([game], np.array([[seed]])).strategy[0, 0]
        strategy = np.empty_like(start)
        for t in range(self.steps):
            strategy[:] = start + (end - start) * t / max(self.steps - 1, 1)  # one array: what is kept must be a copy
            yield strategy


GAME = Game.from_weights("prizes", 0.8, values=Private(levels=4), bid_levels=6)


@pytest.mark.parametrize("kinds", [1, 3])
def test_an_outcome_is_made_of_strategies(kinds):
    ladder, seeds = Ladder(kinds=kinds), run_seeds(0, 1, 2)
    found = ladder.learn([GAME], seeds)
    assert found.strategy.shape == (1, 2, kinds, 4, 6)
    for r in range(2):
        along = [np.array(strategy) for strategy in ladder.run(GAME, seeds[0, r])]
        np.testing.assert_array_equal(found.strategy[0, r], along[-1])
        exact = evaluate(GAME, along[-1])
        assert found.revenue[0, r] == exact.revenue
        assert found.payoff[0, r] == exact.payoff.mean()
        gains = np.array([exploitability(GAME, strategy).mean() for strategy in along])
        np.testing.assert_array_equal(found.history[0, r], gains[50 * np.arange(1, CHECKPOINTS + 1) // CHECKPOINTS - 1])
    assert found.iterations.tolist() == [[50, 50]]
    assert found.auctions == 200
    assert found.realised_revenue[0, 0] != found.realised_revenue[0, 1]


def test_a_short_run_has_a_short_history():
    history = Ladder(steps=3).learn([GAME], run_seeds(0, 1, 1)).history[0, 0]
    assert history.shape == (CHECKPOINTS,)
    assert np.isfinite(history).tolist() == [True] * 3 + [False] * (CHECKPOINTS - 3)


def test_a_tolerance_ends_a_run_at_the_first_iteration_within_it():
    whole = learn(GAME, Ladder(), rounds=3)
    early = learn(GAME, Ladder(tolerance=0.03), rounds=3)
    assert early.tolerance == 0.03
    assert np.all(early.distance <= 0.03)
    assert set(early.verdicts.ravel()) == {Verdict.CONVERGED.value}
    assert np.all((early.iterations > 1) & (early.iterations < whole.iterations))
    for r in range(3):
        along = Ladder().run(GAME, run_seeds(0, 1, 3)[0, r])
        far = np.array([distance_of(GAME, evaluate(GAME, strategy)) for strategy in along])
        assert early.iterations[0, r] == 1 + np.argmax(far <= 0.03)


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (lambda game, seed: [], "a run of ladder gave no strategy: yield or return one at least"),
        (lambda game, seed: [np.full((4, 6), 1 / 6)], r"a strategy must have the shape \(1 or 3, 4, 6\): got \(4, 6\)"),
        (lambda game, seed: [np.full((1, 4, 6), 1 / 5)], "a strategy must sum to 1"),
        (
            lambda game, seed: [np.full((1 + 2 * int(seed % 2), 4, 6), 1 / 6)],
            "ladder: strategies must be one for all bidders, or one for each, in every run",
        ),
    ],
)
def test_runs_that_give_no_strategy_are_told(runs, message):
    with pytest.raises(AllpayError, match=message):
        outcome_of(Ladder(), [GAME], np.array([[1, 2]], np.uint64), runs)


def test_a_learner_of_a_program_of_its_own_is_sent_back_there():
    specification = Study(learner=Ladder(), samples=5).specification()
    assert specification["learner"]["type"] == f"{__name__}:Ladder"
    assert study_of(specification).learner == Ladder()
    for where in ("__main__:Ladder", "module:f.<locals>.Ladder"):
        specification["learner"]["type"] = where
        with pytest.raises(AllpayError, match="run it again from its own program"):
            study_of(specification)


def test_a_study_stops_and_goes_on_with_it_in_spawned_workers(mine, monkeypatch):
    """The folder is enough to go on, with two workers, to the same bits; elsewhere the module is not found."""
    study = Study(learner=learner("mine.learners:Still", layers=[7]), samples=12, rounds=2)
    whole = run(study, mine / "own").table
    for batch in (0, 1):
        (mine / "own" / "batches" / f"batch-0000{batch}.parquet").unlink()
    held = study_of(read_folder(mine / "own").specification)
    assert run(held, mine / "own", workers=2).table.equals(whole)
    monkeypatch.chdir(mine / "mine")
    for name in [name for name in sys.modules if name.split(".")[0] == "mine"]:
        del sys.modules[name]
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(mine)])
    elsewhere = CliRunner().invoke(app, ["resume", str(mine / "own"), "--trust"])
    assert elsewhere.exit_code == 2
    assert "there is no module 'mine.learners'" in elsewhere.stderr
    assert elsewhere.stderr.count("\n") == 1


def test_reproduce_takes_it_beside_others(mine, monkeypatch):
    folders = []

    def design(study, folder, *_, **__):
        folders.append((study.learner.name, folder))
        if len(folders) == 4:
            raise AllpayError("that is all")
        folder.mkdir(parents=True)
        return SimpleNamespace(surrogate=SimpleNamespace(save=lambda file: file.write(b"")))

    monkeypatch.setattr("allpay.pipeline.design", design)
    arguments = ["--learners", "logit-play,mine.learners:Still", "--out", "run"]
    assert "allpay: that is all" in CliRunner().invoke(app, ["reproduce", *arguments]).stderr
    assert folders == [
        (name, Path("run", rule, folder))
        for rule in ("prizes", "payments")
        for name, folder in (("logit-play", "logit-play"), ("still", "mine.learners.Still"))
    ]


def test_two_learners_of_one_name_are_not_put_side_by_side(mine):
    done = CliRunner().invoke(
        app, ["reproduce", "--learners", "mine.learners:Still,mine.learners:Picky", "--out", "run"]
    )
    assert done.exit_code == 2
    assert "learners side by side must have names of their own: got mine.learners:Still,mine" in done.stderr
    assert not (mine / "run").exists()


@dataclass(frozen=True)
class Odd:
    """A learner whose run ends in its own way."""

    way: str

    name: ClassVar[str] = "odd"
    setting: ClassVar[Setting] = Setting(Private(levels=3), bid_levels=4)
    continuous: ClassVar[bool] = False

    def learn(self, games, seeds):
        return outcome_of(self, games, seeds, self.run)

    def run(self, game, seed):
        if self.way == "exit":
            sys.exit(0)
        return {"none": None, "text": ["hello"], "ragged": [[[1, 2], [3]]]}[self.way]


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("none", "a run of odd must yield strategies or return a list of them: got None"),
        ("text", "a strategy must be an array of numbers: got a str"),
        ("ragged", "a strategy must be an array of numbers: got a list"),
        ("exit", "odd tried to end the program: a learner returns an outcome or raises an error"),
    ],
)
def test_a_run_that_gives_no_strategies_is_refused(way, message):
    with pytest.raises(AllpayError, match=message):
        learn_one(Study(learner=Odd(way), rounds=1, given=(0.8,)))
    with pytest.raises(AllpayError, match=rf"batch 0 .* failed: {message}"):
        run(Study(learner=Odd(way), samples=5, rounds=1))
