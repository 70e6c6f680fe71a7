"""The folder of a study: what it holds, and that whatever is damaged, lost, changed or foreign is noticed and made good."""

import errno
import io
import json
import os
import random
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
from matplotlib.figure import Figure
from typer.testing import CliRunner

import allpay.files
from allpay.cli import app
from allpay.cli.results import write_results
from allpay.errors import AllpayError
from allpay.files import write
from allpay.learners import FictitiousPlay
from allpay.pipeline import design
from allpay.progress import Silent
from allpay.study import Study, run
from allpay.study import task as task_module
from allpay.study.store import in_use, open_store, read_folder
from allpay.versions import versions

QUICK = FictitiousPlay(iterations=50, auctions=100)
SMALL = Study(learner=QUICK, samples=7, rounds=2)

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


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


def test_every_batch_says_whose_it_is_and_what_computed_it(folder):
    for number in range(3):
        made = json.loads(pl.read_parquet_metadata(batch(folder, number))["allpay"])
        assert made["study"] == read_folder(folder).identity
        assert made["batch"] == number
        assert made["versions"] == versions()


def test_the_batches_open_without_us(folder, undisturbed):
    assert pl.read_parquet(folder / "batches" / "*.parquet").equals(undisturbed)
    assert pl.read_parquet(folder / "batches").equals(undisturbed)
    pandas = pytest.importorskip("pandas")
    table = pandas.read_parquet(folder / "batches")
    assert list(table.columns) == undisturbed.columns
    np.testing.assert_array_equal(table["revenue"], undisturbed["revenue"])
    duckdb = pytest.importorskip("duckdb")
    query = f"select count(*), max(revenue) from '{folder}/batches/*.parquet'"
    assert duckdb.sql(query).fetchall() == [(14, undisturbed["revenue"].max())]


def test_the_log_tells_what_happened(tmp_path):
    folder = tmp_path / "study"
    with pytest.raises(Interrupt):
        run(SMALL, folder, stop_at(3), batch=3)
    batch(folder, 0).write_bytes(b"")
    run(SMALL, folder)
    lines = (folder / "log.txt").read_text().splitlines()
    assert all(line[:4].isdigit() and line[4] == "-" for line in lines)
    text = "\n".join(line[27:] for line in lines)
    for part in (
        f"opened by process {os.getpid()} on ",
        f"numpy {np.__version__}",
        "0 of 3 batches are there",
        "learning 3 batches in this process",
        "batch 0 (designs 0 to 2): 0.",
        "stopped: Interrupt",
        "and run again: batch 0 (designs 0 to 2)",
        "batch 2 (design 6): 0.",
        "all batches are there",
        "closed",
    ):
        assert part in text
    assert text.index("stopped: Interrupt") < text.index("run again") < text.index("all batches are there")


def test_a_log_that_cannot_be_written_is_no_reason_to_fail(tmp_path, undisturbed):
    with open_store(tmp_path / "study", SMALL.specification(), versions(), 3) as store:
        (store.folder / "log.txt").unlink()
        (store.folder / "log.txt").mkdir()
    assert run(SMALL, tmp_path / "study").table.equals(undisturbed)


# What is lost, damaged, changed or foreign


class Interrupt(BaseException):
    """Stands for the end of a process at a chosen moment."""


def stop_at(designs):
    def stop(done, _):
        if done >= designs:
            raise Interrupt

    return stop


def test_an_interrupted_study_goes_on_to_the_same_bits(tmp_path, undisturbed):
    with pytest.raises(Interrupt):
        run(SMALL, tmp_path / "study", stop_at(5), batch=5)
    kept = sorted((tmp_path / "study" / "batches").iterdir())
    assert [path.name for path in kept] == ["batch-00000.parquet"]
    again = run(SMALL, tmp_path / "study")
    assert again.table.equals(undisturbed)
    assert again.bids.equals(run(SMALL).bids)


def rewrite(path):
    """Change a number in a batch, and leave all else as it is."""
    table, metadata = pl.read_parquet(path), pl.read_parquet_metadata(path)
    table.with_columns(pl.col("revenue") * 1.01).write_parquet(path, metadata={"allpay": metadata["allpay"]})


