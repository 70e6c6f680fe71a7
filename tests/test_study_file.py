"""Study files and study folders as their users meet them: init, run, status, resume, export."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from allpay.cli import app
from allpay.cli.kept import tell_finished
from allpay.contest.game import Setting
from allpay.contest.values import Beta, Common, Private, integers
from allpay.errors import AllpayError
from allpay.learners import EpsilonGreedy, FictitiousPlay
from allpay.optimum import Optimum
from allpay.pipeline import design
from allpay.study import DesignSpace, Study, run
from allpay.study.file import TEMPLATE, read_study, study_of
from allpay.study.store import open_store, read_folder
from allpay.surrogate import Surrogate
from allpay.versions import versions

SMALL = Study(learner=FictitiousPlay(iterations=50, auctions=100), samples=12, rounds=2)


def allpay(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_the_template_is_the_default_study(tmp_path):
    path = tmp_path / "study.toml"
    assert allpay("init", path).exit_code == 0
    assert read_study(path) == Study()
    again = allpay("init", path)
    assert again.exit_code == 2
    assert "exists: choose another name" in again.stderr


def test_what_the_template_comments_out_is_the_default_too(tmp_path):
    path = tmp_path / "study.toml"
    told = TEMPLATE.replace("# ranks", "ranks").replace("# iterations", "iterations")
    study = ("region", "sampling", "strategy")
    for key in (*study, "distribution", "value_levels", "bid_levels", "overbidding", "cost_power", "risk_aversion"):
        told = told.replace(f"# {key}", key)
    path.write_text(told)
    assert read_study(path) == Study()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[study]\nrounds = -1", "rounds must be at least 1: got -1"),
        ("[study]\nsamplse = 9", "unknown key in .*: 'samplse'.*did you mean 'samples'"),
        ("[study]\nprizes = 3", "unknown key in .*: .prizes.*; ranks is what --prizes is here"),
        ("[studdy]\nsamples = 9", "unknown key in .*: 'studdy'.*did you mean 'study'"),
        ("[study]\nsamples = 'many'", "study.samples must be a whole number: got 'many'"),
        ("[study]\nrounds = true", "study.rounds must be a whole number: got True"),
        ("[study]\ndesigns = [true]", r"study.designs.0 must be a number: got True"),
        ("[game]\novererbidding = 'no'", "did you mean 'overbidding'"),
        ("[game]\noverbidding = 'no'", "game.overbidding must be true or false: got 'no'"),
        ("[game]\nmax_bid = inf", "max bid must be above 0 and finite: got inf"),
        ("[[bidders]]\nvalues = 'common'", r"\[\[bidders\]\] 1 has no count: add count = 2, how many"),
        (
            "[[bidders]]\ncount = 2\n[[bidders]]\ncount = 1\ncots_power = 2",
            r"unknown key in .*, \[\[bidders\]\] 2: 'cots_power': .*did you mean 'cost_power'\?$",
        ),
        (
            "[[bidders]]\ncount = 2\ncost = 2",
            r", \[\[bidders\]\] 1: 'cost': choose from count, values, .*did you mean 'cost_power'\?$",
        ),
        ("[[bidders]]\ncount = 2\nzzz = 2", r"'zzz': choose from count, .*handicap, presence, joy, attitude$"),
        ("[[bidders]]\ncount = 'two'", r"count of \[\[bidders\]\] 1 must be a whole number: got 'two'"),
        (
            "[[bidders]]\ncount = 1\n[[bidders]]\ncount = 1\npresence = 2",
            "group 2: presence is a chance, at most 1: got 2",
        ),
        ("[bidders]\ncount = 2", r"bidders is a table for each kind of bidder: .*; write \[\[bidders\]\]"),
        ("[[bidder]]\ncount = 2", "unknown key in .*: 'bidder': .*did you mean 'bidders'"),
        ("[game]\nbidders = 5", r"bidders belongs in \[study\], not in \[game\]: got game.bidders = 5"),
        ("[study]\nreserve = 0.1", r"reserve belongs in \[game\], not in \[study\]"),
        ("[learner]\niteration = 5", "no option 'iteration': it has iterations.*; did you mean 'iterations'"),
        ("[learner]\nzzz = 5", "no option 'zzz': it has iterations, weighting, tolerance, auctions$"),
        ("[study]\nrounds = 2\ngame = 3", r"game is a section: got study.game = 3; write \[game\]"),
        ("study = 3", r"study is a section: got study = 3; write \[study\]"),
        ("[learner]\niterations = 'many'", "iterations of fictitious-play must be a whole number: got 'many'"),
        ("[learner]\ntolerance = true", "tolerance of fictitious-play must be a number: got True"),
        ("[game]\nvalues = 'common'\nvalue_levels = 5", "leave it out with common values"),
        ("[learner]\nname = 'fictitious'", "did you mean 'fictitious-play'"),
        ("[learner]\nexploration = 5", "fictitious-play has no option 'exploration'"),
        ("[study\nsamples = 9", "is not TOML"),
        ("warnings = 'so'", "warnings must be a list: got 'so'"),
    ],
)
def test_an_error_names_the_file_the_key_the_value_and_the_remedy(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(AllpayError, match=message) as error:
        read_study(path)
    assert "mine.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_is_no_study_file(tmp_path):
    with pytest.raises(AllpayError, match="is a folder: give a study file, or `allpay resume"):
        read_study(tmp_path)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(AllpayError, match=r"No such file or directory; `allpay init"):
        read_study(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "study",
    [
        SMALL,
        Study(DesignSpace("payments", 5, 3), EpsilonGreedy(halving=7), objective="highest-bid", seed=3),
        Study(setting=Setting(Private(Beta(2, 5), 16), cost_power=2.0, max_bid=0.7)),
        Study(setting=Setting(Common(2.0), risk_aversion=1.5)),
        Study(setting=Setting(Private(integers(0, 9)))),
    ],
)
def test_a_specification_gives_the_study_back(study):
    held = json.loads(json.dumps(study.specification()))
    assert study_of(held) == study
    assert study_of(held).specification() == study.specification()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study file that has been run, in batches of five, and what `allpay run` said."""
    path = tmp_path_factory.mktemp("studies") / "mine.toml"
    path.write_text("[study]\nsamples = 12\nrounds = 2\n[learner]\niterations = 50\nauctions = 100\n")
    run(read_study(path), path.with_suffix(""), batch=5)
    done = allpay("run", path, "--json")
    assert done.exit_code == 0, done.stderr
    return path.with_suffix(""), json.loads(done.stdout)


