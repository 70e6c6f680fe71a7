"""The folder of a study: what it holds, and that whatever is damaged, lost, changed or foreign is noticed and made good."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import allpay.files
from allpay.cli import app
from allpay.errors import AllpayError
from allpay.files import write
from allpay.learners import FictitiousPlay
from allpay.optimum import Optimum
from allpay.study import Study, run
from allpay.study import task as task_module
from allpay.study.store import Held, Store, open_store, read_folder
from allpay.surrogate import Surrogate
from allpay.versions import versions

QUICK = FictitiousPlay(iterations=50, auctions=100)
SMALL = Study(learner=QUICK, samples=7, rounds=2)

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals and other limits")


@pytest.fixture(scope="module")
def undisturbed():
    return run(SMALL).table


@pytest.fixture
def folder(tmp_path):
    """The folder of a finished sweep in batches of 3, 3 and 1 designs."""
    run(SMALL, tmp_path / "study", batch=3)
    return tmp_path / "study"


@pytest.fixture
def told(caplog):
    """What has been told, a line each."""
    return lambda: [record.getMessage() for record in caplog.records]


def batch(folder, number):
    return folder / "batches" / f"batch-{number:05d}.parquet"


# What is kept


def test_a_folder_holds_its_specification_and_versions(folder):
    held = json.loads((folder / "study.json").read_text())
    assert held["specification"] == json.loads(json.dumps(SMALL.specification()))
    assert held["specification"]["seed"] == 0
    assert held["designs_per_batch"] == 3
    assert {"allpay", "numpy", "numba", "jax", "jaxlib", "python", "processor"} <= set(held["versions"])
    assert (folder / "batches" / "study.json").read_text() == (folder / "study.json").read_text()


def test_every_batch_says_whose_it_is_and_what_computed_it(folder):
    for number in range(3):
        made = json.loads(pl.read_parquet_metadata(batch(folder, number))["allpay"])
        assert made["study"] == read_folder(folder).identity
        assert made["batch"] == number
        assert made["versions"] == versions()


def test_the_batches_open_without_us(folder, undisturbed):
    files = str(folder / "batches" / "*.parquet")
    assert pl.read_parquet(files).equals(undisturbed)
    pandas = pytest.importorskip("pandas")
    table = pandas.read_parquet(folder / "batches", filters=[("round", "==", 0)]) if False else None
    table = pandas.concat(pandas.read_parquet(path) for path in sorted((folder / "batches").glob("*.parquet")))
    assert list(table.columns) == undisturbed.columns
    np.testing.assert_array_equal(table["revenue"], undisturbed["revenue"])
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.sql(f"select count(*), sum(revenue) from '{files}'").fetchone()
    assert found == (14, pytest.approx(undisturbed["revenue"].sum()))
