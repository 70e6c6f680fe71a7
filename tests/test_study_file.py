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


def test_spawned_workers_give_the_same_bits(tmp_path):
    assert run(SMALL, tmp_path / "study", workers=2).table.equals(run(SMALL).table)


def test_workers_below_one_are_refused():
    with pytest.raises(AllpayError, match="workers must be at least 1: got 0"):
        run(SMALL, workers=0)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
def test_a_worker_killed_in_mid_batch_costs_only_that_batch(tmp_path):
    study = Study(learner=EpsilonGreedy(), samples=30, rounds=2)
    killed = []

    def kill_one(done, total):
        children = multiprocessing.active_children()
        if done >= 5 and children and not killed:
            killed.append(children[0].pid)
            os.kill(children[0].pid, signal.SIGKILL)

    table = run(study, tmp_path / "study", kill_one, workers=2).table
    assert killed
    assert table.equals(run(study).table)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
def test_killed_at_twenty_random_moments_nothing_is_lost_and_nothing_doubled(tmp_path):
    """SIGKILL leaves no time to tidy up: what is under its own name must be whole, and the rest is made again."""
    program = """
import sys
from allpay.learners import FictitiousPlay
from allpay.study import Study, run
import allpay.study.sweep as sweep
sweep.DESIGNS_PER_BATCH = 1
print("ready", flush=True)
while True:  # go on until killed, from an empty folder each time it was finished
    run(Study(learner=FictitiousPlay(iterations=50, auctions=100), samples=400, rounds=2), sys.argv[1])
"""
    chance = random.Random(0)
    folder = tmp_path / "study"
    counts = []
    for _ in range(20):
        process = subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.02, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        counts.append(len(list(folder.glob("batches/batch-*.parquet"))))
    assert counts == sorted(counts)
    import allpay.study.sweep as sweep_module

    study = Study(learner=SMALL.learner, samples=400, rounds=2)
    before = sweep_module.DESIGNS_PER_BATCH
    try:
        sweep_module.DESIGNS_PER_BATCH = 1
        resumed = run(study, folder)
        assert resumed.damaged == ()
        assert resumed.table.equals(run(study).table)
    finally:
        sweep_module.DESIGNS_PER_BATCH = before


def test_dask_workers_give_the_same_bits_and_a_lost_scheduler_is_said(tmp_path):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    )
    try:
        address = cluster.scheduler_address
        assert run(SMALL, tmp_path / "study", scheduler=address).table.equals(run(SMALL).table)
    finally:
        cluster.close()
    with pytest.raises(AllpayError, match="no Dask scheduler answers at"):
        run(SMALL, tmp_path / "other", scheduler=address)