@pytest.fixture
def folder(finished, tmp_path):
    """Its folder."""
    shutil.copytree(finished[0], tmp_path / "mine")
    return tmp_path / "mine"


def test_run_status_resume_and_export(finished, folder, tmp_path):
    found = finished[1]
    assert (folder / "summary.txt").exists()
    whole = pl.read_parquet(folder / "rounds.parquet")

    (folder / "batches" / "batch-00001.parquet").unlink()
    (folder / "batches" / "batch-00002.parquet").write_bytes(b"PAR1 and no more")
    shutil.copy(folder / "batches" / "batch-00000.parquet", folder / "batches" / "batch-00007.parquet")
    status = json.loads(allpay("status", folder, "--json").stdout)
    assert (status["designs"], status["samples"], status["damaged"]) == (5, 12, [2])
    assert status["foreign"] == ["batch-00007.parquet"]
    assert status["running"] is False
    assert status["finished"] is False
    words = allpay("status", folder).stdout
    assert f"not finished: allpay resume {folder}" in words
    assert "damaged batches, which will be run again: 2\n" in words
    assert "files of no batch of this study, which will be set aside: batch-00007.parquet\n" in words

    resumed = allpay("resume", folder, "--json")
    assert resumed.stderr.splitlines() == [
        f"allpay: {folder}/batches/batch-00007.parquet is no batch of this study: it has been set aside as "
        "foreign-batch-00007.parquet",
        f"allpay: damaged or changed in {folder}, and run again: batch 2 (designs 10 to 11)",
    ]
    again = json.loads(resumed.stdout)
    for key in ("best", "interval", "checked", "surrogate"):
        assert again[key] == found[key]
    assert pl.read_parquet(folder / "rounds.parquet").equals(whole)
    assert "finished: see" in allpay("status", folder).stdout

    target = tmp_path / "rounds.parquet"
    assert allpay("export", folder, "--format", "parquet", "--to", target).exit_code == 0
    assert pl.read_parquet(target).drop("design").equals(whole.drop("design", "rule", "learner"))
    rows = allpay("export", folder, "--format", "csv").stdout
    assert rows.count("\n") == 25
    assert allpay("export", folder, "--format", "xls").exit_code == 2
    assert "holds no study" in allpay("resume", tmp_path).stderr


