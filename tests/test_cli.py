"""The command line as its users meet it: what stdout, stderr and the exit status say.

A process of its own takes seconds to start, so that one is started only where the process is what is tested.
"""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from allpay.cli import app, main

ROOT = Path(__file__).parents[1]
ALLPAY = [sys.executable, "-m", "allpay.cli"]


def allpay(*arguments, cwd=None):
    return subprocess.run(
        [*ALLPAY, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=300, check=False
    )


HOW_FAR = re.compile(r"allpay: .+, \d+ s")
"""A line that long work writes now and then, as on a machine that is busy."""


def invoked(*arguments):
    """What a command says, in this process."""
    return CliRunner().invoke(app, [*map(str, arguments)])


def values_of(*arguments):
    done = invoked(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if not HOW_FAR.fullmatch(line)]
    return json.loads(done.stdout)


def test_simulate_says_in_json_what_it_found():
    found = values_of("simulate", "--weights", 0.8, "--rounds", 3)
    assert found["weights"] == [0.8, 0.2, 0.0]
    assert found["rule"] == "prizes"
    assert found["learner"] == "fictitious-play"
    for name in ("revenue", "highest_bid", "exploitability"):
        assert len(found[name]["rounds"]) == 3
        assert found[name]["stderr"] >= 0
    assert found["revenue"]["mean"] == pytest.approx(0.4, rel=0.01)
    assert found["equilibrium"]["revenue"] == pytest.approx(0.4)
    assert found["equilibrium"]["highest_bid"] == pytest.approx(0.8 / 3 - 0.2 / 15)
    assert found["converged"] is True
    assert found["auctions"] == 150_000
    assert found["seconds"] > 0


def test_simulate_takes_a_weight_for_every_rank_and_every_option_of_the_game():
    found = values_of(
        *("simulate", "--weights", "0.5,0.3,0.2", "--rule", "payments", "--values", "common", "--bid-levels", 21),
        *("--max-bid", 1, "--cost-power", 2, "--no-overbidding", "--iterations", 200, "--seed", 5, "--rounds", 1),
    )
    assert found["weights"] == [0.5, 0.3, 0.2]
    assert found["iterations"] == [200]
    assert found["revenue"]["stderr"] is None  # one round has none


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["simulate", "--weights", "1", "--rounds", "2.5"],
            "Invalid value for '--rounds': it must be a whole number: got 2.5; see allpay .*simulate",
        ),
        (["simulate", "--weights", "1", "--seed=x"], "Invalid value for '--seed': .*: got x; see "),
        (
            ["simulate", "--weights", "1", "--bidders=x"],
            r"--bidders takes a number, as 3, or how many may turn up, as 2:4, poisson\(8\) or binomial\(10,0.8\): got 'x'",
        ),
        (["simulate", "--weigths", "1"], "No such option: --weigths .*--weights.*; see "),
        (
            ["simulate", "--weights", "1", "--cost-power", "x"],
            "Invalid value for '--cost-power': it must be a number: got x; ",
        ),
        (["simulat"], "No such command 'simulat'.*'simulate'"),
        (["simulate"], "Missing option '--weights'; see "),
        (["simulate", "--weights"], "Option '--weights' requires an argument"),
        (["resume"], "Missing argument 'DIR'; see "),
    ],
)
def test_what_the_parser_refuses_is_told_in_one_line(arguments, line, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["allpay", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    told = capsys.readouterr()
    assert (end.value.code, told.out) == (2, "")
    assert re.fullmatch(f"allpay: {line}.*\n", told.err)


def test_other_errors_are_not_hidden(monkeypatch):
    monkeypatch.setattr("allpay.cli.app", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main()


def test_simulate_prints_a_table_for_people():
    done = invoked("simulate", "--weights", 0.8, "--rounds", 2)
    assert done.exit_code == 0
    for word in ("revenue", "highest bid", "exploitability", "converged", "theory", "0.4000"):
        assert word in done.stdout


def test_the_same_seed_gives_the_same_numbers_and_another_does_not():
    arguments = (
        "simulate",
        "--weights",
        0.7,
        "--learner",
        "epsilon-greedy",
        "--iterations",
        20000,
        "--exploration",
        5000,
    )
    one, other = (values_of(*arguments, "--seed", seed) for seed in (3, 4))
    same = json.loads(allpay(*arguments, "--seed", 3, "--json").stdout)  # in another process
    assert one["revenue"] == same["revenue"]
    assert one["revenue"] != other["revenue"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "0.5,0.3"], "weights must sum to 1: 0.5, 0.3 sum to 0.8"),
        (["--weights", "0.3"], "w must be at least 0.5 for (w, 1−w, 0, …): got 0.3"),
        (["--weights", "1.2,-0.2"], "weights must not be negative: got -0.2 at position 2"),
        (["--weights", "nan"], "w must be a finite number for (w, 1−w, 0, …): got nan"),
        (["--weights", "0.8", "--bidders", "1000000000"], "bidders must be at most 100,000: got 1,000,000,000"),
        (["--weights", "0.8", "--bid-levels", "1000000000"], "got 64 × 1,000,000,000, 512 GB a table"),
        (["--weights", "0.8", "--value-levels", "1000000000"], "value levels must be at most 10,000,000"),
        (["--weights", "0.8", "--rounds", "1000000000"], "rounds must be at most 100,000: got 1,000,000,000"),
        (["--weights", "0.4,0.3,0.2,0.1", "--bidders", "3"], "too many weights: got 4 for 3 bidders"),
        (["--weights", "0,8"], "weights must sum to 1: 0,8 sum to 8; decimals are written with a point: 0.8"),
        (["--weights", "all"], "cannot read the weights 'all'"),
        (
            ["--weights", "0.8", "--rule", "prises"],
            "unknown rule 'prises': choose from prizes, payments; did you mean 'prizes'?",
        ),
        (["--weights", "0.8", "--learner", "fictitious"], "did you mean 'fictitious-play'?"),
        (["--weights", "0.8", "--bidders", "0"], "an auction needs at least 2 bidders: got 0"),
        (["--weights", "0.8", "--bidders", "1"], "an auction needs at least 2 bidders: got 1"),
        (
            ["--weights", "0.8", "--learner", "epsilon-greedy", "--iterations", "100", "--exploration", "200"],
            "exploration must be shorter than the run: got 200 of iterations 100",
        ),
        (["--weights", "0.8", "--exploration", "9"], "fictitious-play has no option 'exploration'"),
        (["--weights", "0.8", "--values", "public"], "unknown kind of values 'public'"),
        (["--weights", "0.8", "--distribution", "beta(2)"], "beta(a,b,high) takes 2 or 3 numbers: got 1 in 'beta(2)'"),
        (["--weights", "0.8", "--values", "common", "--value-levels", "9"], "leave it out with common values"),
        (["--weights", "0.8", "--max-bid", "-1"], "max bid must be above 0 and finite: got -1"),
        (["--weights", "0.8", "--bid-levels", "1"], "bid levels must be at least 2: got 1"),
        (["--weights", "0.8", "--rounds", "0"], "rounds must be at least 1: got 0"),
        (["--weights", "0.8", "--seed", "-1"], "seed must be at least 0: got -1"),
    ],
)
def test_bad_input_gets_one_line_and_a_status(arguments, message):
    done = CliRunner().invoke(app, ["simulate", *arguments])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_bad_input_ends_the_program_itself():
    done = allpay("simulate", "--weights", "0.5,0.3")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "allpay: weights must sum to 1: 0.5, 0.3 sum to 0.8\n"


