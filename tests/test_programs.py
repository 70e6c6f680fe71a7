"""What JAX compiles is kept for the next process, in a folder that is the user's alone, and nothing depends on it."""

import os
import subprocess
import sys
import warnings
import zlib
from collections import namedtuple
from pathlib import Path

import pytest

from allpay import programs
from allpay.programs import MOST, WORTH_KEEPING, alone, keep_programs, own, safe_folder, tidy, user_cache

posix = pytest.mark.skipif(sys.platform == "win32", reason="permissions are those of POSIX")

FIT = """
import hashlib, jax, numpy as np
from allpay.surrogate import fit_surrogate
fitted = fit_surrogate(np.linspace(0, 1, 8)[:, None], np.linspace(0, 1, 8) ** 2, 0, members=5, steps=20, width=4)
jax.jit(lambda x: 2 * x)(np.ones(3, np.float32))
print(hashlib.sha256(fitted.members([[0.3], [0.9]]).tobytes()).hexdigest(), jax.config.jax_compilation_cache_dir)
"""


def fit(**environment):
    """A process that fits a surrogate, to which a warning is an error, and what it has printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FIT],
        env={**kept, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def entries(folder, kind):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).glob(f"*-{kind}"))}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@posix
def test_a_second_process_does_not_compile_and_damage_is_not_noticed(home):
    bits, folder = fit(HOME=str(home))
    assert Path(folder).is_relative_to(home / ".cache" / "allpay")
    made, used = entries(folder, "cache"), entries(folder, "atime")
    slow = [name for name in used if name.startswith("jit_train")]
    assert slow
    damaged = set(made) - {name.replace("-atime", "-cache") for name in slow}
    assert damaged
    for name in damaged:  # as of a disk that has lost what was in them: they are compiled as if they were not there
        (Path(folder) / name).write_bytes(b"")
    assert fit(HOME=str(home)) == [bits, folder]
    kept = entries(folder, "cache")
    assert all(kept[name] == (b"" if name in damaged else made[name]) for name in made)
    assert all(entries(folder, "atime")[name] != used[name] for name in slow), "what is kept was not read"


@pytest.fixture
def told(monkeypatch):
    """What JAX is told, from now on, instead of telling it; and what it has been told before."""
    found = {"jax_compilation_cache_dir": None, "jax_enable_compilation_cache": True}
    found |= {"jax_compilation_cache_max_size": -1, "jax_persistent_cache_min_compile_time_secs": 1.0}
    monkeypatch.setattr("jax.config", namedtuple("Config", [*found, "update"])(*found.values(), found.__setitem__))
    return found


def test_what_the_user_has_told_jax_is_left_alone(home, told, monkeypatch):
    import jax

    before = dict(told)
    for name, value in (("jax_compilation_cache_dir", str(home / "mine")), ("jax_enable_compilation_cache", False)):
        with monkeypatch.context() as patch:
            patch.setattr("jax.config", jax.config._replace(**{name: value}))
            keep_programs.__wrapped__()
            assert told == before
    monkeypatch.setattr("jax.config", jax.config._replace(jax_compilation_cache_max_size=5))
    with warnings.catch_warnings():
        keep_programs.__wrapped__()
    assert told["jax_compilation_cache_max_size"] == -1
    assert told["jax_persistent_cache_min_compile_time_secs"] == WORTH_KEEPING
    assert told["jax_compilation_cache_dir"] == str(safe_folder())


def test_nothing_is_made_where_there_is_no_home(home, told, monkeypatch):
    before = dict(told)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home / "nowhere"))
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    keep_programs.__wrapped__()
    assert told == before
    assert list(home.iterdir()) == []


def test_the_folder_is_private_to_the_user(home):
    folder = safe_folder()
    assert folder is not None
    assert folder.is_relative_to(home)
    if sys.platform != "win32":
        assert folder.stat().st_mode & 0o777 == 0o700


@posix
@pytest.mark.parametrize("where", ["", ".cache", ".cache/allpay", "itself"])
@pytest.mark.parametrize("mode", [0o777, 0o772])
def test_a_folder_into_which_others_could_put_files_is_not_used(home, where, mode):
    folder = safe_folder()
    place = folder if where == "itself" else home / where
    place.chmod(mode)
    assert not own(folder)
    assert safe_folder() is None


@posix
def test_a_folder_in_which_all_may_write_but_not_delete_may_lie_around_it_but_not_be_it(home):
    folder = safe_folder()
    home.chmod(0o1777)
    assert own(folder)
    folder.chmod(0o1777)
    assert not own(folder)


@posix
def test_a_group_may_write_only_if_the_user_is_its_one_member(home, monkeypatch):
    folder = safe_folder()
    (home / ".cache").chmod(0o775)
    monkeypatch.setattr(programs, "alone", lambda group: True)
    assert own(folder)
    monkeypatch.setattr(programs, "alone", lambda group: False)
    assert not own(folder)


@posix
def test_whose_group_it_is(monkeypatch):
    import grp
    import pwd

    Person, Group = namedtuple("Person", "pw_name pw_gid"), namedtuple("Group", "gr_name gr_mem")
    groups = {5: Group("ann", []), 6: Group("ann", ["ann", "ben"]), 7: Group("staff", ["ann"])}
    monkeypatch.setattr(grp, "getgrgid", groups.__getitem__)
    for primary, private in ((5, True), (6, False), (7, False), (8, False)):
        monkeypatch.setattr(pwd, "getpwuid", lambda user, primary=primary: Person("ann", primary))
        assert alone(primary) is private
        assert not alone(5) or primary == 5


@posix
def test_a_folder_of_somebody_else_is_not_used_nor_what_a_link_leads_to(home, monkeypatch, tmp_path_factory):
    folder = safe_folder()
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert not own(folder)
    assert safe_folder() is None
    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    open_to_all = tmp_path_factory.mktemp("open")
    (home / ".cache" / "allpay").rename(open_to_all / "allpay")
    open_to_all.chmod(0o777)
    (home / ".cache" / "allpay").symlink_to(open_to_all / "allpay")
    assert safe_folder() is None


def test_no_folder_without_room_or_a_home_that_can_be_written(home, monkeypatch):
    monkeypatch.setattr(programs, "room", lambda folder: MOST)
    assert safe_folder() is None
    monkeypatch.undo()
    (home / "file").touch()
    for name in ("HOME", "LOCALAPPDATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home / "file"))
    assert safe_folder() is None


@posix
def test_the_cache_of_the_system(home, monkeypatch):
    expected = home / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    assert user_cache() == expected
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, as its specification says
    assert user_cache() == expected
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "other"))
    assert user_cache() == home / "other"


def test_what_a_process_left_unfinished_is_deleted(tmp_path):
    for name in ("jit_a-1-cache", "jit_a-1-atime", "jit_b-2-cache", ".lockfile"):
        (tmp_path / name).touch()
    tidy(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lockfile", "jit_a-1-atime", "jit_a-1-cache"]


def test_what_xla_would_refuse_with_lines_of_error_is_not_read(home):
    folder = safe_folder()
    (folder / "jit_a-1-atime").touch()
    for features, usable in ((b"+avx2,+fma", True), (b"+avx2,+prefer-no-gather", False)):
        (folder / "jit_a-1-cache").write_bytes(zlib.compress(features))
        assert (safe_folder() is not None) is usable
    (folder / "jit_a-1-cache").write_bytes(b"damaged")
    assert safe_folder() is not None
