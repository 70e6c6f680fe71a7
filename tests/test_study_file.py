"""Study files and study folders as their users meet them: init, run, status, resume, export."""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time

import polars as pl
import pytest
from typer.testing import CliRunner

from allpay.cli import app
from allpay.errors import AllpayError
from allpay.game import Beta, Common, Private, Setting, integers
from allpay.learners import EpsilonGreedy, FictitiousPlay
from allpay.study import DesignSpace, Study, run
from allpay.study.file import TEMPLATE, read_study, study_of
from allpay.study.store import open_store

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
    for key in ("distribution", "value_levels", "bid_levels", "overbidding", "cost_power", "risk_aversion"):
        told = told.replace(f"# {key}", key)
    path.write_text(told)
    assert read_study(path) == Study()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[study]\nrounds = -1", "rounds must be at least 1: got -1"),
        ("[study]\nsamplse = 9", "unknown key in .*: 'samplse'.*did you mean 'samples'"),
        ("[studdy]\nsamples = 9", "unknown key in .*: 'studdy'.*did you mean 'study'"),
        ("[study]\nsamples = 'many'", "study.samples = 'many': input should be a valid integer"),
        ("[game]\nvalues = 'common'\nvalue_levels = 5", "leave it out with common values"),
        ("[learner]\nname = 'fictitious'", "did you mean 'fictitious-play'"),
        ("[learner]\nexploration = 5", "fictitious-play has no option 'exploration'"),
        ("[study\nsamples = 9", "is not TOML"),
    ],
)
def test_an_error_names_the_file_the_key_the_value_and_the_remedy(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(AllpayError, match=message) as error:
        read_study(path)
    assert "mine.toml" in str(error.value)
    assert "\n" not in str(error.value)


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


def test_run_status_resume_and_export(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[study]\nsamples = 12\nrounds = 2\n[learner]\niterations = 50\nauctions = 100\n")
    done = allpay("run", path, "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    folder = tmp_path / "mine"
    assert (folder / "summary.txt").exists()
    whole = pl.read_parquet(folder / "rounds.parquet")

    (folder / "batches" / "batch-00001.parquet").unlink()
    (folder / "batches" / "batch-00002.parquet").write_bytes(b"PAR1 and no more")
    status = json.loads(allpay("status", folder, "--json").stdout)
    assert (status["designs"], status["samples"], status["damaged"]) == (5, 12, [2])
    assert status["running"] is False
    assert status["finished"] is False
    assert "not finished: allpay resume" in allpay("status", folder).stdout

    resumed = allpay("resume", folder, "--json")
    assert "batch 2" in resumed.stderr
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


def test_two_processes_do_not_run_one_folder(tmp_path):
    with open_store(tmp_path / "study", SMALL.specification(), {}):
        assert json.loads(allpay("status", tmp_path / "study", "--json").stdout)["running"] is True
        done = allpay("resume", tmp_path / "study")
    assert done.exit_code == 2
    assert "another process is running the study" in done.stderr
    assert done.stderr.count("\n") == 1