def test_design_writes_table_figure_and_summary(tmp_path):
    out = tmp_path / "study"
    found = values_of("design", "--samples", 12, "--rounds", 2, "--out", out)
    assert found["best"]["weights"][0] >= 0.99
    assert found["best"]["low"] <= found["best"]["value"] <= found["best"]["high"]
    assert found["checked"]["mean"] == pytest.approx(0.5, rel=0.01)
    assert found["interval"][1] == pytest.approx(1.0)
    assert found["equilibrium_best"]["weights"][0] == pytest.approx(1.0)
    assert found["samples"] == 12
    assert set(found["surrogate"]) == {"r2", "rmse"}
    names = {Path(f).name for f in found["files"]}
    assert {"figure.png", "rounds.parquet", "rounds.csv", "summary.txt", "result.json"} <= names
    assert all(Path(f).stat().st_size > 0 for f in found["files"])
    rounds = pl.read_parquet(out / "rounds.parquet")
    assert rounds.height == 24
    assert pl.read_csv(out / "rounds.csv").columns == rounds.columns
    held = json.loads((out / "result.json").read_text())
    assert held["results"][0]["specification"]["seed"] == 0
    assert "numpy" in held["versions"]
    other = invoked("design", "--samples", 10, "--rounds", 2, "--out", out)
    assert other.exit_code == 2
    assert "holds another study (samples: it has 12, this one 10)" in other.stderr


def test_a_folder_that_cannot_be_written_is_said_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    done = invoked("design", "--samples", 5, "--rounds", 1, "--out", tmp_path / "file" / "study")
    assert done.exit_code == 2
    assert "cannot write to" in done.stderr
    assert done.stderr.count("\n") == 1