@pytest.mark.parametrize(
    ("harm", "damaged"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]), (1,)),
        (lambda path: path.write_bytes(b"PAR1 and no more"), (1,)),
        (lambda path: path.write_bytes(b""), (1,)),
        (lambda path: path.unlink(), ()),
        (rewrite, (1,)),
        (lambda path: shutil.copy(path.with_name("batch-00000.parquet"), path), (1,)),
        (lambda path: pl.read_parquet(path).write_parquet(path), (1,)),
    ],
    ids=["cut in half", "no table", "empty", "deleted", "changed", "another batch", "without what it says of itself"],
)
def test_a_batch_that_is_not_as_it_was_written_is_made_again(folder, undisturbed, told, harm, damaged):
    harm(batch(folder, 1))
    again = run(SMALL, folder)
    assert again.damaged == damaged
    assert again.table.equals(undisturbed)
    assert told() == [f"damaged or changed in {folder}, and run again: batch 1 (designs 3 to 5)"] * len(damaged)
    assert run(SMALL, folder).damaged == ()


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: shutil.rmtree(path.parent),
        lambda path: pl.read_parquet(path).with_columns(pl.col("mean") * 1.01).write_parquet(path),
        lambda path: shutil.copy(path.with_name("batch-00000.parquet"), path),
    ],
    ids=["cut in half", "empty", "deleted", "all deleted", "changed", "another batch"],
)
def test_bids_that_are_not_as_they_were_written_are_made_again_with_their_batch(folder, undisturbed, told, harm):
    bids = run(SMALL, folder).bids
    path = folder / "bids" / "batch-00001.parquet"
    harm(path)
    damaged, words = ((1,), "batch 1 (designs 3 to 5)") if path.parent.exists() else ((0, 1, 2), "batches 0 to 2")
    again = run(SMALL, folder)
    assert again.damaged == damaged
    assert told() == [f"damaged or changed in {folder}, and run again: {words}"]
    assert again.table.equals(undisturbed)
    assert again.bids.equals(bids)
    assert run(SMALL, folder).damaged == ()


def test_a_folder_from_before_bids_were_kept_goes_on_without_them(folder, undisturbed):
    bids = run(SMALL, folder).bids
    for number in (0, 1):
        path = batch(folder, number)
        table, made = pl.read_parquet(path), json.loads(pl.read_parquet_metadata(path)["allpay"])
        del made["bids"]
        table.write_parquet(path, metadata={"allpay": json.dumps(made)})
        (folder / "bids" / path.name).unlink()
    batch(folder, 2).unlink()
    again = run(SMALL, folder)
    assert again.damaged == ()
    assert again.table.equals(undisturbed)
    assert again.bids.equals(bids.filter(pl.col("design") == 6))
    shutil.rmtree(folder / "bids")
    batch(folder, 2).unlink()
    done = CliRunner().invoke(app, ["export", str(folder), "--bids"])
    assert done.exit_code == 2
    assert "kept no bids: give the same command in another folder" in done.stderr
    assert CliRunner().invoke(app, ["export", str(folder)]).exit_code == 0


def test_bids_are_exported_in_every_format(folder):
    bids = run(SMALL, folder).bids
    for kind, reader in (("csv", pl.read_csv), ("parquet", pl.read_parquet), ("json", pl.read_ndjson)):
        to = folder.parent / f"bids.{kind}"
        assert (
            CliRunner().invoke(app, ["export", str(folder), "--bids", "--format", kind, "--to", str(to)]).exit_code == 0
        )
        found = reader(to)
        assert found.columns == ["design", "round", "group", "value", "mean", "q10", "q50", "q90"]
        assert found.cast(bids.schema).equals(bids)
    assert pl.read_parquet(folder / "bids").equals(bids)  # without us, too


def test_finished_batches_are_not_learned_again(folder, monkeypatch):
    monkeypatch.setattr(FictitiousPlay, "learn", lambda *_: pytest.fail("learned again"))
    run(SMALL, folder)


