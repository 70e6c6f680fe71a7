"""Numbers as they are told, what is not told, and guards that speak before work begins."""

import json
import os
import shlex
import subprocess
import sys
import time
from threading import Event
from types import SimpleNamespace

import polars as pl
import pytest
from typer.testing import CliRunner

from allpay import progress
from allpay.cli import app, console
from allpay.cli.results import without_empty
from allpay.contest.game import Game, Setting
from allpay.contest.values import Private, Uniform, distribution
from allpay.errors import AllpayError, one_of
from allpay.memory import LIMIT, check_memory
from allpay.report.figures import _axis
from allpay.report.summary import _asked
from allpay.report.words import in_a_column, significant, with_error
from allpay.scalars import numeral
from allpay.simplex import Box, OrderedSimplex, grid
from allpay.simulation import coarseness
from allpay.study import DesignSpace, Study
from allpay.theory import equilibrium


def said(*line):
    done = CliRunner().invoke(app, list(line))
    assert done.exit_code == 2
    return done.stderr


def test_numbers_have_their_digits():
    assert [significant(x) for x in (0.4, 0.0512, 1.25e-6, 1234.5, 0.0)] == [
        "0.4000",
        "0.05120",
        "1.250e-06",
        "1234",
        "0",
    ]
    assert significant(0.99999) == "1.000"
    assert with_error(0.4, 1e-6) == "0.4000 ± <0.0001"
    assert with_error(2e-6, 3e-8) == "2.000e-06 ± 3.0e-08"
    assert in_a_column([0.0, 1.25e-6]) == ["0.000000000", "0.000001250"]


def test_large_numbers_may_be_money_and_have_all_their_digits():
    assert [significant(x) for x in (12345.6, 3e7, 4.5e12)] == ["12,346", "30,000,000", "4,500,000,000,000"]
    assert [numeral(x, 2) for x in (360.0, 9_996.0, 15_000.4, 0.36)] == ["360", "9,996", "15,000", "0.36"]
    assert [numeral(x) for x in (30000.0, 1e15, float("inf"), -2e6)] == ["30,000", "1e+15", "inf", "-2,000,000"]
    assert with_error(18234.56, 12.3) == "18,234.6 ± 12.3"
    design = ["design", "--method", "theory", "--bidders", "3"]
    two = ["--bidders", "3,4"]
    for line in (["sweep", *two], ["compare", "0.5,0.3,0.2", *two], design, ["equilibrium", "--weights", "1"]):
        done = CliRunner().invoke(app, [*line, "--distribution", "uniform(0,30000000)"])
        assert "e+" not in done.stdout
        assert "000,000" in done.stdout


def test_small_values_are_not_told_as_nothing():
    done = CliRunner().invoke(app, ["equilibrium", "--weights", "0.8", "--distribution", "uniform(0,0.000001)"])
    assert "revenue      4.00000e-07" in done.stdout
    assert "0.000000\n" not in done.stdout
    quick = ["simulate", "--weights", "0.8", "--rounds", "1", "--iterations", "50"]
    told = CliRunner().invoke(app, [*quick, "--distribution", "uniform(0,0.000001)"]).stdout
    assert "4.000e-07" in told  # theory
    assert "0.0000" not in told


def test_a_long_row_of_zeros_is_not_written_out():
    study = Study(DesignSpace("prizes", 80, 5), rounds=1)
    sweep = SimpleNamespace(study=study, designs=50)
    text = _asked(SimpleNamespace(sweep=sweep))
    assert "which weights (w_1, w_2, w_3, w_4, w_5, 0, …, 0) bring" in text
    table = pl.DataFrame({f"w{k}": [0.0] for k in range(1, 81)})
    assert without_empty(table, study.space.dimension).columns == ["w1", "w2", "w3", "w4", "w5"]


def test_the_axis_says_what_a_bid_is():
    def axis(**options):
        setting = Setting(**options)
        return _axis(SimpleNamespace(sweep=SimpleNamespace(study=Study(setting=setting))))

    assert axis() == "revenue\n(in units of the highest value)"
    assert "highest value 2" in axis(values=Private(Uniform(0, 2)))
    assert axis(cost_power=2.0) == "revenue\n(b costs b²; values up to 1)"


