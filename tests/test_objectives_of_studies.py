"""One study, many objectives: what a folder keeps answers them all, to the same bits, and runs no code that is not trusted."""

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from allpay.cli import app
from allpay.cli.kept import tell_finished
from allpay.cli.running import run_studies
from allpay.contest.game import Setting
from allpay.contest.values import Private
from allpay.errors import AllpayError
from allpay.learners import EpsilonGreedy, FictitiousPlay, run_seeds
from allpay.objectives import objective
from allpay.study import DesignSpace, Study, Sweep, run
from allpay.study import sweep as sweeping
from allpay.study.file import StudyFile, study_of
from allpay.study.outcomes import outcomes_of, restored
from allpay.study.store import Held, read_folder
from allpay.study.study import TRAINING
from allpay.study.task import table_of

QUICK = FictitiousPlay(iterations=30, auctions=20)
SMALL = Study(learner=QUICK, setting=Setting(Private(levels=6), bid_levels=15), samples=6, rounds=2)
TEXTS = ("top-2", "ranked-bids(0,1,-1)", "threshold(0.2)", "threshold(0.2,any)", "entrants", "welfare", "ablest-wins",
         "profit(2,top-2)", "0.5*revenue + 2*entrants")  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "study"
    run(SMALL, folder, batch=2)
    return folder


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module with an objective of somebody's own, in the current folder."""
    (tmp_path / "goals_of_mine.py").write_text(
        "import pathlib\npathlib.Path('imported').touch()\n"
        "def spread(outcome):\n    return outcome.strategy.max(axis=(2, 3, 4)) + outcome.history[..., -1]\n"
        "def few(outcome):\n    return [1.0]\n"
        "def none(outcome):\n    return outcome.revenue * float('nan')\n"
        "def fails(outcome):\n    raise KeyError('what')\n"
        "number = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "goals_of_mine", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path / "imported"


@pytest.mark.parametrize("learner", [QUICK, EpsilonGreedy(iterations=200, exploration=50, tail=20)])
def test_an_outcome_is_restored_as_it_was_learned(learner):
    study = replace(SMALL, learner=learner)
    seeds, games = run_seeds(0, 3, 2, TRAINING), [study.game(w) for w in (0.6, 0.8, 1.0)]
    outcome = learner.learn(games, seeds)
    rows = table_of(outcome, study.names, np.array([g.mechanism.prizes for g in games]), seeds, 4)
    assert restored(study, games, rows, outcomes_of(outcome, 4)) == outcome
    assert restored(study, games, rows, outcomes_of(outcome, 5)) is None
    assert (
        restored(replace(study, setting=replace(study.setting, bid_levels=8)), games, rows, outcomes_of(outcome, 4))
        is None
    )
    assert outcomes_of(outcome, of=10**9) is None


@pytest.mark.parametrize("text", TEXTS)
def test_a_folder_answers_another_objective_to_the_same_bits_and_learns_nothing(text, kept, monkeypatch):
    asked = replace(SMALL, objective=text)
    at_once = run(asked)
    monkeypatch.setattr(sweeping, "learn_batch", None)
    later = run(asked, kept)
    assert later.table.equals(at_once.table)
    assert later.table.columns[-1] == later.study.goal.column == asked.goal.text
    assert np.array_equal(later.values(), at_once.values())
    assert later.values().std() > 0 or text == "entrants"


def test_several_objectives_are_columns_of_one_sweep(kept):
    found = run(SMALL, kept, also=("top-2", "highest-bid", "welfare"))
    assert found.table.columns[-2:] == ["top-2", "welfare"]
    assert np.array_equal(found.values("welfare"), run(replace(SMALL, objective="welfare"), kept).values())


def test_folders_of_studies_that_differ_in_the_objective_alone_hold_the_same_files(kept, tmp_path):
    run(replace(SMALL, objective="top-2"), tmp_path / "other", batch=2)
    for part in ("batches", "bids", "outcomes"):
        for path in sorted((kept / part).iterdir()):
            assert path.read_bytes() == (tmp_path / "other" / part / path.name).read_bytes()
    one, other = (Held(replace(SMALL, objective=text).specification(), 2, {}) for text in ("revenue", "top-2"))
    assert one.identity == other.identity
    actives = (
        Held(replace(SMALL, strategy="active", objective=t).specification(), 2, {}) for t in ("revenue", "top-2")
    )
    assert len({held.identity for held in actives}) == 2
    with pytest.raises(AllpayError, match=r"holds another study \(rounds: it has 2, this one 3\)"):
        run(replace(SMALL, rounds=3, objective="top-2"), kept)


def test_a_folder_of_an_older_allpay_is_gone_on_with(kept, tmp_path):
    """It has the objective in its identity, and no outcomes: its columns answer, and nothing else."""
    old = tmp_path / "old"
    shutil.copytree(kept, old)
    held = read_folder(old)
    for name in ("study.json", ".study.json"):
        text = json.loads((old / name).read_text())
        (old / name).write_text(json.dumps({**text, "identity": held.identities[1]}))
    for path in (old / "batches").iterdir():
        path.unlink()
    older = Held(held.specification, held.designs_per_batch, held.versions)
    object.__setattr__(older, "identity", held.identities[1])
    store = sweeping.Store(old, older)
    for number, table in enumerate(run(SMALL).table.iter_slices(4)):
        store.write_batch(number, table, {"allpay": "0"})
    assert run(replace(SMALL, objective="highest-bid"), old).table.equals(run(SMALL).table)
    with pytest.raises(AllpayError, match=r"strategies of batch 0 .* are not kept in .*, so that top-2 is not known"):
        run(replace(SMALL, objective="top-2"), old)


def test_damaged_outcomes_are_noticed_and_made_again(kept, tmp_path, monkeypatch):
    asked, folder = replace(SMALL, objective="top-2"), tmp_path / "study"
    shutil.copytree(kept, folder)
    path = folder / "outcomes" / "batch-00001.parquet"
    whole = path.read_bytes()
    for harm in (lambda: path.write_bytes(whole[:-50]), path.unlink, lambda: path.write_bytes(whole + b" ")):
        harm()
        again = run(asked, folder)
        assert again.damaged == (1,)
        assert again.table.equals(run(asked).table)
        assert path.read_bytes() == whole


def test_strategies_that_are_too_much_are_not_kept_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("allpay.study.outcomes.MOST_BYTES", 5_000)
    assert len(run(SMALL, tmp_path / "revenue").table) == 12
    assert not (tmp_path / "revenue" / "outcomes").exists()
    with pytest.raises(AllpayError, match="top-2 needs the strategies of all runs, which are too many"):
        run(replace(SMALL, objective="top-2"), tmp_path / "top")
    assert (
        run(replace(SMALL, objective="top-2")).table.columns[-1] == "top-2"
    )  # computed at once, where nothing is kept


ACTIVE = replace(SMALL, samples=12, strategy="active")


def following(sweep: Sweep, count: int):
    """Designs chosen by what the best so far brought."""
    best = float(sweep.values().mean(axis=1).max())
    return np.array([[1 - (best * (k + 1)) % 0.5, (best * (k + 1)) % 0.5, 0] for k in range(count)])


def test_an_active_study_answers_for_another_objective_from_the_designs_of_its_own(tmp_path, caplog):
    folder = tmp_path / "study"
    first = run(ACTIVE, folder, choose=following, batch=2)
    other = replace(ACTIVE, objective="top-2")
    assert not np.array_equal(run(other, choose=following).weights, first.weights)
    for number in (None, 5):  # whole, and with a batch to be chosen again
        if number is not None:
            (folder / "batches" / f"batch-{number:05d}.parquet").unlink()
        found = run(other, folder, choose=following)
        assert np.array_equal(found.weights, first.weights)
        assert found.searched == "revenue"
        assert np.array_equal(found.table["revenue"], first.table["revenue"])
    assert "are searched for revenue: what is best for top-2 may lie where none of them is" in caplog.text
    assert run(ACTIVE, folder, choose=following).searched == ""


# Functions of somebody else's -----------------------------------------------------------------------------------------


def test_an_own_function_is_asked_of_the_same_outcome_now_and_later(own, kept):
    asked = replace(SMALL, objective="goals_of_mine:spread")
    assert own.exists()
    at_once = run(asked)
    assert run(asked, kept).table.equals(at_once.table)
    mixed = replace(SMALL, objective="2*goals_of_mine:spread - revenue")
    assert np.array_equal(run(mixed).values(), 2 * at_once.values() - at_once.values("revenue"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("few", r"must give a number for each round, in the shape \(1, 2\)"),
        ("none", "must give finite numbers: got nan"),
        ("fails", "the objective goals_of_mine:fails fails: KeyError: 'what'"),
    ],
)
def test_an_own_function_that_gives_no_numbers_is_refused(name, message, own):
    with pytest.raises(AllpayError, match=message):
        run(replace(SMALL, objective=f"goals_of_mine:{name}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("goals_of_mine:sprad", "unknown function in goals_of_mine: 'sprad'.* did you mean 'spread'"),
        ("goals_of_mine:number", "must be a function of an Outcome: got 3"),
        ("no_such_module:f", "there is no module 'no_such_module'"),
    ],
)
def test_an_own_function_that_is_not_there_is_refused_at_once(text, message, own):
    with pytest.raises(AllpayError, match=message):
        replace(SMALL, objective=text)


@pytest.mark.parametrize(
    "text", ["goals_of_mine:spread", "revenue + 0.5*goals_of_mine:spread", "profit(1,goals_of_mine:spread)"]
)
def test_code_that_a_file_or_a_folder_names_is_not_imported_without_trust(text, own, tmp_path):
    text = text.format("goals_of_mine:spread")
    held = {**SMALL.specification(), "objective": text}
    with pytest.raises(AllpayError, match=r"calls 'goals_of_mine:spread', which is not allpay's own: .*--trust"):
        study_of(held, trust=False)
    with pytest.raises(AllpayError, match=r"study.objective calls 'goals_of_mine:spread', .*--trust"):
        StudyFile.model_validate({"study": {"objective": text}}).build(trust=False)
    active = {**ACTIVE.specification(), "objective": text}
    for name, specification in (("study", held), ("active", active)):
        (tmp_path / name).mkdir()
        for file in ("study.json", ".study.json"):
            (tmp_path / name / file).write_text(Held(specification, 2, {}).text())
    for command in (["resume"], ["design"], ["design", "--objective", "top-2"]):
        done = CliRunner().invoke(app, [command[0], str(tmp_path / "study"), *command[1:]])
        assert done.exit_code == 2
        assert "give --trust" in done.stderr
    assert CliRunner().invoke(app, ["status", str(tmp_path / "study")]).exit_code == 0
    with pytest.raises(AllpayError, match=r"searched for .*, which is not allpay's own"):
        run(ACTIVE, tmp_path / "active", choose=following)
    assert not own.exists()
    assert study_of(held).goal == objective(text)
    assert own.exists()


# The command line -----------------------------------------------------------------------------------------------------


def test_the_command_asks_a_finished_study_again(kept, tmp_path, monkeypatch):
    folder, other = tmp_path / "study", tmp_path / "other"
    shutil.copytree(kept, folder)
    held = replace(SMALL, objective="top-2")
    run_studies({"": held}, other, None, None, as_json=True)
    monkeypatch.setattr(sweeping, "learn_batch", None)
    later = CliRunner().invoke(app, ["design", str(folder), "--objective", "Top-2", "--json"])
    one, two = json.loads((other / "result.json").read_text())["results"][0], json.loads(later.stdout)
    assert two["objective"] == "top-2"
    assert "what the folder shows is now for top-2; allpay design" in later.stderr
    for key in two.keys() - {"seconds", "files"}:
        assert one[key] == two[key], key
    for name in ("rounds.csv", "bids.csv", "designs.csv", "figure.png"):
        assert (folder / name).read_bytes() == (other / name).read_bytes()
    assert "stored answer" in CliRunner().invoke(app, ["design", str(folder), "--objective", "top-2"]).stderr
    assert not tell_finished(folder, SMALL.specification(), as_json=False)  # which asks for revenue


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["DIR", "--rounds", "3"], "--rounds has no effect on the study that"),
        (["DIR", "--method", "theory"], "--method has no effect on the study that"),
        (["DIR", "--objective", "top-9"], "top-9 needs at least 9 bidders: got 3"),
        (["--trust"], "--trust has no effect without a study's folder"),
        (["--objective", "revnue"], "did you mean 'revenue'?"),
        (["--objective", "revenue", "--objective", "revenue"], "the objective revenue is given twice"),
        (["--method", "theory", "--objective", "entrants"], "theory has no gradient of entrants here"),
    ],
)
def test_what_has_no_effect_or_no_meaning_is_refused_in_one_line(options, message, kept):
    done = CliRunner().invoke(app, ["design", *(str(kept) if word == "DIR" else word for word in options)])
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_bounds_of_an_interval_are_those_of_the_objective():
    game = SMALL.game(0.8)
    for text, least, most in (
        *(("revenue", 0, 3 * game.top_bid), ("top-2", 0, game.top_bid), ("entrants", 0, 3), ("ablest-wins", 0, 1)),
        *(
            ("threshold(0.2)", 0, 3),
            ("threshold(0.2,any)", 0, 1),
            ("ranked-bids(1,-2)", -2 * game.top_bid, game.top_bid),
        ),
        *(("welfare", -3 * game.top_bid, game.highest_value), ("profit(2)", -1, 6 * game.top_bid)),
        ("revenue - entrants", -3, 3 * game.top_bid),
    ):
        goal = objective(text)
        assert goal.least(game) == pytest.approx(least), text
        assert goal.most(game) == pytest.approx(most), text
    assert DesignSpace("prizes").bidders == 3