def test_files_of_other_studies_are_set_aside(folder, undisturbed, told, tmp_path):
    run(Study(learner=QUICK, samples=7, rounds=2, seed=9), tmp_path / "other", batch=3)
    shutil.copy(batch(tmp_path / "other", 1), batch(folder, 1))
    shutil.copy(batch(folder, 0), batch(folder, 3))
    shutil.copy(batch(folder, 0), folder / "batches" / "mine.parquet")
    assert run(SMALL, folder).table.equals(undisturbed)
    assert pl.read_parquet(folder / "batches" / "*.parquet").equals(undisturbed)
    names = ["batch-00001.parquet", "batch-00003.parquet", "mine.parquet"]
    assert told() == [
        f"{folder / 'batches' / name} is no batch of this study: it has been set aside as foreign-{name}"
        for name in names
    ]
    assert all((folder / f"foreign-{name}").exists() for name in names)


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_text('{"specif'), "is damaged"),
        (lambda path: path.write_text("[]"), "is damaged"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "is damaged"),
        (lambda path: path.write_text(path.read_text().replace('"numba": "', '"numba": "9')), "is damaged"),
        (
            lambda path: path.write_text(path.read_text().replace('"rounds": 2', '"rounds": 3')),
            "was changed after the study had begun (rounds: it had 2, now 3)",
        ),
        (
            lambda path: path.write_text(path.read_text().replace('"iterations": 50', '"iterations": 60')),
            "was changed after the study had begun (learner: iterations: it had 50, now 60)",
        ),
    ],
)
def test_a_specification_that_was_changed_is_restored(folder, undisturbed, told, harm, what):
    path = folder / "study.json"
    before = path.read_bytes()
    batch(folder, 1).unlink()
    harm(path)
    assert read_folder(folder).specification == SMALL.specification()
    assert run(SMALL, folder).table.equals(undisturbed)
    assert told() == [f"{path} {what}: it has been restored"]
    assert path.read_bytes() == before
    (folder / ".study.json").unlink()  # the copy is made good without a word
    run(SMALL, folder)
    assert (folder / ".study.json").read_bytes() == before
    assert len(told()) == 1


def test_a_specification_of_which_nothing_is_left_is_said(folder):
    path = folder / "study.json"
    whole = path.read_text()
    (folder / ".study.json").unlink()
    path.write_text(whole.replace('"rounds": 2', '"rounds": 3'))
    with pytest.raises(AllpayError, match=r"study\.json is damaged"):
        read_folder(folder)
    for name in ("study.json", ".study.json"):
        (folder / name).write_text('{"specif')
    with pytest.raises(AllpayError, match=r"study\.json is damaged: remove it with its folder, or choose another"):
        run(SMALL, folder)
    for name in ("study.json", ".study.json"):
        (folder / name).unlink()
    with pytest.raises(AllpayError, match="is not empty and holds no study"):
        run(SMALL, folder)
    assert len(list((folder / "batches").iterdir())) == 3


def test_a_folder_of_another_format_is_left_alone(folder):
    for name in ("study.json", ".study.json"):
        path = folder / name
        path.write_text(path.read_text().replace('"format": 2', '"format": 3'))
    with pytest.raises(AllpayError, match="has format 3, not 2: use the allpay that made it"):
        run(SMALL, folder)


