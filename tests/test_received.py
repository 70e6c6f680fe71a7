"""A folder from somebody else: nothing that it holds is run, followed or believed, and all of it is answered in a line."""

import hashlib
import io
import json
import os
import random
import shutil
import sys
import zipfile

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from allpay import DesignSpace, EpsilonGreedy, FictitiousPlay, Setting, Study
from allpay.cli import app
from allpay.contest.values import Private
from allpay.errors import AllpayError, printable
from allpay.files import load_arrays, write
from allpay.study import run
from allpay.study.file import study_of, together
from allpay.study.parquet import header
from allpay.study.received import check_name, outline_of, outlines_of
from allpay.study.store import Held, open_store, read_folder
from allpay.surrogate import Surrogate

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")

QUICK = FictitiousPlay(iterations=3, auctions=10)
SMALL = Study(DesignSpace(), QUICK, Setting(Private(levels=2), bid_levels=3), samples=6, rounds=2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder of one study, and one of two, both learned."""
    one, two = (tmp_path_factory.mktemp("received") / name for name in ("one", "two"))
    run(SMALL, one, batch=2)
    studies = {
        f"{rule}/fictitious-play": Study(DesignSpace(rule), QUICK, SMALL.setting, 5, 1)
        for rule in ("prizes", "payments")
    }
    with open_store(two, together(studies), {"numpy": "2"}, 1):
        pass
    for name, study in studies.items():
        run(study, two / name)
    return one, two


@pytest.fixture
def folder(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "study")
    return tmp_path / "study"


def said(*arguments):
    """What a command says: its status, and what it printed. It is one line if the status is not 0, and never a code."""
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), (arguments, done.exception)
    assert done.exit_code in (0, 1, 2)
    text = done.stderr if done.exit_code else done.stdout
    assert printable(text) == text, repr(text)
    if done.exit_code:
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("allpay: ")
        assert len(done.stderr) < 700  # a path among it
    return done.exit_code, text


def forge(folder, change, honest=True):
    """Change what the specification file and its copy say; with an identity that fits, if the forger is thorough."""
    for path in (folder / "study.json", folder / ".study.json"):
        found = json.loads(path.read_text())
        change(found)
        if honest and isinstance(found, dict):
            try:
                text = json.dumps([found["specification"], found["designs_per_batch"]], sort_keys=True)
                found["identity"] = hashlib.sha256(text.encode()).hexdigest()
            except (KeyError, TypeError):
                pass
        path.write_text(json.dumps(found))


EVIL = """
import pathlib
pathlib.Path("{mark}").touch()
from dataclasses import dataclass
@dataclass(frozen=True)
class Evil:
    a: float = 0.0
    name = "evil"
    def quantile(self, q):
        return q
"""


@pytest.mark.parametrize("place", ["learner", "distribution"])
def test_nothing_that_a_folder_names_is_imported_without_trust(folder, tmp_path, monkeypatch, place):
    mark = tmp_path / "mark"
    (tmp_path / f"evil_{place}.py").write_text(EVIL.format(mark=mark))
    (folder / f"evil_{place}.py").write_text(EVIL.format(mark=mark))
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(tmp_path))

    def change(found):
        evil = {"type": f"evil_{place}:Evil", "a": 0.5}
        if place == "learner":
            found["specification"]["learner"] = evil
        else:
            found["specification"]["setting"]["values"]["distribution"] = evil

    forge(folder, change)
    assert said("status", folder)[0] == 0
    assert said("export", folder)[0] == 2  # the batches are of another study
    status, text = said("resume", folder)
    assert status == 2
    assert "give --trust" in text
    assert not mark.exists()
    said("resume", folder, "--trust")
    assert mark.exists()


@pytest.mark.parametrize(
    "kind", ["os:system", "subprocess:Popen", "dataclasses:make_dataclass", "allpay.study.store:Store"]
)
def test_no_importable_class_is_built_by_its_path(folder, kind):
    forge(folder, lambda found: found["specification"]["setting"].update(values={"type": kind, "folder": "x"}))
    assert said("status", folder)[0] == 0
    with pytest.raises(AllpayError, match="which is not allpay's own"):
        study_of(read_folder(folder).specification, trust=False)


def test_a_study_file_that_names_code_is_not_run_without_trust(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil_file.py").write_text(EVIL.format(mark=tmp_path / "mark"))
    (tmp_path / "study.toml").write_text('[learner]\nname = "evil_file:Evil"\n')
    assert "give --trust" in said("run", "study.toml")[1]
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../outside",
            "/tmp/outside",
            "a/../../b",
            ".",
            "..",
            "",
            "a//b",
            "a/",
            "C:\\x",
            "a\\b",
            "~",
            ".hidden",
            "a\0b",
        ),
        *("batches", "checkpoints/x", "a\x1b[31m", "a\nb", "a/b/c/d", "x" * 300, "-rf", "a.", "a b"),
    ],
)
def test_the_name_of_a_study_is_plain(folder, name):
    if name:
        with pytest.raises(AllpayError, match="a study's name must be"):
            check_name(name)
    else:
        return
    forge(folder, lambda found: found.update(specification={"studies": {name: found["specification"]}}))
    for command in ("status", "export", "resume"):
        assert said(command, folder)[0] == 2
    assert not (folder.parent / "outside").exists()


@pytest.mark.parametrize("name", ["prizes/fictitious-play", "prizes/package.module.Class", "a", "größe/x_1"])
def test_the_names_that_allpay_gives_are_plain(name):
    check_name(name)


FILES = ["study.json", ".study.json", "log.txt", ".lock", "result.json", "surrogate.npz", "batches/batch-00000.parquet"]


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder", "link to nothing"])
@pytest.mark.parametrize("name", [*FILES, "batches/batch-00007.parquet"])
def test_links_pipes_and_folders_are_refused_where_files_should_be(folder, tmp_path, name, kind):
    if (name, kind) == ("log.txt", "folder"):
        pytest.skip("then nothing is logged: test_store")
    path, other = folder / name, tmp_path / "precious.txt"
    other.write_text("precious")
    path.unlink(missing_ok=True)
    make = {
        "link": lambda: path.symlink_to(other),
        "hard link": lambda: os.link(other, path),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "link to nothing": lambda: path.symlink_to(tmp_path / "nothing"),
    }
    make[kind]()
    for command in ("status", "export", "resume"):
        status, text = said(command, folder)
        assert status == 2
        assert "must be a plain file" in text
    with pytest.raises(AllpayError, match="must be a plain file"):
        run(SMALL, folder)
    assert other.read_text() == "precious"
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("name", ["batches", "checkpoints"])
def test_folders_that_are_links_are_refused(folder, tmp_path, name):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "batch-00000.parquet").write_text("precious")
    if (folder / name).exists():
        shutil.rmtree(folder / name)
    (folder / name).symlink_to(tmp_path / "elsewhere")
    for command in ("status", "export", "resume"):
        status, text = said(command, folder)
        assert (status, "must be a folder: it is a link" in text) == (2, True)
    assert (tmp_path / "elsewhere" / "batch-00000.parquet").read_text() == "precious"


def test_a_study_below_that_is_a_link_is_refused(whole, tmp_path):
    folder = tmp_path / "two"
    shutil.copytree(whole[1], folder)
    shutil.move(folder / "prizes", tmp_path / "elsewhere")
    (folder / "prizes").symlink_to(tmp_path / "elsewhere")
    for command in ("status", "export", "resume"):
        assert "it is a link" in said(command, folder)[1]


def test_a_user_may_reach_the_folder_by_a_link(folder, tmp_path):
    (tmp_path / "way").symlink_to(folder)
    assert said("status", tmp_path / "way")[0] == 0
    assert len(run(SMALL, tmp_path / "way").table) == 12


def test_codes_of_a_terminal_are_spelled_out(folder):
    forge(folder, lambda found: found["specification"]["space"].update(rule="\x1b[31mred\x07\u202e"))
    status, text = said("status", folder)
    assert status == 0
    assert "\\x1b[31mred\\x07\\u202e" in text
    assert "\\x1b" in said("resume", folder)[1]


@pytest.mark.parametrize("mask", [0o077, 0o027, 0o002])
def test_files_are_as_private_as_the_user_wants_them(tmp_path, mask):
    before = os.umask(mask)
    try:
        run(SMALL, tmp_path / "study", batch=3)
    finally:
        os.umask(before)
    for path in (tmp_path / "study").rglob("*"):
        if path.is_file() and path.name != ".lock":
            assert path.stat().st_mode & 0o777 == 0o666 & ~mask, path


def batch(folder, table, **changes):
    """Write a batch as a forger would, who knows how batches are known."""
    from allpay.study.store import digest

    held = read_folder(folder)
    made = {"study": held.identity, "batch": 0, "versions": {}, "content": digest(table), **changes}
    file = io.BytesIO()
    table.write_parquet(file, metadata={"allpay": json.dumps(made)})
    (folder / "batches" / "batch-00000.parquet").write_bytes(file.getvalue())
    return file.getvalue()


def test_a_batch_that_unpacks_to_gigabytes_is_refused_by_its_header(folder, monkeypatch):
    table = pl.read_parquet(io.BytesIO((folder / "batches" / "batch-00000.parquet").read_bytes()))
    many = pl.DataFrame({name: table[name][:1].new_from_index(0, 3_000_000) for name in ("design", "round")})
    data = batch(folder, many, content="x")
    assert len(data) < 200_000
    long = table.with_columns(pl.lit("x" * 5_000_000).alias("verdict"))
    unpacked = []
    reading = pl.read_parquet
    monkeypatch.setattr(
        pl, "read_parquet", lambda file, **o: unpacked.append(len(file.getvalue())) or reading(file, **o)
    )
    assert "damaged batches, which will be run again: 0" in said("status", folder)[1]
    assert len(data) not in unpacked
    data = batch(folder, long, content="x")
    assert header(data).size > 5_000_000
    assert "damaged batches, which will be run again: 0" in said("status", folder)[1]
    assert len(data) not in unpacked


def test_a_header_is_read_as_arrow_reads_it(folder):
    from pyarrow.parquet import ParquetFile

    for path in (folder / "batches").iterdir():
        found, theirs = header(path.read_bytes()), ParquetFile(path).metadata
        columns = [theirs.row_group(0).column(i) for i in range(theirs.num_columns)]
        assert found.rows == theirs.num_rows
        assert found.columns == theirs.num_columns
        assert (
            sum(c.total_uncompressed_size for c in columns)
            <= found.size
            <= 1.5 * sum(c.total_uncompressed_size for c in columns)
        )
        assert found.metadata["allpay"] == theirs.metadata[b"allpay"].decode()


def test_a_study_that_claims_a_billion_designs_is_refused_before_anything_is_allocated(folder):
    for samples in (10**9, 10**30):
        forge(folder, lambda found, n=samples: found["specification"].update(samples=n))
        for command in ("status", "export", "resume"):
            status, text = said(command, folder)
            assert (status, "samples" in text) == (2, True)
    with pytest.raises(AllpayError, match="samples must be at most"):
        Study(samples=10**9)
    forge(folder, lambda found: (found["specification"].update(samples=10**7), found.update(designs_per_batch=1)))
    assert "files" in said("status", folder)[1]


def test_a_specification_of_many_gigabytes_is_not_read(folder):
    for name in ("study.json", ".study.json"):
        with (folder / name).open("r+b") as file:
            file.truncate(10**10)  # of nothing
    assert "bytes" in said("status", folder)[1]


@pytest.mark.parametrize("lie", ["compressed", "header"])
def test_arrays_that_unpack_to_more_than_their_file_are_not_read(tmp_path, lie):
    path = tmp_path / "arrays.npz"
    if lie == "compressed":
        np.savez_compressed(path, a=np.zeros(10**6))
    else:
        np.savez(path, a=np.zeros(3))
        data = path.read_bytes()
        assert b"(3,), }            " in data
        path.write_bytes(data.replace(b"(3,), }            ", b"(1000000000000,), }"))
    with pytest.raises((ValueError, zipfile.BadZipFile)):
        load_arrays(path)
    with pytest.raises(AllpayError, match="holds no surrogate"):
        Surrogate.load(path)


def test_what_is_set_aside_twice_is_kept_twice(folder):
    strange = folder / "batches" / "batch-00009.parquet"
    for text in ("first", "second", "third"):
        strange.write_text(text)
        run(SMALL, folder)
    assert sorted(path.read_text() for path in folder.glob("foreign-*")) == ["first", "second", "third"]


def test_a_copy_of_another_study_below_is_not_taken_for_the_one_above(whole, tmp_path):
    folder = tmp_path / "two"
    shutil.copytree(whole[1], folder)
    shutil.rmtree(folder / "prizes" / "fictitious-play")
    shutil.copytree(whole[0], folder / "prizes" / "fictitious-play")
    assert "holds another study than the folder above" in said("status", folder)[1]


def test_writing_follows_no_link(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "file").symlink_to(tmp_path / "precious")
    write(tmp_path / "file", lambda file: file.write(b"new"))
    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / "file").read_bytes() == b"new"


def test_the_outline_of_a_study_is_that_of_the_study():
    for study in (
        SMALL,
        Study(samples=40, strategy="active"),
        Study(DesignSpace("payments", 5, region="box", first_at_least=0.2), samples=100, strategy="active"),
        Study(samples=20, sampling="grid"),
        Study(given=(0.8, 0.9)),
        Study(DesignSpace(bidders=6), samples=30, strategy="active", given=((0.5, 0.3, 0.2), (1.0,))),
        Study(learner=EpsilonGreedy(), samples=3),
    ):
        outline = outline_of(json.loads(json.dumps(study.specification())))
        assert outline.stages == study.stages
        assert (outline.samples, outline.rounds, outline.active) == (study.samples, study.rounds, study.active)
        assert (outline.rule, outline.learner) == (study.space.rule, study.learner.name)


# Whatever lies in a folder -------------------------------------------------------------------------------------------

VALUES = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2,
        1.5,
        -0.0,
        1e300,
        10**18,
        10**30,
        float("nan"),
        float("inf"),
        "",
        "x",
        "x" * 5000,
    ),
    *(
        "\x1b]0;title\x07",
        "../../etc/passwd",
        "os:system",
        "50",
        "ü\u202e",
        [],
        [[]],
        [None],
        {},
        {"type": "Study"},
        {"a": {}},
    ),
    *(
        {"type": 3},
        {"type": "Uniform", "low": "0"},
        {"type": "Discrete", "points": 3},
        {"type": "array", "numbers": [1]},
    ),
    {"type": "array", "kind": "numpy:ndarray", "dtype": "O", "shape": [10**9], "numbers": [1]},
    *(list(range(50)), {"studies": 5}),
]


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def with_changed(found, rng):
    """A value with one to three of its places changed, lost or added."""
    for _ in range(rng.randint(1, 3)):
        path = rng.choice([p for p in places(found) if p])
        target = found
        for key in path[:-1]:
            target = target[key]
        what = rng.random()
        if what < 0.75:
            target[path[-1]] = json.loads(json.dumps(rng.choice(VALUES)))
        elif what < 0.9 and isinstance(target, dict):
            del target[path[-1]]
        elif isinstance(target, dict):
            target[rng.choice(["type", "x", "studies", "\x1b[0m", "format"])] = rng.choice(VALUES)
    return found


def spoiled(data, rng):
    """The bytes of a file, cut, changed, repeated or replaced."""
    data = bytearray(data)
    what = rng.randint(0, 5)
    if what == 0:
        return bytes(data[: rng.randrange(len(data) + 1)])
    if what == 1:
        return rng.randbytes(rng.choice([0, 1, 100, 5000]))
    if what == 2:
        return bytes(data + data)
    for _ in range(rng.choice([1, 3, 30])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def built(specification):
    """What is wrong with a specification whose study is built; empty if nothing is."""
    try:
        study_of(specification, trust=False)
    except AllpayError as error:
        return str(error)
    return ""


def corrupt(folder, rng):
    """Do something to a folder that somebody could have done."""
    what = rng.choice(["specification", "specification", "top", "bytes", "batch", "batch table", "place", "text"])
    specifications = [folder / "study.json", folder / ".study.json"]
    found = json.loads(specifications[0].read_text())
    if what in ("specification", "top"):
        changed = found["specification"] if what == "specification" else found
        with_changed(changed, rng)
        text = json.dumps([found.get("specification"), found.get("designs_per_batch")], sort_keys=True)
        if rng.random() < 0.9:
            found["identity"] = hashlib.sha256(text.encode()).hexdigest()
        for path in specifications[: rng.choice([1, 2, 2])]:
            path.write_text(json.dumps(found))
    elif what == "text":
        text = rng.choice(
            [
                "[" * 20_000,
                '{"a":' * 5000,
                "9" * 5000,
                "null",
                "[]",
                '"x"',
                '{"format": 3}',
                '{"format": ' + "9" * 4000 + "}",
            ]
        )
        for path in specifications:
            path.write_text(text)
    elif what == "bytes":
        path = rng.choice([p for p in folder.rglob("*") if p.is_file() and p.name != ".lock"])
        path.write_bytes(spoiled(path.read_bytes(), rng))
    elif what in ("batch", "batch table"):
        path = rng.choice(sorted(folder.rglob("*.parquet")))
        data = path.read_bytes()
        table = pl.read_parquet(io.BytesIO(data))
        made = json.loads(header(data).metadata.get("allpay", '{"a": 0, "b": 1, "c": 2, "d": 3}'))
        if what == "batch":
            made = with_changed(made, rng)
        else:
            name = rng.choice(table.columns)
            change = rng.choice(
                [
                    lambda: table.drop(name),
                    lambda: table.with_columns(pl.lit(rng.choice(["x", "\x1b[0m", None, 1.5, -1])).alias(name)),
                    lambda: pl.concat([table] * 3),
                    lambda: table.head(0),
                    lambda: table.with_columns(pl.lit([1, 2]).alias(name)),
                    lambda: table.rename({name: "\x1b[31m"}),
                ]
            )
            from allpay.study.store import digest

            table = change()
            made["content"] = digest(table) if not table.schema.get(name, pl.Int64).is_nested() else "x"
        file = io.BytesIO()
        table.write_parquet(file, metadata={"allpay": json.dumps(made)})
        path.write_bytes(file.getvalue())
        beside = path.parent.parent / "batches" / path.name
        if path.parent.name in ("bids", "outcomes") and beside.is_file():  # forged so that all fits together
            known = {"allpay": json.loads(header(beside.read_bytes()).metadata["allpay"])}
            known["allpay"][path.parent.name] = hashlib.sha256(file.getvalue()).hexdigest()
            rows = pl.read_parquet(io.BytesIO(beside.read_bytes()))
            rows.write_parquet(beside, metadata={"allpay": json.dumps(known["allpay"])})
    else:
        path = rng.choice([p for p in sorted(folder.rglob("*")) if p != folder / ".lock"])
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        rng.choice([path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to(folder), lambda: None, path.touch])()


@pytest.mark.parametrize("seed", range(12))
def test_whatever_lies_in_a_folder_is_answered_in_a_line(whole, tmp_path, seed):
    """500 folders: a right answer, or one line; never a traceback, a code or a wait."""
    rng = random.Random(seed)
    answers = set()
    for case in range(42):
        folder = tmp_path / str(case)
        shutil.copytree(rng.choice(whole), folder)
        corrupt(folder, rng)
        status, _ = said("status", folder, *rng.choice([(), ("--json",)]))
        answers.add(status)
        if status == 0:
            assert said("export", folder, *rng.choice([(), ("--bids",)]))[0] in (0, 2)
            specification = read_folder(folder).specification
            for outline in outlines_of(specification).values():
                assert len(built(outline.specification).splitlines()) <= 1
    assert answers == {0, 2}


def test_a_digest_does_not_depend_on_how_numbers_lie_in_memory():
    from allpay.study.store import digest

    table = pl.DataFrame({"a": np.arange(10.0)})
    assert digest(table) == digest(pl.concat([table[:3], table[3:]]))


def test_a_held_specification_says_what_it_is():
    assert Held({"a": 1}, 2, {}).identity != Held({"a": 1}, 3, {}).identity
