"""Figures as a user wants them: formats, width, letters, colours; and what is drawn into axes of one's own."""

import re

import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

import allpay
from allpay.cli import app
from allpay.errors import AllpayError
from allpay.pipeline import Result
from allpay.report import look
from allpay.report.look import COLOURS, Look, drawing, look_in, looking, save
from allpay.study.sweep import Sweep


def panels(count=2):
    figure = Figure(figsize=(6, 3), layout="constrained")
    for ax in figure.subplots(1, count, squeeze=False).ravel():
        ax.plot([0, 1], [0, 1], color=COLOURS[0], label="equilibrium")
        ax.fill_between([0, 1], [0, 1], color=COLOURS[1])
        ax.bar([0], [1], color=COLOURS[1])
        ax.set(title="bids", xlabel="bid")
        ax.legend()
    return figure


def saved(tmp_path, given, count=2):
    with looking(given), drawing():
        figure = panels(count)
        save(figure, tmp_path / "figure.png")
    return figure


def test_every_command_that_draws_takes_formats_and_a_look(tmp_path):
    done = CliRunner().invoke(
        app,
        [
            *("equilibrium", "--weights", "1", "--plot", str(tmp_path / "x.png"), "--figures", "pdf,svg"),
            "--look",
            "width=3",
        ],
    )
    assert done.exit_code == 0, done.output
    assert {path.name for path in tmp_path.iterdir()} == {"x.png", "x.pdf", "x.svg"}
    pdf = (tmp_path / "x.pdf").read_bytes()
    assert b"/Type3" not in pdf
    assert b"/Type 3" not in pdf
    assert b"/FontFile2" in pdf
    assert look.current() == look.PLAIN  # nothing is left of it
    for command in ("simulate", "design", "run", "resume", "reproduce", "judge", "sweep", "compare", "estimate"):
        text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout
        assert "--figures" in text
        assert "--look" in text


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--figures", "jpgg"], "unknown figures 'jpgg'"),
        (["--look", "width=-1"], "width is a number above 0"),
        (["--look", "colours=blau,#12"], "names or #rrggbb"),
        (["--look", "style=none.mplstyle"], "there is none at"),
        (["--look", "bold"], "a look is said as"),
    ],
)
def test_a_look_that_cannot_be_is_told(words, match, tmp_path):
    done = CliRunner().invoke(app, ["equilibrium", "--weights", "1", "--plot", str(tmp_path / "x.png"), *words])
    assert done.exit_code == 2
    assert match in done.stderr
    assert not list(tmp_path.iterdir())


def test_formats_without_a_figure_are_refused():
    done = CliRunner().invoke(app, ["equilibrium", "--weights", "1", "--figures", "pdf"])
    assert done.exit_code == 2
    assert "give --plot FILE" in done.stderr


def test_width_letters_labels_and_colours(tmp_path):
    given = look_in(["width=3", "letters", "colours=black,#888888", "label:bid=effort", "label:bids=Efforts"], ("pdf",))
    figure = saved(tmp_path, given)
    assert tuple(figure.get_size_inches()) == (3, 1.5)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["(a) Efforts", "(b) Efforts"]
    assert figure.axes[0].get_xlabel() == "effort"
    assert figure.axes[0].lines[0].get_color() == (0.0, 0.0, 0.0, 1.0)
    assert figure.axes[0].patches[0].get_facecolor()[:3] == pytest.approx((136 / 255,) * 3)
    assert (tmp_path / "figure.pdf").exists()
    assert saved(tmp_path, given, 1).axes[0].get_title(loc="left") == "Efforts"  # one panel needs no letter


def test_letters_grow_and_a_style_file_is_taken_but_fonts_stay_whole(tmp_path):
    import matplotlib

    file = tmp_path / "own.mplstyle"
    file.write_text("axes.grid: True\npdf.fonttype: 3\n")
    with looking(Look(font_size=12, style=file)), drawing():
        assert matplotlib.rcParams["font.size"] == 12
        assert matplotlib.rcParams["legend.fontsize"] == pytest.approx(9.75)
        assert matplotlib.rcParams["axes.grid"]
        assert matplotlib.rcParams["pdf.fonttype"] == 42