def test_another_study_is_refused(folder):
    with pytest.raises(
        AllpayError, match=r"holds another study \(seed: it has 0, this one 9\): choose another folder, or"
    ):
        run(Study(learner=QUICK, samples=7, rounds=2, seed=9), folder)
    with pytest.raises(AllpayError, match=r"learner: iterations: it has 50, this one 60"):
        run(Study(learner=FictitiousPlay(60, auctions=100), samples=7, rounds=2), folder)


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(AllpayError, match="is not empty and holds no study"):
        run(SMALL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_other_versions_are_told_and_kept(tmp_path, undisturbed, told, monkeypatch):
    folder = tmp_path / "study"
    older = {**versions(), "numba": "0.1", "polars": "0.2"}
    with monkeypatch.context() as patch:
        patch.setattr(task_module, "versions", lambda: older)
        with pytest.raises(Interrupt):
            run(SMALL, folder, stop_at(6), batch=3)
    assert told() == []
    again = run(SMALL, folder)
    assert again.table.equals(undisturbed)
    assert again.computed == (("0 to 1", older), ("2", versions()))
    now = versions()["numba"]
    assert told() == [
        f"batches 0 to 1 computed by other versions (numba 0.1, not {now}): the last bits may differ from those of a study by "
        "one version, for which another folder is needed"
    ]


# A process that is killed, a disk that is full, a folder that is in use or cannot be written


def trip(monkeypatch, moment, error):
    """Let the file system fail at a moment: how often a file has been written to, flushed or renamed before it.

    In the middle of a write only the disk can fail: Polars would make an error of its own of any other.
    """
    left, dead = iter(range(moment)), []

    def step(what):
        def stepped(*arguments):
            if dead or next(left, None) is None:
                dead.append(True)
                raise error
            return what(*arguments)

        return stepped

    class Disk(io.FileIO):
        write = step(io.FileIO.write)

    monkeypatch.setattr(allpay.files.os, "fsync", step(os.fsync))
    monkeypatch.setattr(allpay.files.os, "replace", step(os.replace))
    if isinstance(error, OSError):
        monkeypatch.setattr(allpay.files.io, "FileIO", Disk)
    else:  # who is killed does not tidy up
        unlink = Path.unlink
        monkeypatch.setattr(Path, "unlink", lambda *a, **k: None if dead else unlink(*a, **k))


def failure(what, *arguments, **options):
    """What stops a function; None if it ends."""
    try:
        what(*arguments, **options)
    except (Interrupt, AllpayError) as error:
        return error


KILLED_OR_FULL = pytest.mark.parametrize(
    "error", [Interrupt(), OSError(errno.ENOSPC, "No space left on device")], ids=["killed", "full"]
)


@KILLED_OR_FULL
def test_whatever_is_being_written_nothing_is_lost(tmp_path, undisturbed, error):
    for moment in count():
        folder = tmp_path / str(moment)
        with pytest.MonkeyPatch.context() as patch:
            trip(patch, moment, error)
            fault = failure(run, SMALL, folder, batch=3)
        if fault is None:
            break
        if isinstance(fault, AllpayError):
            assert str(fault).endswith("No space left on device; free some space or choose another folder")
            assert not list(folder.rglob("*.part"))
        for path in folder.rglob("batch-*.parquet"):
            pl.read_parquet(path)
        assert run(SMALL, folder, batch=3).table.equals(undisturbed)
        assert not list(folder.rglob("*.part"))
    assert moment >= 10  # five files are flushed and renamed


def test_a_disk_that_is_full_is_said_whatever_library_writes(tmp_path, monkeypatch):
    """Polars makes an error of its own of it, without the reason; and the disk may have room again right after."""
    full = []

    class Disk(io.FileIO):
        def write(self, data):
            if full:
                raise full.pop()
            return super().write(data)

    monkeypatch.setattr(allpay.files.io, "FileIO", Disk)
    table = pl.DataFrame({"x": np.random.default_rng(0).random(100_000)})
    for fill in (table.write_parquet, table.write_csv, lambda file: np.savez(file, x=table["x"].to_numpy())):
        full.append(OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(AllpayError, match="table: No space left on device; free some space"):
            write(tmp_path / "table", fill)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def result():
    return design(Study(learner=QUICK, samples=5, rounds=1))


@KILLED_OR_FULL
def test_results_are_whole_or_not_there(result, tmp_path, monkeypatch, error):
    """As above, for what is written at the end."""
    monkeypatch.setattr("allpay.report.figures.designs_figure", lambda _: Figure())
    write_results([result], tmp_path, Silent())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {
        "summary.txt",
        "designs.csv",
        "result.json",
        "references.json",
        "rounds.csv",
        "rounds.parquet",
        "bids.csv",
        "bids.parquet",
        "figure.png",
        "figure.pdf",
    }
    for moment in count():
        with pytest.MonkeyPatch.context() as patch:
            trip(patch, moment, error)
            fault = failure(write_results, [result], tmp_path, Silent())
        if fault is None:
            break
        assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert moment >= 12


def mounted(path, size):
    """A file system of so many bytes at a path, if this user may make one."""
    path.mkdir()
    if os.name == "nt" or shutil.which("mount") is None:
        pytest.skip("a small disk cannot be made here")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("this user cannot make a small disk")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MB."""
    path = tmp_path / "disk"
    mounted(path, 2**21)
    yield path
    subprocess.run(["umount", path], check=True)


def test_a_real_disk_that_is_full_and_then_emptied(small_disk, undisturbed):
    folder, filler = small_disk / "study", small_disk / "filler"
    filler.write_bytes(bytes(2**21 - 300_000 - 4096))
    with pytest.raises(AllpayError, match="No space left on device; free some space or choose another folder"):
        run(SMALL, folder, batch=1)
    assert not list(folder.rglob("*.part"))
    assert 0 < len(list((folder / "batches").iterdir())) < 7
    filler.unlink()
    assert run(SMALL, folder).table.equals(undisturbed)


def test_a_folder_that_cannot_be_written(small_disk, undisturbed, told):
    folder = small_disk / "study"
    with pytest.raises(Interrupt):
        run(SMALL, folder, stop_at(3), batch=3)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(AllpayError, match=r"^cannot write to .*study: Read-only file system; choose another folder$"):
        run(SMALL, folder)
    status = CliRunner().invoke(app, ["status", str(folder), "--json"])
    assert (json.loads(status.stdout)["designs"], json.loads(status.stdout)["running"]) == (3, False)
    assert CliRunner().invoke(app, ["export", str(folder)]).stdout.count("\n") == 7


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "study", tmp_path / "file"):
        with pytest.raises(AllpayError, match=r"cannot write to .*choose another folder"), open_store(path, {}, {}):
            pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device to write to")
def test_a_full_device_leaves_no_half_file(tmp_path):
    def fill(file):
        full = os.open("/dev/full", os.O_WRONLY)
        try:
            os.write(full, b"x")
        finally:
            os.close(full)

    with pytest.raises(AllpayError, match="No space left on device"):
        write(tmp_path / "table.csv", fill)
    assert list(tmp_path.iterdir()) == []


@posix
def test_killed_at_twenty_random_moments_nothing_is_lost_and_nothing_doubled(tmp_path):
    """SIGKILL leaves no time to tidy up: what is under its own name must be whole, and the rest is made again."""
    program = """
import os, sys
from dataclasses import replace
from pathlib import Path
from allpay.learners import FictitiousPlay
from allpay.study import Study, run
from allpay.study.store import in_use
study = Study(learner=FictitiousPlay(iterations=50, auctions=100), samples=400, rounds=2)
run(replace(study, samples=1))
print("ready", flush=True)
for _ in sys.stdin:
    child = os.fork()  # so that nothing is imported and compiled twenty times
    if child == 0:
        while True:
            run(study, sys.argv[1], batch=1)
    print(child, flush=True)
    os.waitpid(child, 0)
    assert not in_use(Path(sys.argv[1]))
    print("killed", flush=True)
"""
    chance, folder, counts = random.Random(0), tmp_path / "study", []
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", program, str(folder)], **pipes) as process:
        assert process.stdout.readline() == "ready\n"
        for _ in range(20):
            process.stdin.write("\n")
            child = int(process.stdout.readline())
            time.sleep(chance.uniform(0.005, 0.2))
            os.kill(child, signal.SIGKILL)
            assert process.stdout.readline() == "killed\n"
            counts.append(len(list(folder.glob("batches/batch-*.parquet"))))
        process.stdin.close()
    assert counts == sorted(counts)
    assert 0 < counts[-1] < 400
    study = Study(learner=QUICK, samples=400, rounds=2)
    resumed = run(study, folder)
    assert resumed.damaged == ()
    assert resumed.table.equals(run(study).table)
    assert not list(folder.rglob("*.part"))


def test_two_processes_do_not_run_one_folder(folder):
    with open_store(folder, SMALL.specification(), {}):
        assert in_use(folder)
        with pytest.raises(AllpayError, match="another process is running the study in"):
            run(SMALL, folder)
    assert not in_use(folder)