def test_a_finished_study_is_shown_and_not_computed_again(finished, folder, monkeypatch):
    monkeypatch.setattr("allpay.pipeline.fit_surrogate", None)  # nothing is fitted
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    for line in (("resume", folder), ("run", folder.with_suffix(".toml"))):
        folder.with_suffix(".toml").write_text(finished[0].with_suffix(".toml").read_text())
        done = allpay(*line)
        assert done.exit_code == 0
        assert done.stderr == (
            f"allpay: the study in {folder} is finished: this is its stored answer, and nothing is computed again\n"
        )
        assert done.stdout == (folder / "summary.txt").read_text()
    values = json.loads(allpay("resume", folder, "--json").stdout)
    assert {**values, "files": []} == {**finished[1], "files": []}
    assert {Path(file).name for file in values["files"]} == {Path(file).name for file in finished[1]["files"]}
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize(
    "missing", ["result.json", "figure.png", "summary.txt", "batches/batch-00001.parquet", "study.json"]
)
def test_what_is_not_whole_is_not_finished(folder, missing, capsys):
    (folder / missing).unlink()
    assert not tell_finished(folder, None, as_json=False)
    told = capsys.readouterr()
    assert told.out == ""
    again = f"allpay: all rounds of {folder} have been learned: its answer is computed from them\n"
    assert told.err == (again if missing in ("figure.png", "summary.txt") else "")