def test_reproduce_leaves_a_figure_a_table_and_a_summary(tmp_path):
    found = values_of("reproduce", "--samples", 5, "--rounds", 2, "--out", tmp_path / "run")
    assert [(r["rule"], r["learner"]) for r in found["results"]] == [
        ("prizes", "fictitious-play"),
        ("prizes", "epsilon-greedy"),
        ("payments", "fictitious-play"),
        ("payments", "epsilon-greedy"),
    ]
    rounds = pl.read_parquet(tmp_path / "run" / "rounds.parquet")
    assert rounds.height == 4 * 5 * 2
    assert (tmp_path / "run" / "figure.png").stat().st_size > 10_000
    assert "prizes" in (tmp_path / "run" / "summary.txt").read_text()


pseudo_terminals = pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")


@pseudo_terminals
@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            ("simulate", "--weights", "0.8", "--rounds", "3"),
            ("prizes, fictitious-play: bidd", "3/3 rounds", "/s"),
        ),
        (
            ("design", "--samples", "5", "--rounds", "1", "--iterations", "50"),
            ("prizes, fictitious-play: bidd", "5/5 designs", "prizes, fictitious-play: fitt", "/s"),
        ),
    ],
)
def test_a_terminal_is_shown_how_far_the_work_is(line, told):
    ours, theirs = os.openpty()
    with subprocess.Popen([*ALLPAY, *line], stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # how Linux says that the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    assert process.returncode == 0
    for words in told:
        assert words in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


def test_help_is_light():
    code = "import sys, allpay.cli; print([m for m in ('jax', 'numba', 'numpy', 'polars', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert allpay("--help").returncode == 0
    for command in ("simulate", "design", "reproduce"):
        assert invoked(command, "--help").exit_code == 0


def test_a_pipe_that_closes_early_is_no_error():
    line = f"{sys.executable} -m allpay.cli simulate --weights 0.8 --rounds 1 --iterations 10 | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


unix = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")


@unix
@pytest.mark.parametrize("options", ["", " --json"])
@pytest.mark.parametrize(
    ("target", "message"),
    [
        (">/dev/full", "allpay: cannot write the results: No space left on device; send stdout elsewhere\n"),
        (">&-", "allpay: stdout is closed: send it to a file, or to /dev/null\n"),
    ],
)
def test_output_that_cannot_be_written_is_one_line(target, message, options):
    line = f"{sys.executable} -m allpay.cli simulate --weights 0.8 --rounds 1 --iterations 10{options} {target}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "allpay: out of memory: take fewer bidders, values, bids or rounds\n"),
        (MemoryError("unable to allocate 9 GiB"), "allpay: out of memory (unable to allocate 9 GiB): take fewer"),
        (PermissionError(13, "Permission denied", "page.md"), "allpay: cannot use page.md: Permission denied"),
    ],
)
def test_what_the_machine_refuses_is_one_line(monkeypatch, error, message):
    def refuse(*_):
        raise error

    monkeypatch.setattr("allpay.study.sweep.learn_one", refuse)
    done = CliRunner().invoke(app, ["simulate", "--weights", "0.8"])
    assert done.exit_code == 1
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_the_example_script_runs_in_its_folder(monkeypatch, capsys):
    """The commands of the original document, with its own setting made shorter; once as a program, else in this process."""
    options = ("--iterations", "20000", "--exploration", "4000")
    line = [sys.executable, "deep_mind_example.py", "--weights", "0.8", *options, "--round", "3"]
    done = subprocess.run(line, cwd=ROOT / "mechanism_design", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "payments (0.8, 0.2, 0), 3 bidders, values 0, 1, …, 9, bids 0, 1, …, 9 up to the own value\n"
    )
    assert "mean of the last 16,000 auctions" in done.stdout

    def script(*options):
        monkeypatch.setattr(sys, "argv", ["deep_mind_example.py", "--weights", "0.8", *options])
        runpy.run_path(str(ROOT / "mechanism_design" / "deep_mind_example.py"), run_name="__main__")
        return capsys.readouterr().out

    assert "± – (mean of the last 100 auctions" in (told := script(*options, "--rounds", "1", "--tail", "100"))
    apart = "Rounds end at different equilibria of the grid"
    assert apart not in told
    short = ("--iterations", "60000", "--exploration", "20000", "--halving", "1000", "--rounds", "2", "--seed", "2")
    assert apart in script(*short, "--weights", "0.9")
    for wrong, message in (
        ((*options, "--tail", "50000"), "tail must be at most the 16,000 auctions after exploration: got 50,000"),
        (("--value-levels", "0"), "value-levels must be at least 2, for the values 0 and 1: got 0"),
        (("--bidders", "1"), "an auction needs at least 2 bidders: got 1"),
    ):
        with pytest.raises(SystemExit) as end:
            script(*wrong)
        assert end.value.code == f"deep_mind_example.py: {message}"  # which Python writes to stderr


