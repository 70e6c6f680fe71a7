"""The example for SLURM, as far as it goes without SLURM: the job script, and what is run beside it."""

import runpy
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "slurm.py"
SCHEDULER = "tcp://192.0.2.1:8786"


@pytest.fixture
def example():
    pytest.importorskip("dask_jobqueue")
    return runpy.run_path(str(EXAMPLE))


def test_the_job_script_starts_a_worker_of_one_thread_on_every_core(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the cluster's settings might be looked for
    with example["cluster_of"](cores=4, gigabytes=2.0, minutes=90, queue="short") as cluster:
        script = cluster.job_script()
    for line in ("#SBATCH -p short", "#SBATCH --cpus-per-task=4", "#SBATCH --mem=8G", "#SBATCH -t 01:30:00"):
        assert line in script.splitlines()
    for option in ("--nworkers 4", "--nthreads 1", "--lifetime 85m"):
        assert option in script
    assert f"{sys.executable} -m distributed.cli.dask_worker tcp://" in script


def test_the_study_is_run_on_its_workers(example, monkeypatch):
    """With a cluster and a program that only remember what they are asked."""
    asked = []

    class Cluster:
        scheduler_address = SCHEDULER

        def __enter__(self):
            return self

        def __exit__(self, *_):
            asked.append("closed")

        def adapt(self, **options):
            asked.append(options)

    def remember(line, check):
        asked.append(line[1:])
        return SimpleNamespace(returncode=3)

    main, before = example["main"], signal.getsignal(signal.SIGINT)
    monkeypatch.setitem(main.__globals__, "cluster_of", lambda *_: Cluster())
    monkeypatch.setattr(subprocess, "run", remember)
    monkeypatch.setattr(sys, "argv", ["slurm.py", "study.toml", "--jobs", "7"])
    try:
        assert main() == 3
    finally:
        signal.signal(signal.SIGINT, before)
    line = ["-m", "allpay.cli", "run", "study.toml", "--scheduler", SCHEDULER]
    assert asked == [{"minimum_jobs": 1, "maximum_jobs": 7}, line, "closed"]
