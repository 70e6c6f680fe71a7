"""The program in any terminal, on any machine, and how it ends when it is asked to."""

import errno
import json
import math
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from numba import typeof
from typer.testing import CliRunner

from allpay import compiled as compiling
from allpay.cli import app
from allpay.cli.commands import folder_of
from allpay.cli.console import plain
from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.success import Noise, Tullock
from allpay.contest.values import Beta, Common, Lognormal, Private
from allpay.cores import cores, quota
from allpay.errors import AllpayError
from allpay.files import in_shell, write
from allpay.learners import LEARNERS, FictitiousPlay, learner, run_seeds
from allpay.progress import listening
from allpay.report.curves import draw_equilibrium
from allpay.study import Study, run
from allpay.study.store import in_use, open_store
from allpay.theory import equilibrium
from allpay.versions import versions

ALLPAY = [sys.executable, "-m", "allpay"]
QUICK = ("simulate", "--weights", "0.8", "--rounds", "2", "--iterations", "50")

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has other terminals and signals")


def allpay(*arguments, cwd=None, **environment):
    return subprocess.run(
        [*ALLPAY, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
        timeout=300,
        check=False,
    )


# Terminals


@pytest.mark.parametrize("columns", ["0", "1", "40", "-5", "many", "1000000000"])
def test_numbers_are_never_cut_to_fit_a_terminal(columns):
    done = CliRunner().invoke(app, list(QUICK), env={"COLUMNS": columns})
    assert done.exit_code == 0
    assert "…" not in done.stdout
    headings = ["round", "revenue", "realised", "highest bid", "exploitability", "verdict"]
    assert re.split("  +", done.stdout.splitlines()[2].strip()) == headings


@pytest.mark.parametrize("columns", ["0", "12", "x", "10000000"])
def test_help_is_shown_whatever_the_surroundings_say_of_the_terminal(columns):
    done = allpay("--help", COLUMNS=columns)
    assert done.returncode == 0
    assert "simulate" in done.stdout
    assert len(done.stdout) < 100_000


def test_colours_are_not_stored(tmp_path):
    done = CliRunner().invoke(app, [*QUICK, "--out", str(tmp_path / "study")], env={"FORCE_COLOR": "1"})
    assert done.exit_code == 0
    assert "\x1b" not in (tmp_path / "study" / "summary.txt").read_text(encoding="utf-8")


@posix
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("simulate --help | head -1", ""),
        ("--help > /dev/full", "allpay: cannot write the results: No space left on device; send stdout elsewhere\n"),
        ("--version > /dev/full", "allpay: cannot write the results: No space left on device; send stdout elsewhere\n"),
    ],
)
def test_help_that_cannot_be_written_is_no_traceback(arguments, told):
    line = f"{sys.executable} -m allpay {arguments}"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == (told, 1 if told else 0)


def test_whole_numbers_that_not_every_reader_of_json_takes_exactly_are_text():
    assert plain({"small": 2**53, "seeds": [2**53 + 1, np.uint64(2**64 - 1)], "yes": True}) == {
        "small": 2**53,
        "seeds": [str(2**53 + 1), str(2**64 - 1)],
        "yes": True,
    }


def test_seeds_are_exported_exactly(tmp_path):
    folder = tmp_path / "study"
    assert CliRunner().invoke(app, [*QUICK, "--out", str(folder), "--seed", str(2**60 + 1)]).exit_code == 0
    rows = CliRunner().invoke(app, ["export", str(folder), "--format", "json"]).stdout.splitlines()
    table = CliRunner().invoke(app, ["export", str(folder)]).stdout.splitlines()
    position = table[0].split(",").index("seed")
    assert [json.loads(row)["seed"] for row in rows] == [row.split(",")[position] for row in table[1:]]
    assert json.loads((folder / "result.json").read_text())["results"][0]["seed"] == str(2**60 + 1)


# Files


@posix
def test_the_umask_is_kept(tmp_path):
    for mask in (0o022, 0o077, 0o002):
        before = os.umask(mask)
        try:
            write(tmp_path / "file", lambda file: file.write(b"x"))
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask


def test_a_name_as_long_as_names_may_be_can_be_written(tmp_path):
    path = tmp_path / ("x" * 255)
    write(path, lambda file: file.write(b"x"))
    assert list(tmp_path.iterdir()) == [path]


def test_study_files_have_folders_of_their_own():
    given = ["exp.1", "exp.2", "exp.toml", "exp.1.toml", "a/exp.v2.TOML", "exp"]
    folders = [folder_of(Path(name)) for name in given]
    assert [str(folder) for folder in folders] == [
        "exp.1-study",
        "exp.2-study",
        "exp",
        "exp.1",
        str(Path("a/exp.v2")),
        "exp-study",
    ]


@pytest.mark.parametrize(
    ("path", "typed"), [("a b", "'a b'"), ("-x", "./-x"), ("x[1]*", "'x[1]*'"), ("plain", "plain")]
)
def test_a_path_is_told_as_it_is_typed(path, typed):
    assert in_shell(Path(path)) == typed


def test_a_mark_at_the_beginning_of_a_study_file_is_no_part_of_it(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text("[study]\nsamples = 1\nrounds = 1\n[learner]\niterations = 50\n", encoding="utf-8-sig")
    done = CliRunner().invoke(app, ["run", str(path), "--json"])
    assert (done.exit_code, json.loads(done.stdout)["learner"]) == (0, "fictitious-play")


# The end


SLOW_IMPORTS = """
import os, sys, time
class Slow:
    def find_spec(self, name, *_):
        if name == "typer":
            os.write(1, b".")
            time.sleep(60)
sys.meta_path.insert(0, Slow())
sys.argv = ["allpay", "--help"]
from allpay.cli import main
main()
"""

ends = pytest.mark.parametrize(
    ("number", "how", "status"), [("SIGINT", "stopped", 130), ("SIGTERM", "terminated", 143)]
)


@posix
@ends
def test_a_signal_in_the_first_moments_ends_the_program_in_one_line(number, how, status):
    line = [sys.executable, "-c", SLOW_IMPORTS]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.read(1) == "."
        process.send_signal(getattr(signal, number))
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (status, "", f"allpay: {how}\n")


@posix
@ends
def test_a_signal_while_jax_works_ends_the_program_in_one_line(tmp_path, number, how, status):
    """JAX compiles or trains; an exception would be swallowed there, and the end of the interpreter not survived."""
    folder = tmp_path / "study"
    line = [*ALLPAY, "simulate", "--weights", "0.8", "--learner", "dqn", "--rounds", "50", "--out", str(folder)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 120
        while not (folder / "checkpoints").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep({"SIGINT": 1.0, "SIGTERM": 0.1}[number])
        process.send_signal(getattr(signal, number))
        out, err = process.communicate(timeout=60)
    kept = f"; what is finished is kept: allpay resume {folder}"
    assert (process.returncode, out, err) == (status, "", f"allpay: {how}{kept}\n")
    assert (folder / "log.txt").read_text().endswith(f"{how} by {number}\n")


@posix
def test_what_is_ignored_stays_ignored():
    program = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); from allpay.cli import main; import os\n"
    program += "from allpay.cli import stopping\n"
    program += "with stopping.StoppedBySignals(): os.kill(os.getpid(), signal.SIGINT); print('on')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "on\n")


# Compiled code


@contextmanager
def told_by():
    told = []
    with listening(tell=told.append):
        yield told


def source(tmp_path):
    """A module of its own folder, of one function that is compiled."""
    tmp_path.mkdir(exist_ok=True)
    path = tmp_path / "twice.py"
    path.write_text("from allpay.compiled import compiled\n@compiled\ndef twice(x):\n    return 2 * x\n")
    names = {"__name__": "twice", "__file__": str(path)}
    exec(compile(path.read_text(), str(path), "exec"), names)
    return names["twice"]


@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
@pytest.mark.parametrize("harm", [b"", b"no pickle", None], ids=["emptied", "changed", "cut"])
def test_damaged_caches_are_made_again(tmp_path, ending, harm):
    assert source(tmp_path)(2) == 4
    (cached,) = tmp_path.glob(f"__pycache__/*{ending}")
    whole = cached.read_bytes()
    cached.write_bytes(whole[: len(whole) // 2] if harm is None else harm)
    with told_by() as told:
        assert source(tmp_path)(2) == 4
        assert told == []
        again = source(tmp_path)
        again(2)
    assert again.stats.cache_hits[(typeof(2),)] == 1


def test_compiled_code_that_cannot_be_kept_is_said_once(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "_told", set())

    def full(self, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._open_for_write", full)
    with told_by() as told:
        assert [source(tmp_path)(2), source(tmp_path)(2)] == [4, 4]
    assert len(told) == 1
    assert told[0].startswith("compiled code cannot be kept (No space left on device)")


def test_without_a_place_for_compiled_code_all_works(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "_told", set())
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])
    with told_by() as told:
        function = source(tmp_path)
        assert told == []  # nothing is said before something is compiled
        assert function(2) == 4
    assert told[0].startswith("compiled code cannot be kept (neither the package's folder nor yours can be written)")


# Cores


def groups(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "membership").write_text(files["membership"])
    return quota(root, root / "membership")


@pytest.mark.parametrize(
    ("files", "share"),
    [
        ({"membership": "0::/\n"}, math.inf),
        ({"membership": "0::/\n", "cpu.max": "max 100000\n"}, math.inf),
        ({"membership": "0::/\n", "cpu.max": "150000 100000\n"}, 1.5),
        ({"membership": "0::/a/b\n", "a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3.0),
        ({"membership": "0::/a/b\n", "a/cpu.max": "300000 100000", "a/b/cpu.max": "200000 100000"}, 2.0),
        (
            {
                "membership": "4:cpu,cpuacct:/x\n",
                "cpu/x/cpu.cfs_quota_us": "50000",
                "cpu/x/cpu.cfs_period_us": "100000",
            },
            0.5,
        ),
        ({"membership": "4:cpu:/\n", "cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, math.inf),
        ({"membership": "4:memory:/x\n", "cpu/x/cpu.cfs_quota_us": "1", "cpu/x/cpu.cfs_period_us": "1"}, math.inf),
        ({"membership": "0::/\n", "cpu.max": "nonsense"}, math.inf),
    ],
)
def test_a_quota_of_processor_time_limits_the_cores(tmp_path, monkeypatch, files, share):
    assert groups(tmp_path, files) == share
    monkeypatch.setattr("allpay.cores.quota", lambda: share)
    assert 1 <= cores() == max(1, math.ceil(min(share, cores_of_the_machine())))


def cores_of_the_machine():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.mark.parametrize("given", ["0", "two", "-1", "1.5", "100000", "9" * 5000])
def test_a_number_of_threads_that_is_none_is_refused(monkeypatch, given):
    monkeypatch.setenv("ALLPAY_THREADS", given)
    done = CliRunner().invoke(app, list(QUICK))
    assert done.exit_code == 2
    assert done.stderr.startswith("allpay: ALLPAY_THREADS must be a whole number from 1 to 9999: got '")
    assert len(done.stderr) < 300
    assert done.stderr.count("\n") == 1


@posix
def test_workers_of_a_program_that_is_no_file_are_refused_in_one_line():
    program = "import allpay\nif __name__ == '__main__':\n    try:\n"
    program += "        allpay.design(allpay.Study(samples=5, rounds=1), workers=2)\n"
    program += "    except allpay.AllpayError as error:\n        print(error)\n"
    done = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith("worker processes run the program's file before they begin, and ")
    assert "workers=1" in done.stdout


# Folders


SMALL = ("--samples", "5", "--rounds", "1", "--iterations", "50")


@pytest.mark.parametrize("name", ["a[1]", "a*b", "a?", "{a,b}", "a b", "-x", "%s", "~", "$HOME", "é[ü]*"])
def test_a_folder_may_have_any_name(tmp_path, name, monkeypatch):
    if os.name == "nt" and set(name) & set("*?"):
        pytest.skip("Windows has no such names")
    folder = tmp_path / name
    with open_store(folder, SMALL_STUDY.specification(), versions(), 2):
        pass
    table = run(SMALL_STUDY, folder).table
    monkeypatch.setattr(FictitiousPlay, "learn", lambda *_: pytest.fail("learned again"))
    again = run(SMALL_STUDY, folder)
    assert (again.damaged, again.table.equals(table)) == ((), True)
    assert CliRunner().invoke(app, ["status", str(folder)]).stdout.splitlines()[-1].startswith("not finished")
    assert len(CliRunner().invoke(app, ["export", str(folder)]).stdout.splitlines()) == 6


SMALL_STUDY = Study(learner=FictitiousPlay(iterations=50, auctions=100), samples=5, rounds=1)


FOUR_COMMANDS = """
import sys
from allpay.cli import main
*line, folder = sys.argv[1:]
for command in ([*line, "--out"], ["resume"], ["status"], ["export"]):
    sys.argv = ["allpay", *command, folder]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (command, end.code)
"""


@posix
def test_paths_need_not_be_text(tmp_path):
    """In the worst of locales, with all that Python does to mend it switched off."""
    folder = os.fsencode(tmp_path) + "/é".encode() + b"\xe9"
    surroundings = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable.encode(), b"-c", FOUR_COMMANDS.encode(), *(part.encode() for part in QUICK), folder]
    done = subprocess.run(command, capture_output=True, env=surroundings, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    # on a busy machine long work also says how far it is
    (told,) = [line for line in done.stderr.splitlines() if not re.fullmatch(rb"allpay: .+, \d+ s", line)]
    assert b"is finished: this is its stored answer" in told
    assert b"finished: see" in done.stdout
    assert done.stdout.splitlines()[-1].count(b",") > 5  # a row of the rounds
    assert os.path.exists(folder + b"/summary.txt")


def test_a_figure_can_be_drawn_into_any_folder(tmp_path):
    found = equilibrium(Game.from_weights("prizes", 0.8, 3))
    folder = tmp_path / os.fsdecode("é[*]".encode() + (b"" if os.name == "nt" else b"\xe9"))
    folder.mkdir()
    draw_equilibrium(Game.from_weights("prizes", 0.8, 3), found, folder / "bids.pdf")
    assert (folder / "bids.pdf").stat().st_size > 0


@posix
@pytest.mark.parametrize("missing", ["ENOSYS", "EOPNOTSUPP", "ENOLCK"])
def test_a_file_system_without_locks_has_locks_by_file(tmp_path, monkeypatch, missing):
    folder = tmp_path / "study"
    with open_store(folder, SMALL_STUDY.specification(), versions()):
        pass
    assert (folder / ".lock").exists()  # as a folder has it that was copied from a file system with locks

    def flock(*_):
        raise OSError(getattr(errno, missing), missing)

    monkeypatch.setattr("fcntl.flock", flock)
    study = SMALL_STUDY.specification()
    assert not in_use(folder)
    with open_store(folder, study, versions()):
        assert in_use(folder)
        with pytest.raises(
            AllpayError, match=r"another process is running .*; if it is gone, delete .*\.lock-by-file$"
        ):
            open_store(folder, study, versions()).__enter__()
    assert not in_use(folder)
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    (folder / ".lock-by-file").write_text(f"{gone.stdout.strip()}\n{socket.gethostname()}\n")
    with open_store(folder, study, versions()):  # of a process that was killed
        pass


# Figures

PROGRAM = """
import sys, allpay
from pathlib import Path
from allpay.report.curves import draw_equilibrium
game = allpay.Game.from_weights("prizes", 0.8, 3)
for path in sys.argv[1:]:
    draw_equilibrium(game, allpay.equilibrium(game), Path(path))
"""


def test_figures_do_not_depend_on_the_surroundings(tmp_path):
    """On another style, nor on the backend that a notebook asks for, which is not installed here."""
    game, names = Game.from_weights("prizes", 0.8, 3), ("bids.png", "bids.pdf", "bids.svg", "bids.eps")
    folders = [tmp_path / name for name in ("plain", "styled", "notebook")]
    for folder, style in zip(folders, ({}, {"text.usetex": True, "savefig.dpi": 11, "font.size": 30}), strict=False):
        folder.mkdir()
        with matplotlib.rc_context(style):
            for name in names:
                draw_equilibrium(game, equilibrium(game), folder / name)
    folders[2].mkdir()
    notebook = {**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    line = [sys.executable, "-c", PROGRAM, *(str(folders[2] / name) for name in names)]
    done = subprocess.run(line, capture_output=True, text=True, env=notebook, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for name in names[:3]:
        plain, styled, shown = ((folder / name).read_bytes() for folder in folders)
        assert plain == styled == shown
    assert b"/Type3" not in (folders[0] / "bids.pdf").read_bytes()
    assert b"/FontType 3" not in (folders[0] / "bids.eps").read_bytes()


def test_a_figure_that_cannot_be_drawn_is_one_line_and_leaves_the_study_unfinished(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no fonts\nat all")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", broken)
    folder = tmp_path / "study"
    line = ["design", "--samples", "5", "--rounds", "1", "--iterations", "50", "--out", str(folder)]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 2
    # on a busy machine long work also says how far it is
    assert [line for line in done.stderr.splitlines() if not re.fullmatch(r"allpay: .+, \d+ s", line)] == [
        "allpay: the figure cannot be drawn (RuntimeError: no fonts at all); what is finished is kept: "
        f"allpay resume {folder}"
    ]
    assert CliRunner().invoke(app, ["status", str(folder)]).stdout.splitlines()[-1].startswith("not finished")


@pytest.mark.parametrize("name", ["bids.xyz", "bids.p", "bids.tif9"])
def test_an_unknown_format_is_refused_in_one_line(tmp_path, name):
    done = CliRunner().invoke(app, ["equilibrium", "--weights", "0.8", "--plot", str(tmp_path / name)])
    assert done.exit_code == 2
    assert done.stderr.startswith("allpay: cannot draw into ")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("learner", "platform"), [("fictitious-play", "nonsense"), ("dqn", "tpu"), ("ppo", "cuda")])
def test_a_device_that_is_not_there_is_told_in_one_line_before_anybody_learns(tmp_path, learner, platform):
    folder = tmp_path / "study"
    line = ("design", "--learner", learner, "--samples", 50, "--rounds", 50, "--out", folder)
    done = allpay(*line, JAX_PLATFORMS=platform)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"allpay: JAX has no device to compute on: JAX_PLATFORMS is '{platform}'; unset it, or set it to cpu ("
    )
    assert done.stderr.count("\n") == 1
    assert not list(folder.glob("batches/*"))


def in_theory():
    games = [Game.from_weights("prizes", 0.8, n, max_bid=cap) for n in (3, 40) for cap in (None, 0.3)]
    return [equilibrium(game).revenue for game in games]


CONTESTS = (
    Game.from_weights("prizes", 0.8, 300, values=Private(Beta(1, 50), 8), bid_levels=21),
    Game.from_weights("payments", 0.8, 3, values=Private(Lognormal(0, 2, 1), 8), bid_levels=21, cost_power=4),
    Game(Mechanism((0.7, 0.3, 0), (1, 1, 1), success=Tullock(1)), Private(levels=8), bid_levels=21),
    Game(
        Mechanism((1, 0, 0), (1, 1, 1), success=Noise("pareto", 0.1, power=2.5), fee=0.05),
        [(Bidder(Private(levels=8)), 2), (Bidder(Common(0.5), presence=0.5), 1)],
        bid_levels=21,
    ),
)


def learned(way):
    # what takes long is the exact engine at each checkpoint, for 300 bidders of whom each has bids of its own
    options = {"epsilon-greedy": {"exploration": 50, "iterations": 52}, "interior-point": {}, "level-k": {}}
    bidders = learner(way, **options.get(way, {"iterations": 100}))
    return [bidders.learn([game], run_seeds(0, 1, 1)).revenue.item() for game in CONTESTS]


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(in_theory, id="theory"),
        *(pytest.param(partial(learned, way), id=way) for way in LEARNERS if way not in ("dqn", "ppo")),
    ],
)
def test_the_settings_of_numpy_of_a_user_change_nothing(work):
    usual = work()
    before = np.seterr(all="raise")
    try:
        assert work() == usual
    finally:
        np.seterr(**before)