def test_what_was_found_is_drawn_into_axes_of_ones_own():
    game = allpay.Game.from_weights("prizes", 0.8, bidders=3, bid_levels=21)
    outcome = allpay.learn(game, allpay.FictitiousPlay(iterations=100), rounds=2)
    sweep = allpay.study.run(
        allpay.Study(
            allpay.DesignSpace("prizes"),
            allpay.FictitiousPlay(iterations=50),
            allpay.Setting(bid_levels=21),
            samples=3,
            rounds=2,
        )
    )
    assert isinstance(sweep, Sweep)
    for made, labels in (
        (allpay.equilibrium(game), ("quantile of the value", "bid")),
        (outcome, ("value", "bid")),
        (sweep, ("weight of the highest rank", "revenue")),
    ):
        ax = Figure().subplots()
        assert made.plot(ax=ax) is ax
        assert (ax.get_xlabel(), ax.get_ylabel()) == labels
        assert ax.lines or ax.collections
        with pytest.raises(AllpayError, match="axes of Matplotlib"):
            made.plot(ax="here")
    assert Result.plot is Sweep.plot


SMALL = ["--rounds", "2", "--iterations", "50", "--value-levels", "8", "--bid-levels", "11"]


@pytest.mark.parametrize(
    ("line", "tables"),
    [
        (["judge", "60%", "40%", "--bidders", "4"], 3),
        (["sweep", "--bidders", "3:4"], 1),
        (["compare", "0.5,0.5", "--bidders", "3,4"], 1),
        (["equilibrium", "--weights", "0.8"], 1),
        (["equilibrium", "--weights", "1", "--distribution", "integers(0,3)"], 1),
        (["simulate", "--weights", "0.8", "--group", "1: uniform(0,1)", "--group", "2: uniform(0,0.5)", *SMALL], 2),
        (["design", "--method", "theory", "--bidders", "4"], 1),
        (["design", "--method", "theory", "--bidders", "4", "--objective", "revenue", "--objective", "top-2"], 1),
    ],
)
def test_every_table_is_told_for_a_paper_and_for_a_page(line, tables):
    done = CliRunner().invoke(app, [*line, "--format", "latex"])
    assert done.exit_code == 0, done.output
    assert done.stdout.count(r"\begin{table}") == done.stdout.count(r"\caption{") == tables
    assert done.stdout.startswith(r"\begin{table}")  # nothing but tables
    assert not re.search(r"\d s\b", done.stdout)  # no time that it took: the same question, the same table
    done = CliRunner().invoke(app, [*line, "--format", "markdown"])
    rows = [row for row in done.stdout.splitlines() if row.startswith("|")]
    assert sum(row.startswith("|:---|") for row in rows) == tables
    for format_given, more in (("html", []), ("latex", ["--json"])):
        wrong = CliRunner().invoke(app, [*line, "--format", format_given, *more])
        assert wrong.exit_code == 2
        assert "format" in wrong.stderr


def test_data_are_told_for_a_paper_too(tmp_path):
    past = tmp_path / "past.csv"
    made = ["simulate", "--weights", "0.8,0.2", "--bidders", "3", "--contests", "60", "--out", str(past)]
    assert CliRunner().invoke(app, made).exit_code == 0
    assert CliRunner().invoke(app, [*made, "--format", "latex"]).exit_code == 2  # contests are no table
    known = ["estimate", str(past), "--resamples", "2", "--family", "uniform", "--out", str(tmp_path / "known")]
    done = CliRunner().invoke(app, [*known, "--format", "latex"])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(r"\begin{table}")
    assert "50\\% & " in done.stdout
    assert (tmp_path / "known" / "summary.txt").is_file()  # files are those of any other form
    assert "format" not in (tmp_path / "known" / "command.txt").read_text()