def test_weights_of_two_ranks_are_for_three_bidders_unless_said():
    assert values_of("simulate", "--weights", "0.8,0.2", "--rounds", 1)["weights"] == [0.8, 0.2, 0.0]
    two = values_of("simulate", "--weights", "0.8,0.2", "--bidders", 2, "--rounds", 1)
    assert two["weights"] == [0.8, 0.2]


def test_a_method_that_simulates_nothing_refuses_what_simulation_needs():
    done = CliRunner().invoke(app, ["design", "--method", "theory", "--samples", "9"])
    assert done.exit_code == 2
    assert "--samples has no effect with --method theory" in done.stderr


def test_theory_finds_both_interior_optima_of_risk_averse_bidders():
    for objective, w in (("revenue", 0.568), ("highest-bid", 0.751)):
        found = values_of(
            "design", "--method", "theory", "--values", "common", "--risk-aversion", 2, "--objective", objective
        )
        assert found["best"]["weights"][0] == pytest.approx(w, abs=2e-3)
        assert found["fraction"] == 1


def test_theory_finds_what_risk_averse_bidders_should_pay():
    """Payments by rank, private values: the gradient goes through a differential equation, the answer does not need it."""
    from allpay.contest.game import Game
    from allpay.theory import equilibrium

    found = values_of("design", "--method", "theory", "--rule", "payments", "--risk-aversion", 2)
    w = found["best"]["weights"][0]
    revenue = [
        equilibrium(Game.from_weights("payments", x, 3, risk_aversion=2.0)).revenue for x in (w, w - 0.01, w + 0.01)
    ]
    assert found["best"]["value"] == pytest.approx(revenue[0], rel=1e-8)
    assert revenue[0] >= max(revenue[1:])
    assert found["fraction"] == 1


def test_theory_says_where_its_best_is_only_the_best_of_some():
    done = CliRunner().invoke(app, ["design", "--method", "theory", "--rule", "payments", "--no-overbidding"])
    assert "of the designs looked at that have a closed form" in done.stdout
    assert "use --method surrogate" in done.stdout


def test_equilibrium_prints_and_draws_the_closed_form(tmp_path):
    found = values_of("equilibrium", "--weights", 0.8)
    assert found["revenue"] == pytest.approx(0.4)
    assert found["bid"][-1] == pytest.approx(0.8 - 0.8 / 3 - 0.2 / 3)
    assert len(found["quantile"]) == len(found["bid"])
    done = CliRunner().invoke(app, ["equilibrium", "--weights", "0.8", "--plot", str(tmp_path / "bids")])
    assert done.exit_code == 0
    assert (tmp_path / "bids.png").stat().st_size > 5_000
    none = values_of("equilibrium", "--weights", 0.5, "--rule", "payments", "--no-overbidding")
    assert none["revenue"] is None
    assert "exceed the bidder's value" in none["reason"]


def test_equilibrium_says_where_bids_pool_at_a_cap(tmp_path):
    options = ("equilibrium", "--weights", "0.5", "--rule", "payments", "--max-bid", "1")
    found = values_of(*options)
    assert 0 < found["pooled_from"] < 1
    assert found["bid"][-1] == 1
    assert found["reason"] is None
    done = CliRunner().invoke(app, [*options, "--plot", str(tmp_path / "bids.png")])
    assert f"pooled from  {found['pooled_from']:.6f}" in done.stdout


def test_reproduce_leaves_other_folders_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    done = CliRunner().invoke(app, ["reproduce", "--samples", "5", "--rounds", "1", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "is not empty and holds no study" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_simulate_says_that_a_grid_is_too_coarse():
    done = CliRunner().invoke(app, ["simulate", "--weights", "0.8", "--max-bid", "1000", "--rounds", "1"])
    assert "The grid is coarse: its step is 10" in done.stdout


def test_a_plot_needs_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("", "."):
        done = CliRunner().invoke(app, ["equilibrium", "--weights", "0.8", "--plot", name])
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr == "allpay: cannot draw into a file without a name: give --plot bids.png\n"


def test_too_few_designs_are_refused_before_anything_is_kept(tmp_path):
    done = CliRunner().invoke(app, ["design", "--samples", "3", "--out", str(tmp_path / "few")])
    assert done.exit_code == 2
    assert done.stderr.startswith("allpay: a surrogate needs at least 5 designs to fit: got samples 3; take more")
    assert not (tmp_path / "few").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
@pytest.mark.parametrize("learner", ["fictitious-play", "epsilon-greedy"])
def test_ctrl_c_does_not_wait_for_a_run_that_takes_minutes(learner):
    line = [*ALLPAY, "simulate", "--weights", "0.8", "--learner", learner, "--iterations", "1000000000"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (130, "", "allpay: stopped\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_all_signs_shows_the_others(encoding):
    done = subprocess.run(
        [*ALLPAY, "simulate", "--weights", "0.8", "--rounds", "1", "--iterations", "50"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"theory" in done.stdout