def test_a_grid_is_blamed_only_where_rounds_converged():
    game = Game.from_weights("prizes", 0.8)
    exact = equilibrium(game)
    assert "the grid is too coarse" in coarseness(game, exact, 0.5, settled=1.0)
    for settled, words in ((0.0, "no round converged"), (0.4, "not every round converged")):
        assert words in coarseness(game, exact, 0.5, settled)
        assert "too coarse" not in coarseness(game, exact, 0.5, settled)


def test_only_close_names_are_suggested():
    keys = ("values", "value_levels", "bid_levels", "risk_aversion", "overbidding")
    for given, close in (
        ("value_level", "value_levels"),
        ("riskaversion", "risk_aversion"),
        ("overbiding", "overbidding"),
    ):
        with pytest.raises(AllpayError, match=f"did you mean '{close}'"):
            one_of("key", given, keys)
    for given in ("reserve", "fee", "bidders", "x", "learning"):
        with pytest.raises(AllpayError) as error:
            one_of("key", given, keys)
        assert "did you mean" not in str(error.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("design --prizes 5", "--prizes 5 needs --bidders 5 or more: got 3"),
        ("design --samples 1000000000", "samples must be at most 100,000,000: got 1000000000"),
        ("design --sampling grid --samples 100000000", "a table of samples 100,000,000 × rounds 10"),
        ("simulate --weights .8 --iterations 1000000000000", "iterations must be at most 1,000,000,000"),
        ("simulate --weights .8 --rounds 100000", "fictitious-play with rounds 100,000"),
        ("simulate --weights .8 --learner interior-point --bid-levels 30000", "bid levels 30,000 would take"),
        ("simulate --weights .8 --learner dqn --bidders 1000", "bidders 1,000"),
        ("design --bidders 1000 --first-at-most .002", "corners of designs of 999 ranks"),
        ("design --bidders 30000 --sampling sobol", "sampling sobol spreads designs of at most 21,201 numbers"),
        ("simulate --weights .8 --tolerance inf", "tolerance must be above 0 and below 1"),
        ("simulate --weights .8 --tolerance 2", "tolerance must be above 0 and below 1"),
        ("design --strategy active --precision inf", "precision must be above 0 and below 1"),
        ("simulate --weights .8 --distribution uniform(0)", "uniform(low,high) takes 2 numbers: got 1"),
        ("verify --seed -1", "seed must be at least 0: got -1"),
        ("design --method theory --seed 3", "--seed has no effect with --method theory"),
        ("design --method theory --bid-levels 9", "--bid-levels has no effect with --method theory"),
        ("design --samples 1 --workers 2", "--workers 2 has no effect on one design"),
        ("design --samples 1 --workers 0", "workers must be at least 1: got 0"),
        ("design --first-at-least -3", "first_at_least bounds a weight"),
    ],
)
def test_what_would_never_end_or_has_no_effect_is_refused_before_work_begins(line, words):
    assert words in said(*line.split())


GROUPS = "--group '2: uniform(0,1)' --group '1: common(1)'"


