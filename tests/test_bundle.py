"""Replication archives: packed, repeated to the same bits, and refused where they are not what they say."""

import json
import stat
import zipfile

import pytest
from typer.testing import CliRunner

from allpay.cli import app
from allpay.errors import AllpayError
from allpay.study import bundle
from allpay.study.bundle import citation, pack, unpacked

QUICK = [
    "simulate",
    "--weights",
    "0.8",
    "--rounds",
    "2",
    "--iterations",
    "50",
    "--bid-levels",
    "21",
    "--value-levels",
    "8",
]


def run(*line):
    return CliRunner().invoke(app, [str(word) for word in line])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "study"
    assert run(*QUICK, "--out", folder).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def archive(study):
    done = run("bundle", study, "--author", 'A. "B" Curie', "--title", "Two prizes: which?")
    assert done.exit_code == 0, done.stderr
    path = study.with_suffix(".zip")
    assert str(path) in done.stdout
    return path


def changed(archive, path, **members):
    """The same archive with other files; None leaves one out."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if name not in members:
                new.writestr(name, old.read(name))
        for name, content in members.items():
            if content is not None:
                new.writestr(name, content)
    return path


def test_an_archive_has_all_that_is_needed_and_is_the_same_twice(study, archive, tmp_path):
    with zipfile.ZipFile(archive) as held:
        names = set(held.namelist())
        cited = held.read("CITATION.cff").decode()
        pinned = held.read("requirements.txt").decode()
    assert {"study.json", "bundle.json", "CITATION.cff", "requirements.txt", "README.txt"} <= names
    assert {
        f"results/{name}" for name in ("rounds.csv", "bids.csv", "summary.txt", "figure.png", "result.json")
    } <= names
    assert '- name: "A. \\"B\\" Curie"' in cited
    assert 'title: "Two prizes: which?"' in cited
    assert "numpy==" in pinned
    again = tmp_path / "again.zip"
    pack(study, again, ['A. "B" Curie'], "Two prizes: which?")
    contents = []
    for path in (archive, again):
        with zipfile.ZipFile(path) as held:
            contents.append({name: held.read(name) for name in held.namelist() if name != "README.txt"})  # has its name
    assert contents[0] == contents[1]


def test_it_is_repeated_to_the_same_bits_in_a_new_folder(archive, tmp_path):
    done = run("run", archive, "--out", tmp_path / "again")
    assert done.exit_code == 0, done.stderr
    assert (
        "Same bits: all rounds, their bids and the answer are those of the archive; by the same versions" in done.stderr
    )
    done = run("run", archive, "--out", tmp_path / "again")
    assert done.exit_code == 2
    assert "finished study" in done.stderr


def test_other_bits_and_other_versions_are_told(archive, tmp_path):
    with zipfile.ZipFile(archive) as held:
        manifest = json.loads(held.read("bundle.json"))
    manifest["digests"][""]["rounds"]["revenue"] = "0" * 64
    manifest["answers"][0]["verdicts"] = ["converged", "circling"]
    manifest["versions"]["numpy"] = "0.1"
    other = changed(archive, tmp_path / "other.zip", **{"bundle.json": json.dumps(manifest)})
    done = run("run", other, "--out", tmp_path / "other")
    assert done.exit_code == 1
    assert (
        "Not the same bits: the folder has other numbers in revenue of the rounds; verdicts of the answer"
        in done.stderr
    )
    assert "repeated by numpy" in done.stderr
    assert "not 0.1" in done.stderr


def evil(path, name, mode=None, content=b"x"):
    with zipfile.ZipFile(path, "a") as held:
        member = zipfile.ZipInfo(name)
        if mode is not None:
            member.external_attr = mode << 16
        held.writestr(member, content)
    return path


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("../outside.txt", None, "outside it"),
        ("/etc/passwd", None, "outside it"),
        ("results/../../x", None, "outside it"),
        ("C:/x", None, "outside it"),
        ("results/link", stat.S_IFLNK | 0o777, "a link or a device"),
        ("results/pipe", stat.S_IFIFO | 0o666, "a link or a device"),
        ("study.json", None, "twice"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_with_what_lies_elsewhere_are_refused(archive, tmp_path, name, mode, said):
    path = evil(changed(archive, tmp_path / "evil.zip"), name, mode)
    done = run("run", path, "--out", tmp_path / "evil")
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "evil").exists()


def test_archives_that_say_too_much_or_nothing_are_refused(archive, tmp_path, monkeypatch):
    def said(path):
        with pytest.raises(AllpayError) as error:
            unpacked(path)
        assert len(str(error.value)) <= 300
        return str(error.value)

    assert "cannot read" in said(tmp_path / "none.zip")
    (tmp_path / "text.zip").write_text("no archive")
    assert "damaged" in said(tmp_path / "text.zip")
    assert "it has no study.json" in said(changed(archive, tmp_path / "a.zip", **{"study.json": None}))
    assert "no study" in said(changed(archive, tmp_path / "b.zip", **{"study.json": "[]"}))
    assert "digests" in said(changed(archive, tmp_path / "c.zip", **{"bundle.json": '{"format": 1, "versions": {}}'}))
    deep = changed(archive, tmp_path / "d.zip", **{"study.json": "[" * 100_000})
    assert "damaged" in said(deep)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(archive.read_bytes()[:-40])
    assert "damaged" in said(cut)
    monkeypatch.setattr(bundle, "MOST_MANIFEST", 100)
    assert "more than 100 bytes" in said(archive)
    monkeypatch.setattr(bundle, "MOST_UNPACKED", 100)
    assert "unpacks to more" in said(archive)
    monkeypatch.setattr(bundle, "MOST_MEMBERS", 3)
    assert "more than the 3" in said(archive)


def test_code_of_somebody_else_is_not_imported(archive, tmp_path):
    with zipfile.ZipFile(archive) as held:
        kept = json.loads(held.read("study.json"))
    kept["specification"]["learner"] = {"type": "no_such_module:Thing"}
    path = changed(archive, tmp_path / "code.zip", **{"study.json": json.dumps(kept)})
    done = run("run", path, "--out", tmp_path / "code")
    assert done.exit_code == 2
    assert "--trust" in done.stderr


def test_what_cannot_be_packed_is_told(study, tmp_path):
    for line, said in (
        ([tmp_path], "holds no study"),
        ([study, "--to", tmp_path / "x.rar"], "is a .zip file"),
        ([study, "--to", tmp_path], "is a folder"),
    ):
        done = run("bundle", *line)
        assert done.exit_code == 2
        assert said in done.stderr
    done = run("run", tmp_path / "x.zip", "--method", "theory")
    assert "repeated as it is" in done.stderr


def test_the_citation_is_valid():
    cffconvert = pytest.importorskip("cffconvert")
    made = cffconvert.Citation(citation(["A: B", "C\nD"], 'Of "prizes": {a} # b'))
    made.validate()


def test_a_folder_that_cannot_be_packed_is_told_which_can(tmp_path):
    (tmp_path / "estimate.json").write_text("{}")
    with pytest.raises(AllpayError, match=r"give a folder of allpay design, run, reproduce or simulate"):
        pack(tmp_path, tmp_path / "some.zip")