def test_surrogate_and_optimum_can_be_had_from_the_folder(folder):
    """What is drawn and said of a study is computed from these: they give the same bits as those that were kept."""
    study = study_of(json.loads((folder / "study.json").read_text())["specification"])
    result = design(study)
    surrogate = Surrogate.load(folder / "surrogate.npz")
    points = study.space.sample(100, seed=5)
    for one, other in zip(
        (*result.surrogate.predict(points), *result.surrogate.value_and_gradient(points)),
        (*surrogate.predict(points), *surrogate.value_and_gradient(points)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert (surrogate.r2, surrogate.rmse) == (result.surrogate.r2, result.surrogate.rmse)
    held = json.loads((folder / "result.json").read_text())["results"][0]
    optimum = {key: _tuples(value) for key, value in held["optimum"].items()}
    assert Optimum(**optimum) == result.optimum
    assert tuple(held["checked"]["rounds"]) == result.checked.rounds
    assert held["computed"] == [{"batches": "0 to 2", "versions": versions()}]
    (folder / "surrogate.npz").write_bytes((folder / "surrogate.npz").read_bytes()[:9999])
    with pytest.raises(AllpayError, match="holds no surrogate, or is damaged: run its study again"):
        Surrogate.load(folder / "surrogate.npz")
    with pytest.raises(AllpayError, match=r"cannot read .*none.npz: No such file or directory"):
        Surrogate.load(folder / "none.npz")


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def test_a_study_file_that_was_changed_is_not_mixed_with_what_is_there(folder, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[study]\nsamples = 12\nrounds = 3\n[learner]\niterations = 50\nauctions = 100\n")
    done = allpay("run", path)
    assert done.exit_code == 2
    assert done.stderr == (
        f"allpay: {folder} holds another study (rounds: it has 2, this one 3): choose another folder, or go on with that "
        f"study: allpay resume {folder}\n"
    )


def test_two_processes_do_not_run_one_folder(folder):
    held = read_folder(folder)
    with open_store(folder, held.specification, {}):
        assert json.loads(allpay("status", folder, "--json").stdout)["running"] is True
        assert "a process is running it now" in allpay("status", folder).stdout
        done = allpay("resume", folder)
    assert done.exit_code == 2
    assert "another process is running the study" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_folder_of_several_studies_is_gone_on_with_too(tmp_path):
    """What `allpay reproduce` keeps: a folder of studies."""
    out = tmp_path / "run"
    options = ("--learners", "fictitious-play", "--samples", 5, "--rounds", 1, "--json")
    found = json.loads(allpay("reproduce", *options, "--out", out).stdout)
    whole = pl.read_parquet(out / "rounds.parquet")
    state = json.loads(allpay("status", out, "--json").stdout)
    assert [(s["rule"], s["learner"], s["designs"]) for s in state["studies"]] == [
        (rule, "fictitious-play", 5) for rule in ("prizes", "payments")
    ]
    assert state["finished"] is True
    for result in found["results"]:
        kept = Surrogate.load(out / result["rule"] / "fictitious-play" / "surrogate.npz")
        assert kept.r2 == result["surrogate"]["r2"]

    (out / "result.json").unlink()
    shutil.rmtree(out / "payments" / "fictitious-play")
    assert "payments, fictitious-play: 0 of 5 designs" in allpay("status", out).stdout
    assert f"not finished: allpay resume {out}" in allpay("status", out).stdout
    rows = pl.read_csv(allpay("export", out).stdout.encode())
    assert rows.select("rule", "learner").unique().rows() == [("prizes", "fictitious-play")]
    again = json.loads(allpay("resume", out, "--json").stdout)
    for one, other in zip(again["results"], found["results"], strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    assert pl.read_parquet(out / "rounds.parquet").equals(whole)
    other = allpay("reproduce", "--samples", 6, "--out", out)
    assert "holds another study" in other.stderr


def test_what_simulate_keeps_is_a_study_of_one_design(tmp_path):
    out = tmp_path / "one"
    options = ("--weights", "0.7", "--learner", "epsilon-greedy", "--iterations", "20000", "--exploration", "5000")
    found = json.loads(allpay("simulate", *options, "--rounds", 3, "--out", out, "--json").stdout)
    assert json.loads((out / "result.json").read_text())["results"][0]["revenue"] == found["revenue"]
    assert "prizes (0.7, 0.3, 0)" in (out / "summary.txt").read_text()
    study = study_of(read_folder(out).specification)
    rows = run(study).table
    assert rows["revenue"].to_list() == found["revenue"]["rounds"]
    assert rows.equals(pl.read_parquet(out / "batches"))
    assert pl.read_csv(allpay("export", out).stdout.encode()).height == 3
    assert "1 of 1 designs × 3 rounds" in allpay("status", out).stdout

    before = (out / "batches" / "batch-00000.parquet").read_bytes()
    (out / "batches" / "batch-00000.parquet").write_bytes(before[:999])
    again = allpay("resume", out, "--json")
    assert again.stderr == f"allpay: damaged or changed in {out}, and made again: its rounds\n"
    assert {**json.loads(again.stdout), "seconds": 0} == {**found, "seconds": 0}
    assert pl.read_parquet(out / "batches").equals(rows)
    other = allpay("simulate", *options, "--rounds", 4, "--out", out)
    assert "holds another study (rounds: it has 3, this one 4)" in other.stderr