@pytest.mark.parametrize("command", ["simulate --weights 1", "design", "equilibrium --weights 1"])
@pytest.mark.parametrize(
    "option",
    [
        "--overbidding",
        "--no-overbidding",
        "--cost-power 1",
        "--risk-aversion 0",
        "--values private",
        "--values common",
        "--distribution 'power(2)'",
    ],
)
def test_what_groups_say_for_themselves_is_refused_beside_them(command, option):
    name = option.split()[0].replace("--no-", "--")
    words = f"{name} is said for each --group of bidders who differ: leave it out"
    assert words in said(*shlex.split(f"{command} {option} {GROUPS}"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            f"simulate --weights 1 --bidders 5 {GROUPS}",
            "the groups have 3 bidders, and bidders 5: leave one of them out",
        ),
        (f"design --bidders 2:4 {GROUPS}", "the groups have 3 bidders, and the field 4: leave one of them out"),
        (f"equilibrium --weights .4,.3,.2,.1 {GROUPS}", "too many weights: got 4 for 3 bidders"),
        (
            "simulate --weights 1 --group '0: common(1)' --group '2: common(1)'",
            "at least 1 bidder: got 0; leave it out",
        ),
        ("simulate --weights 1 --group '2: common(1)' --value-levels 9", "value-levels 9 has no effect where no group"),
        ("design --attendance 1 --bidders 2:4", "--attendance has no effect beside a random number of bidders"),
        ("simulate --weights 1 --luck 'normal(-0.2)'", "scale of normal luck must be above 0 and finite: got -0.2"),
        ("simulate --weights 1 --luck 'tullock(0)'", "r of a Tullock contest must be above 0 and finite: got 0"),
        ("simulate --weights 1 --reserve 1", "the reserve must be below the highest bid that can be rational"),
        ("simulate --weights .6,.4 --fee .6", "the fee must be below what the first prize is worth to anybody, 0.6"),
        ("simulate --weights 1 --bidders 0:1", "an auction needs at least 2 bidders: got 1"),
        ("simulate --weights 1 --bidders 1000000", "bidders must be at most 100,000: got 1,000,000; give fewer"),
        ("simulate --weights 1 --bidders 2:1000000", "from 1 to 10,000 at most: got 2:1000000"),
        ("design --group '1000000: common(1)'", "bidders must be at most 100,000: got 1,000,000; give fewer"),
        ("simulate --weights 1 --luck 'normal(1e-9)'", "luck of scale 1e-09 is too small for 101 bids"),
        ("simulate --weights 1 --luck 'pareto(1e-9,2)'", "luck of scale 1e-09 is too small for 101 bids"),
        ("simulate --weights 1 --luck 'exponential(1e-12)'", "luck of scale 1e-12 is too small, or its tail too long"),
        (
            "simulate --weights 1 --luck 'tullock(1e6)'",
            "r 1e+06 of a Tullock contest leaves too little luck for 100 bids",
        ),
        (
            "simulate --weights 1,0 --luck 'tullock(1)' --group '1: common(1), head-start 0.1' --group '1: common(1)'",
            "a head start has no meaning where luck acts on the logarithm of bids: give a handicap",
        ),
    ],
)
def test_contests_that_contradict_themselves_are_refused_in_one_line(line, words):
    told = said(*shlex.split(line))
    assert words in told
    assert len(told.strip().splitlines()) == 1
    assert len(told) <= 310


def test_more_memory_can_be_allowed(monkeypatch):
    with pytest.raises(
        AllpayError, match="this would take 5 GB of memory, more than 3 GB: give less, or set ALLPAY_MEMORY"
    ):
        check_memory(5e9, "this", "give less")
    monkeypatch.setenv(LIMIT, "6")
    check_memory(5e9, "this", "give less")
    for strange in ("much", "0", "-1", "nan", "inf"):
        monkeypatch.setenv(LIMIT, strange)
        with pytest.raises(AllpayError, match="ALLPAY_MEMORY must be a number of GB above 0"):
            check_memory(1, "this", "give less")


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        (["simulate", "--weights", "0.8"], "take fewer bidders, values, bids or rounds"),
        (["simulate", "--weights", "0.8", "--rounds", "77"], "take fewer --rounds (got 77)"),
    ],
)
def test_the_line_on_memory_names_what_was_asked_for(monkeypatch, line, remedy):
    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr("allpay.study.sweep.learn_one", refuse)
    done = CliRunner().invoke(app, line)
    assert done.stderr == f"allpay: out of memory: {remedy}\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_the_version_that_cannot_be_written_is_one_line():
    line = f"{sys.executable} -m allpay.cli --version > /dev/full"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "allpay: cannot write the results: No space left on device; send stdout elsewhere\n"


def test_simulate_writes_the_rounds_and_the_figure_that_it_promises(tmp_path):
    out = tmp_path / "one"
    quick = ["simulate", "--weights", "0.8", "--rounds", "2", "--iterations", "50", "--out", str(out), "--json"]
    found = json.loads(CliRunner().invoke(app, quick).stdout)
    rounds = pl.read_parquet(out / "rounds.parquet")
    assert rounds["revenue"].to_list() == found["revenue"]["rounds"]
    assert pl.read_csv(out / "rounds.csv").columns == rounds.columns
    assert (out / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "figure.pdf").read_bytes().startswith(b"%PDF")
    assert (out / "summary.txt").exists()


