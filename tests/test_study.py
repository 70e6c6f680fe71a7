"""Studies: what is drawn, what is kept, and that nothing but the specification changes a bit of it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

import allpay.study.sweep as sweep_module
from allpay.errors import AllpayError
from allpay.learners import EpsilonGreedy, FictitiousPlay
from allpay.study import DesignSpace, Study, run
from allpay.study.store import open_store, write

QUICK = FictitiousPlay(iterations=50, auctions=100)
SMALL = Study(learner=QUICK, samples=7, rounds=2)


def test_three_bidders_give_one_weight_between_a_half_and_one():
    designs = Study(samples=200).designs
    assert designs.shape == (200, 3)
    assert np.all(designs[:, 2] == 0)
    assert np.all((designs[:, 0] >= 0.5) & (designs[:, 0] <= 1))
    assert designs[:, 0].mean() == pytest.approx(0.75, abs=0.03)


def test_a_longer_sample_begins_with_the_shorter():
    space = DesignSpace("payments", bidders=5)
    np.testing.assert_array_equal(space.sample(30, seed=4)[:10], space.sample(10, seed=4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "prices"}, "did you mean 'prizes'"),
        ({"bidders": 1}, "at least 2 bidders: got 1"),
        ({"bidders": 4, "ranks": 5}, "between 2 and 4 ranks of 4 can carry weight: got 5"),
    ],
)
def test_a_design_space_names_its_fault(options, message):
    with pytest.raises(AllpayError, match=message):
        DesignSpace(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples must be at least 1: got 0"),
        ({"rounds": 0}, "rounds must be at least 1: got 0"),
        ({"seed": -1}, "seed must be at least 0: got -1"),
        ({"objective": "welfare"}, "unknown objective 'welfare'"),
    ],
)
def test_a_study_names_its_fault(options, message):
    with pytest.raises(AllpayError, match=message):
        Study(**options)


@pytest.mark.parametrize("learner", [QUICK, EpsilonGreedy(iterations=3000, exploration=1000, tail=500)])
def test_the_batch_size_changes_nothing(learner, monkeypatch):
    study = Study(learner=learner, samples=7, rounds=2)
    tables = []
    for size in (1, 3, 7):
        monkeypatch.setattr(sweep_module, "DESIGNS_PER_BATCH", size)
        tables.append(run(study).table)
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


def test_another_seed_changes_designs_and_rounds():
    one, other = run(SMALL).table, run(Study(learner=QUICK, samples=7, rounds=2, seed=1)).table
    assert not np.any(one["w1"].to_numpy() == other["w1"].to_numpy())
    assert len(set(one["seed"]) | set(other["seed"])) == 28


class Interrupt(Exception):
    """Stands for a Ctrl-C at a chosen moment."""


def test_an_interrupted_study_goes_on_to_the_same_bits(tmp_path):
    undisturbed = run(SMALL).table

    def stop(done: int, total: int) -> None:
        if done >= 5:
            raise Interrupt

    with pytest.raises(Interrupt):
        run(SMALL, tmp_path / "study", stop)
    kept = sorted((tmp_path / "study" / "batches").iterdir())
    assert [path.name for path in kept] == ["batch-00000.parquet"]
    assert run(SMALL, tmp_path / "study").table.equals(undisturbed)


def test_a_batch_cut_in_half_or_deleted_is_made_again(tmp_path):
    undisturbed = run(SMALL, tmp_path / "study").table
    first, second = sorted((tmp_path / "study" / "batches").iterdir())
    first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    second.unlink()
    again = run(SMALL, tmp_path / "study")
    assert again.damaged == (0,)
    assert again.table.equals(undisturbed)
    assert run(SMALL, tmp_path / "study").damaged == ()


def test_finished_batches_are_not_learned_again(tmp_path, monkeypatch):
    run(SMALL, tmp_path / "study")
    monkeypatch.setattr(FictitiousPlay, "learn", lambda *_: pytest.fail("learned again"))
    run(SMALL, tmp_path / "study")


def test_a_folder_holds_one_study_with_its_specification_and_versions(tmp_path):
    run(SMALL, tmp_path / "study")
    held = json.loads((tmp_path / "study" / "study.json").read_text())
    assert held["specification"] == json.loads(json.dumps(SMALL.specification()))
    assert held["specification"]["seed"] == 0
    assert {"allpay", "numpy", "numba", "jax", "python"} <= set(held["versions"])
    with pytest.raises(AllpayError, match=r"holds another study \(seed: it has 0, this one 9\)"):
        run(Study(learner=QUICK, samples=7, rounds=2, seed=9), tmp_path / "study")
    with pytest.raises(AllpayError, match=r"learner: iterations: it has 50, this one 60"):
        run(Study(learner=FictitiousPlay(60, auctions=100), samples=7, rounds=2), tmp_path / "study")


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(AllpayError, match="is not empty and holds no study"):
        run(SMALL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_damaged_specification_is_said(tmp_path):
    run(SMALL, tmp_path / "study")
    (tmp_path / "study" / "study.json").write_text('{"specif')
    with pytest.raises(AllpayError, match="is damaged"):
        run(SMALL, tmp_path / "study")


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(AllpayError, match=r"cannot write to .*choose another folder"),
        open_store(tmp_path / "file" / "study", {}, {}),
    ):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device to write to")
def test_a_full_disk_leaves_no_half_file(tmp_path):
    def fill(file):
        full = os.open("/dev/full", os.O_WRONLY)
        try:
            os.write(full, b"x")
        finally:
            os.close(full)

    with pytest.raises(AllpayError, match="No space left on device"):
        write(tmp_path / "table.csv", fill)
    assert list(tmp_path.iterdir()) == []


def test_the_table_has_a_row_per_design_and_round():
    table = run(SMALL).table
    assert table.height == 14
    assert table.columns[:5] == ["design", "round", "w1", "w2", "w3"]
    assert table["design"].to_list() == [d for d in range(7) for _ in range(2)]
    np.testing.assert_allclose(table["w1"] + table["w2"] + table["w3"], 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 10**9}, r"^rounds must be at most 100,000: got 1,000,000,000; give fewer$"),
        ({"learner": "fictitious-play"}, r"got the name 'fictitious-play'"),
        ({"learner": FictitiousPlay}, r"^FictitiousPlay is a class: call it, as FictitiousPlay\(\)$"),
    ],
)
def test_a_study_that_cannot_be_run_is_told_what_to_give(options, message):
    with pytest.raises(AllpayError, match=message):
        Study(**options)
