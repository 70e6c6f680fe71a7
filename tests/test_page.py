"""`allpay report`: one page for any folder, whose text is data whatever stands in it."""

import base64
import hashlib
import json
import re
import shlex
import shutil
from html import unescape
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from allpay.cli import app
from allpay.errors import AllpayError
from allpay.estimate.kept import load, save
from allpay.estimate.values import EstimatedGroups
from allpay.references import lies_in
from allpay.report.page import REPORT, html_of, write_report
from allpay.report.pages.common import split_in_words
from allpay.report.pages.study import Named, _designs_charts
from allpay.study import DesignSpace

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'"


def run(*line):
    done = CliRunner().invoke(app, [str(word) for word in line])
    assert done.exit_code == 0, done.output
    return done


class Page(HTMLParser):
    """What a browser would find: its elements, its scripts, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.scripts, self.text, self.links = [], [], [], []
        self.inside = None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.links += [value for name, value in attributes.items() if name in ("src", "href", "action")]
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        if tag == "script":
            self.scripts.append((attributes, ""))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "script":
            attributes, held = self.scripts[-1]
            self.scripts[-1] = (attributes, held + data)
        elif self.inside != "style":
            self.text.append(data)

    @property
    def charts(self):
        return {a["data-chart"]: json.loads(held) for a, held in self.scripts if "data-chart" in a}

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


SMALL = ("--samples", 8, "--rounds", 2, "--value-levels", 16, "--bid-levels", 41, "--iterations", 400)


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    folder = tmp_path_factory.mktemp("line") / "study"
    run("design", *SMALL, "--out", folder)
    return folder


def test_the_page_of_a_study_says_the_answer_first_and_holds_all_its_parts(line):
    done = run("report", line)
    assert REPORT in done.stdout
    html = (line / REPORT).read_text(encoding="utf-8")
    assert len(html.encode()) < 3e6
    page = Page(html)
    answer = re.search("Give the whole prize|Split the prize|It hardly matters|cannot tell which", page.words)
    assert answer.start() < page.words.index("How sure is this?")
    for part in (
        "Is the number right?",
        "Is the model right?",
        "Before you use it",
        "Five words",
        "study.json",
        "fictitious-play",
    ):
        assert part in page.words
    assert set(page.charts) == {
        "bars1",
        "curve",
        "fit",
        *(f"bids{k}" for k in (1, 2)),
        *(f"history{k}" for k in (1, 2)),
    }
    names = [row["name"].split(":")[0] for row in page.charts["bars1"]["data"]["values"]]
    known = "cannot tell which" not in answer.group()
    assert names == sorted(["Equal prizes", "Recommended" if known else "Highest prediction", "Winner takes all"])
    assert not [link for link in page.links if not link.startswith(("#", "data:"))]  # nothing from elsewhere
    assert html_of(line) == html  # the same folder, the same page


def test_what_cannot_be_told_recommends_nothing(line, tmp_path):
    shutil.copytree(line, tmp_path / "unknown")
    held = json.loads((line / "result.json").read_text())
    held["results"][0].update(unknown="predictions run from 0 to 1", flat=False)
    held["results"][0]["surrogate"]["r2"] = -0.7
    (tmp_path / "unknown" / "result.json").write_text(json.dumps(held))
    page = Page(html_of(tmp_path / "unknown"))
    words = page.words.split("The specification")[0]
    assert "cannot tell which design is best" in words
    assert "no better than their mean" in words  # not -70 % of the differences
    assert "recommended" not in words.lower()
    assert "recommended" not in json.dumps(page.charts).lower()


def test_losses_that_nobody_would_see_are_none(answer, tmp_path):
    shutil.copytree(answer("compare"), tmp_path / "same")
    held = json.loads((tmp_path / "same" / "theory.json").read_text())
    for design in held["designs"]:
        design.update(losses=[3e-16] * 2, largest_loss=3e-16, mean_loss=2e-16, errors=[0.2, 0.01])
    (tmp_path / "same" / "theory.json").write_text(json.dumps(held))
    page = Page(html_of(tmp_path / "same"))
    assert "e-" not in page.words.split("Five words")[0]
    assert "0% ± 20%" in page.words
    assert {row["value"] for row in page.charts["bars"]["data"]["values"]} == {0}
    assert {row["told"] for row in page.charts["bars"]["data"]["values"]} == {"next to nothing"}


class Parabola:
    """Stands for a network, which is not fitted here: the best designs have a second weight of 0.2."""

    def __init__(self, inputs):
        self.centre = np.zeros(inputs)

    def predict(self, points):
        return 1 - (np.asarray(points)[:, 1] - 0.2) ** 2, np.full(len(points), 0.01)


def charts_of(space, best):
    names = Named(space.rule, None, space)
    result = SimpleNamespace(
        best=SimpleNamespace(value=1.0, low=0.9, high=1.1),
        optimum=SimpleNamespace(interval=[(0.5, 1.0), *[(0.0, 0.4)] * (space.bidders - 1)]),
        flat=False,
        unknown="",
    )
    designs = space.sample(20, 0)
    points = [{"weights": w.tolist(), "design": names.of(w), "value": 1.0, "stderr": 0.1, "w": w[0]} for w in designs]
    return _designs_charts(space, Parabola(len(space.names)), designs, points, result, np.array(best), "revenue", names)


def test_three_prizes_have_a_map():
    charts = charts_of(DesignSpace("prizes", 4, 3), (0.8, 0.2, 0.0, 0.0))
    cells = charts["triangle"]["layer"][0]["data"]["values"]
    assert len(cells) == 40**2
    best = max(cells, key=lambda cell: cell["value"])
    assert re.match(r".* / (19|20|21)", best["design"])
    near = [cell for cell in cells if cell["near"]]
    assert 0 < len(near) < len(cells)


@pytest.mark.parametrize(
    "more", [{}, {"choose": {"reserve": (0, 0.3)}}, {"at_least": (0.2, 0.1), "first_at_most": 0.7}]
)
def test_more_numbers_have_moves_ways_and_dependence(more):
    space = DesignSpace("prizes", 5, 4, **more)
    best = (0.5, 0.2, 0.2, 0.1, 0.0, *[0.1] * len(space.choose))
    charts = charts_of(space, best)
    moves = {(row["from"], row["to"]): row["loss"] for row in charts["moves"]["data"]["values"]}
    assert all(a != b for a, b in moves)
    assert moves[1, 2] == pytest.approx(1e-4)  # 1% of the purse moves the second weight off the peak of the parabola
    assert len(charts["dependence"]) == 4 + len(space.choose)
    assert ("ways" in charts) == (not space.choose)


def test_text_of_a_folder_is_data(line, tmp_path):
    """Whoever sends a folder cannot put an element into the page, in its name, its answer, or its tables."""
    folder = tmp_path / HOSTILE.replace("/", "∕")
    shutil.copytree(line, folder)
    path = folder / "result.json"
    held = json.loads(path.read_text())
    result = held["results"][0]
    result |= {"unknown": HOSTILE, "theory_missing": HOSTILE, "stopped": HOSTILE, "sentence": HOSTILE}
    result["verdicts"][HOSTILE] = 3
    held["versions"][HOSTILE] = HOSTILE
    path.write_text(json.dumps(held))
    (folder / "summary.txt").write_text(HOSTILE)
    kept = json.loads((folder / "references.json").read_text())
    kept["results"][0][1] |= {"name": HOSTILE, "reason": HOSTILE, "equilibrium": None, "verdicts": [HOSTILE]}
    (folder / "references.json").write_text(json.dumps(kept))
    page = Page(html_of(folder))
    assert "img" not in page.tags
    assert page.words.count("alert(1)") >= 6  # it is told, as text
    names = {row["name"].split(":")[0] for row in page.charts["bars1"]["data"]["values"]}
    assert "Highest prediction" in names  # what cannot be told from others is not recommended
    assert "Recommended" not in names
    own = [held for attributes, held in page.scripts if "data-chart" not in attributes]
    assert len(own) == 2
    assert not any("alert(" in held for held in own)
    assert any(HOSTILE in json.dumps(chart, ensure_ascii=False).replace('\\"', '"') for chart in page.charts.values())


def test_the_policy_allows_the_scripts_of_the_page_alone(line):
    html = html_of(line)
    policy = unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1])
    page = Page(html)
    digests = {
        base64.b64encode(hashlib.sha256(held.encode()).digest()).decode()
        for attributes, held in page.scripts
        if "data-chart" not in attributes
    }
    assert set(re.findall("'sha256-(.*?)'", policy)) == digests
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_words_change_without_touching_code(line, tmp_path):
    (tmp_path / "study.html.j2").write_text(
        '{% extends "base.html.j2" %}{% block main %}<p>Mein Satz: {{ study.goal }}</p>{% endblock %}'
    )
    out = tmp_path / "mine.html"
    run("report", line, "--out", out, "--templates", tmp_path)
    assert "Mein Satz: revenue" in out.read_text(encoding="utf-8")
    (tmp_path / "study.html.j2").write_text("{{ nothing_of_that_name }}")
    with pytest.raises(AllpayError, match="template"):
        html_of(line, tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("result.json", "{", "damaged"),
        ("result.json", '{"results": []}', "damaged"),
        ("result.json", '{"results": [{"rule": 1}]}', "cannot be read"),
        ("references.json", '{"format": 1, "results": 3}', "damaged"),
        ("surrogate.npz", "no zip", "surrogate"),
    ],
)
def test_damaged_folders_are_told_in_one_line(line, tmp_path, name, text, match):
    folder = tmp_path / "copy"
    shutil.copytree(line, folder)
    (folder / name).write_text(text)
    done = CliRunner().invoke(app, ["report", str(folder)])
    assert done.exit_code == 2
    assert re.search(match, done.stderr)


def test_what_is_no_answer_is_refused(tmp_path, line):
    for folder, match in ((tmp_path / "none", "no folder"), (tmp_path, "no answer")):
        with pytest.raises(AllpayError, match=match):
            write_report(folder)
    with pytest.raises(AllpayError, match=r"\.html"):
        write_report(line, tmp_path / "x.pdf")
    unfinished = tmp_path / "unfinished"
    shutil.copytree(line, unfinished)
    (unfinished / "result.json").unlink()
    with pytest.raises(AllpayError, match="resume"):
        write_report(unfinished)


def test_older_folders_without_references_have_a_page(line, tmp_path):
    folder = tmp_path / "older"
    shutil.copytree(line, folder)
    (folder / "references.json").unlink()
    page = Page(html_of(folder))
    assert "bids1" not in page.charts
    assert "curve" in page.charts


def test_splits_are_named_shortly():
    assert split_in_words([1.0, 0.0]) == "100%"
    assert split_in_words([0.25] * 4) == "4 × 25%"
    assert split_in_words([0.4, 0.2, 0.1, 0.09, 0.08, 0.07, 0.06]).endswith("7 prizes in all")


@pytest.mark.parametrize(
    ("space", "inside", "outside"),
    [
        (DesignSpace("prizes", 3), (0.5, 0.5, 0.0), (0.4, 0.3, 0.3)),
        (DesignSpace("prizes", 3, first_at_most=0.9), (0.9, 0.1, 0.0), (1.0, 0.0, 0.0)),
        (DesignSpace("prizes", 4, 3, at_least=(0.5, 0.2)), (0.5, 0.3, 0.2, 0.0), (1 / 3, 1 / 3, 1 / 3, 0.0)),
        (DesignSpace("payments", 3, 2, region="box"), (1.0, 1.0, 0.0), (1.0, 0.0, 0.5)),
    ],
)
def test_only_designs_that_a_space_allows_are_held_against_the_best(space, inside, outside):
    assert lies_in(space.polytope, np.array(inside))
    assert not lies_in(space.polytope, np.array(outside))


ANSWERS = {
    "judge": (
        ("judge", "60%", "30%", "10%", "--bidders", 5, "--cost-power", 2),
        "Is this prize table good?",
        {"bars", "prizes"},
    ),
    "sweep": (
        ("sweep", "--bidders", "3:5", "--cost-power", 2),
        "As the number of bidders goes from",
        {"parts", "value"},
    ),
    "two": (
        ("sweep", "--bidders", "3:4", "--cost-power", "1:2"),
        "the power of the cost goes from",
        {"first", "value"},
    ),
    "compare": (("compare", "0.5,0.3,0.2", "--bidders", "4,8"), "safest", {"bars", "heat"}),
    "theory": (("design", "--bidders", 5, "--method", "theory", "--cost-power", 2), "80% / 20%", {"bars"}),
}


@pytest.fixture(scope="module")
def answer(tmp_path_factory):
    """The folder of each of these commands, which is run once."""
    place = tmp_path_factory.mktemp("answers")

    def made(kind):
        if not (place / kind).exists():
            run(*ANSWERS[kind][0], "--out", place / kind)
        return place / kind

    return made


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_folder_has_a_page(kind, answer):
    _, words, charts = ANSWERS[kind]
    folder = answer(kind)
    run("report", folder)
    html = (folder / REPORT).read_text(encoding="utf-8")
    page = Page(html)
    assert words.lower() in page.words.lower()
    assert set(page.charts) == charts
    for part in ("How sure is this?", "Five words", "numpy", "Is the model right?"):
        assert part in page.words
    # the command that it says repeats it
    repeated = shlex.split((folder / "command.txt").read_text())
    assert repeated[0] == "allpay"
    assert " ".join(repeated) in page.words
    if kind in ("theory", "compare", "two"):
        run(*repeated[1:], "--out", folder)  # a folder with a report in it is still one's own
        assert Page(html_of(folder)).charts == page.charts


def test_the_page_of_a_table_has_the_cells_and_colours_of_the_terminal(answer, tmp_path):
    page = Page(html_of(answer("judge")))
    for line in (answer("judge") / "summary.txt").read_text().splitlines():
        if line.startswith(("total effort", "entrants", "what bids cost", "1 ")):
            assert " ".join(line.split()) in page.words
    drawn = page.charts["prizes"]["encoding"]
    assert drawn["x"]["type"] == "ordinal"
    assert page.charts["bars"]["layer"][0]["encoding"]["color"]["scale"]["range"] == drawn["color"]["scale"]["range"]

    run("judge", "60%", "40%", "--bidders", 4, "--out", tmp_path / "linear")
    page = Page(html_of(tmp_path / "linear"))
    kinds = {row["kind"]: row["y"] for row in page.charts["prizes"]["data"]["values"] if row["x"] == 1}
    assert kinds == {"Your table": 0.6, "Best table = Winner takes all": 1.0, "Equal prizes": 0.5}


def test_the_page_of_the_best_design_says_money_ranges_and_assumptions(tmp_path):
    who = ("--bidders", 5, "--distribution", "beta(2,3)", "--cost-power", 2)
    run("design", "--method", "theory", *who, "--money", 20000, "--out", tmp_path / "best")
    page = Page(html_of(tmp_path / "best"))
    _, ranges, money = (tmp_path / "best" / "summary.txt").read_text().splitlines()
    assert ranges in page.words
    assert money.removeprefix("In money: ").rstrip(".") in page.words
    assert "--money 20000 " in page.words
    assert "5 bidders, private values, Beta(2, 3), cost b²." in page.words
    assert "weights move together" in page.words
    assert not re.search(r"\de-\d", page.words.split("The question in full")[0])


def test_the_page_of_an_estimate_with_luck_says_luck_and_what_is_not_tested(tmp_path):
    groups = ("--group", "1: common(1)", "--group", "2: common(0.7)")
    run("simulate", "--weights", 1, "--luck", "tullock(1)", *groups, "--contests", 30, "--out", tmp_path / "past.csv")
    luck = ("--luck", "tullock", "--cost-power", 1, "--resamples", 2)
    run("estimate", tmp_path / "past.csv", *luck, "--out", tmp_path / "known")
    page = Page(html_of(tmp_path / "known"))
    visible = page.words.split("The summary in full")[0]
    assert "30 contests, 90 bids" in visible
    assert "to each, in units of" in visible
    assert "half of the bidders" not in visible.lower()
    assert "Luck: ranks are decided by luck" in visible
    assert "these data cannot test" in visible
    assert "a bid b costs b^1 (--cost-power)" in visible
    assert "next figure" not in visible
    assert page.charts == {}


def test_the_page_of_numbers_of_prizes_says_how_many_are_enough(tmp_path):
    run("sweep", "--prizes", "1:4", "--bidders", 6, "--cost-power", 2, "--out", tmp_path / "sweep")
    page = Page(html_of(tmp_path / "sweep"))
    assert "More than 3 prizes bring nothing more" in page.words.split("How sure is this?")[0]
    assert "the number of prizes allowed goes from 1 to 4" in page.words
    assert page.charts["value"]["layer"][0]["encoding"]["x"]["axis"]["values"] == [1, 2, 3, 4]


def test_the_page_of_a_comparison_has_the_words_and_the_money_of_the_terminal(tmp_path):
    run("compare", "500,300,200", "500,500", "--bidders", "4,8", "--out", tmp_path / "money")
    page = Page(html_of(tmp_path / "money"))
    summary = (tmp_path / "money" / "summary.txt").read_text().splitlines()
    assert "with at most 3 prizes" in summary[0]
    assert summary[0] in page.words
    rows = [line for line in summary if line[:1].isdigit()]
    numbers = list(dict.fromkeys(int(line.split()[0]) for line in rows))
    assert len(rows) == 2 * len(numbers)
    for line in rows[len(numbers) :]:
        assert " ".join(line.split()[1:]) in page.words
    names = [row["name"] for row in page.charts["bars"]["data"]["values"]]
    assert [int(name.split()[0]) for name in names] == numbers
    assert {cell["row"] for cell in page.charts["heat"]["data"]["values"]} == set(names)


def test_a_page_of_a_front_of_one_simulation_and_of_an_estimate(tmp_path):
    two = ("--objective", "revenue", "--objective", "highest-bid")
    run("design", "--bidders", 4, "--cost-power", 2, "--method", "theory", *two, "--out", tmp_path / "front")
    run("simulate", "--weights", 0.8, "--rounds", 2, "--iterations", 200, "--bid-levels", 21, "--out", tmp_path / "one")
    run("simulate", "--weights", 0.8, "--bidders", 3, "--contests", 20, "--out", tmp_path / "past.csv")
    more = ("--family", "uniform", "--resamples", 2)
    run("estimate", tmp_path / "past.csv", *more, "--out", tmp_path / "known")
    bids = Page(html_of(tmp_path / "known")).charts["bids"]["layer"]
    assert bids[1]["encoding"]["color"] == bids[0]["encoding"]["color"]  # diamonds and lines of a kind
    charts = {"front": {"front"}, "one": {"bars", "bids", "history"}, "known": {"values", "bids"}}
    for name, wanted in charts.items():
        page = Page(html_of(tmp_path / name))
        assert set(page.charts) == wanted
        assert "Five words" in page.words


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("judge.json", lambda held: held["splits"][0].update(name=HOSTILE, reason=HOSTILE)),
        ("judge.json", lambda held: held.update(sentences=[HOSTILE] * 2, objective=HOSTILE)),
        ("sweep.json", lambda held: held.update(reasons=[HOSTILE] * 3, question={HOSTILE: HOSTILE})),
        ("theory.json", lambda held: held["designs"][0].update(name=HOSTILE)),
        ("theory.json", lambda held: held["scenarios"][0].update(name=HOSTILE)),
    ],
)
def test_text_of_other_folders_is_data_too(file, change, answer, tmp_path):
    kind = {"judge.json": "judge", "sweep.json": "sweep", "theory.json": "compare"}[file]
    shutil.copytree(answer(kind), tmp_path / "answer")
    path = tmp_path / "answer" / file
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held))
    (tmp_path / "answer" / "command.txt").write_text(HOSTILE)
    page = Page(html_of(tmp_path / "answer"))
    assert "img" not in page.tags
    assert len([1 for attributes, _ in page.scripts if "data-chart" not in attributes]) == 2


def test_an_estimate_of_groups_has_a_page(tmp_path):
    run("simulate", "--weights", 0.8, "--bidders", 3, "--contests", 20, "--out", tmp_path / "past.csv")
    run("estimate", tmp_path / "past.csv", "--family", "uniform", "--resamples", 0, "--out", tmp_path / "one")
    one = load(tmp_path / "one")
    (tmp_path / "two").mkdir()
    save(EstimatedGroups((one, one), (1, 2), 1.0), tmp_path / "two")
    page = Page(html_of(tmp_path / "two"))
    assert "Group 2: half of the bidders" in page.words
    assert set(page.charts) == {"values"}


def test_a_printed_table_of_rounds_has_the_columns_that_a_paper_needs(line):
    folder = str(line)
    exported = CliRunner().invoke(app, ["export", folder, "--format", "markdown"]).stdout.splitlines()
    head = [cell.strip() for cell in exported[2].strip("|").split("|")]
    assert head == ["design", "round", "w1", "w2", "revenue", "highest bid", "could gain", "verdict"]
    assert exported[3] == "|:---|" + "---:|" * 6 + ":---|"  # words begin at the left
    decimals = {len(row.split("|")[5].strip().partition(".")[2]) for row in exported[4:]}
    assert decimals == {4}  # numbers of a column line up
    chosen = CliRunner().invoke(app, ["export", folder, "--columns", "w1, seed"])
    assert chosen.stdout.splitlines()[0] == "w1,seed"
    wrong = CliRunner().invoke(app, ["export", folder, "--columns", "w1,price"])
    assert wrong.exit_code == 2
    assert "price" in wrong.stderr


def test_a_finished_study_is_told_in_tables_again(line, tmp_path):
    shutil.copytree(line, tmp_path / "study")
    tables = CliRunner().invoke(app, ["resume", str(tmp_path / "study"), "--format", "latex"]).stdout
    assert tables.startswith(r"\begin{table}")
    assert tables.count(r"\begin{table}") == 2  # the best design, and all of them
    result = json.loads((line / "result.json").read_text())["results"][0]
    assert f"weight of rank 1 & {result['best']['weights'][0]:.3f} & " in tables