def test_grids_are_counted_before_they_are_made():
    with pytest.raises(AllpayError, match=r"a grid of [0-9,]+ designs of 6 ranks"):
        grid(OrderedSimplex(6, 6), 10**9)
    with pytest.raises(AllpayError, match=r"at least the 2\^200 corners of the space: got 9 designs"):
        grid(Box(200, (0.0,) * 200, (1.0,) * 200), 9)


def test_a_distribution_has_all_its_numbers_or_none():
    assert distribution("uniform") == distribution("uniform()") == Uniform(0, 1)
    for text in ("uniform(0)", "lognormal(0)", "lognormal(0,1)", "beta(2)"):
        with pytest.raises(AllpayError, match=r"takes (. or )?. numbers: got"):
            distribution(text)


def test_long_work_says_now_and_then_how_far_it_is(monkeypatch, capsys):
    """In plain lines where nobody sees bars, on stderr, and no more once the work is done."""
    told, over = [], Event()

    def echo(text, **options):
        told.append((text, options))
        if len(told) == 3:
            over.set()

    monkeypatch.setattr(progress, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(progress, "LONGEST_WAIT", 0.01)
    monkeypatch.setattr(console.typer, "echo", echo)
    with console.reporting("cases") as reporter, reporter.stage("sampled \x1bauctions"):
        reporter.advance(3, 7)
        assert over.wait(10)
    assert told[-1] == ("allpay: sampled \\x1bauctions, 3 of 7 cases, 0 s", {"err": True})
    ended = len(told)
    time.sleep(0.03)
    assert len(told) == ended
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            ["simulate", "--reserv", "1"],
            "No such option: --reserv (did you mean '--reserve'?); see allpay simulate --help",
        ),
        (
            ["judge", "7500", "-500,20"],
            "No such option: -500,20 (a number below 0 is read as an option; no prize is below 0); see allpay judge --help",
        ),
        (
            ["compare", "-.5,1.5"],
            "No such option: -.5,1.5 (a number below 0 is read as an option; no prize is below 0); see allpay compare --help",
        ),
        (["judge", "-bidders", "3"], "No such option: -bidders (did you mean '--bidders'?); see allpay judge --help"),
        (["judge", "-x", "3"], "No such option: -x; see allpay judge --help"),
        (["equilibrium", "--seed", "3"], "No such option: --seed; see allpay equilibrium --help"),  # --fee is far
        (["equilibrium", "--value-levels", "9"], "No such option: --value-levels; see allpay equilibrium --help"),
    ],
)
def test_only_what_is_near_is_suggested(line, told):
    with pytest.raises(Exception, match="No such option") as caught:
        app(line, standalone_mode=False, prog_name="allpay")
    assert console.usage_in_one_line(caught.value, line) == f"allpay: {told}"


def test_where_all_ranks_must_carry_weight_no_range_is_told():
    assert "all 2 ranks must be allowed to carry weight: got 1" in said("design", "--bidders", "2", "--prizes", "1")


def test_columns_of_weights_that_carry_nothing_are_left_out():
    weights = {f"w{k}": [0.6, 1.0] if k == 1 else [0.4, 0.0] if k == 2 else [0.0, 0.0] for k in range(1, 81)}
    assert without_empty(pl.DataFrame(weights), 79).columns == [
        "w1",
        "w2",
    ]  # of one design, where any rank may carry weight
    assert without_empty(pl.DataFrame(weights), 4).columns == [
        "w1",
        "w2",
        "w3",
        "w4",
    ]  # few, as a study of such designs has


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "Bids are given by quantile of a bidder's value."),
        (
            ["--values", "common"],
            "The value is known, so bids are given by quantile of the bid itself, which may be random.",
        ),
        (["--group", "1: common(1)", "--group", "1: common(0.5)"], "bid at 75%              0.3750             0.2500"),
    ],
)
def test_a_table_says_what_its_quantiles_are_of(options, told):
    assert told in CliRunner().invoke(app, ["equilibrium", "--weights", "1", *options]).stdout
