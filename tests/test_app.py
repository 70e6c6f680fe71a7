"""The live page without a browser: a contest as a link, a box and a study file, prizes that follow the hand, and answers."""

import asyncio
import sys
import time
from dataclasses import replace
from itertools import pairwise
from urllib.parse import parse_qsl

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from allpay.app import labels
from allpay.app.answers import answer, best, read
from allpay.app.contest import READERS, changed, from_study_file, misfit, query_of, study_file, weights_of
from allpay.app.learning import frames
from allpay.app.past import known
from allpay.app.split import dragged, reach, resized
from allpay.app.state import MOST_BYTES, Contest
from allpay.app.words import unit
from allpay.app.worker import Stopped, Worker
from allpay.cli import app
from allpay.contest.game import Setting
from allpay.errors import AllpayError
from allpay.judgement import judge
from allpay.learners import LEARNERS
from allpay.objectives import objective
from allpay.study.file import read_file

CONTESTS = [
    Contest(),
    Contest(bidders="10", prizes=(0.5, 0.25, 0.25), purse=20000.0, cost_power=2.0, objective="top-3"),
    Contest(bidders="3:8", reserve=0.1, learner="regret-matching"),
    Contest(groups=("2: uniform(0,1)", "4: uniform(0,0.5), cost 2, presence 0.9"), luck="normal(0.2)"),
    Contest(values="common", luck="tullock(1)", attendance=0.8, fee=0.01),
    Contest(values="beta(2,5)", risk_aversion=1.5, objective="0.7*revenue + 0.3*highest-bid"),
]


@st.composite
def splits(draw):
    parts = draw(st.lists(st.floats(0, 1), min_size=1, max_size=10).filter(lambda parts: sum(parts) > 0.01))
    return resized(sorted((part / sum(parts) for part in parts), reverse=True), len(parts))


@settings(deadline=None)
@given(splits(), st.integers(0, 9), st.floats(-0.5, 1.5))
def test_a_prize_that_is_dragged_goes_where_it_can_and_the_others_give_way(shares, rank, share):
    rank = min(rank, len(shares) - 1)
    found = dragged(shares, rank, share)
    low, high = reach(len(shares), rank)
    assert found[rank] == pytest.approx(min(max(share, low), high), abs=2e-5)
    assert sum(found) == pytest.approx(1, abs=1e-9)
    assert all(a >= b - 2e-5 for a, b in pairwise(found))
    assert dragged(found, rank, found[rank]) == pytest.approx(found, abs=2e-5)


@pytest.mark.parametrize("contest", CONTESTS, ids=range(len(CONTESTS)))
def test_a_contest_comes_back_from_its_link_and_from_its_study_file(contest, tmp_path):
    again = changed(Contest(), dict(parse_qsl(query_of(contest))))
    assert (again.contest, again.wrong) == (contest, {})
    alone = study_file(contest, "a link", alone=True)
    assert replace(from_study_file(alone), objective=contest.objective) == contest
    assert objective(from_study_file(alone).objective) == objective(contest.objective)
    for text in (alone, study_file(contest)):
        (tmp_path / "contest.toml").write_text(text)
        study = read_file(tmp_path / "contest.toml", trust=False)
        assert study.bidders == again.number
        assert study.objective == objective(contest.objective).text
    assert study.samples == 50
    assert len(read_file(tmp_path / "contest.toml").designs) == 50


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("bidders", "1", "from 2 to 200"),
        ("bidders", "201", "from 2 to 200"),
        ("bidders", "9" * 40, "from 2 to 200"),
        ("bidders", "1000:2000", "from 2 to 200"),
        ("bidders", "many", "3:8"),
        ("groups", "\n".join(["1: uniform(0,1)"] * 7), "6 groups"),
        ("groups", "300: uniform(0,1)", "from 2 to 200"),
        ("groups", "2 of them", "write it as"),
        ("prizes", "10%,20%,70%", "must not rise"),
        ("prizes", "x", "prizes"),
        ("prizes", "500x12", "10 prizes"),
        ("purse", "-5", "above 0"),
        ("purse", "nan", "above 0"),
        ("values", "uniform(1", "uniform"),
        ("luck", "dice(3)", "dice"),
        ("reserve", "nan", "from 0 to 2"),
        ("cost_power", "9", "from 0.5 to 5"),
        ("attendance", "0", "from 0.05 to 1"),
        ("objective", "os:system", "code of others"),
        ("objective", "0.5*revenue + 0.5*os:system", "code of others"),
        ("learner", "os:system", "learner"),
        ("luck", "n" * 301, "300 letters"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_the_rest_is_kept(name, text, said):
    found = changed(Contest(), {"fee": "0.1", name: text})
    assert list(found.wrong) == [name]
    assert said in found.wrong[name]
    assert len(found.wrong[name]) <= 300
    assert found.contest == Contest(fee=0.1)


def test_parts_that_do_not_fit_each_other_are_told():
    assert misfit(Contest(bidders="3:8", attendance=0.5))[0] == "attendance"
    assert misfit(Contest(bidders="2", prizes=(1.0,), objective="top-3"))[0] == "objective"
    few = changed(Contest(bidders="2"), {"prizes": "0.5,0.3,0.2"})
    assert "prizes for 2 bidders" in few.wrong["prizes"]
    assert [type(part).__name__ for part in read(Contest(bidders="2"), {"prizes": "0.5,0.3,0.2"})] == ["Read"]
    fewer = changed(Contest(), {"bidders": "2"})  # prizes follow
    assert (len(fewer.contest.prizes), fewer.wrong) == (2, {})


def test_a_file_that_is_no_contest_of_the_page_is_refused():
    for text, said in (
        ("[[[", "no study file"),
        ("[study]\nrule = 'payments'\n", "one contest with prizes"),
        ("[study]\nobjective = 'os:system'\n", "code of others"),
        ("[learner]\nname = 'os:system'\n", "learner"),
        ("[study]\nbidders = 5000\n", "from 2 to 200"),
    ):
        with pytest.raises(AllpayError, match=said):
            from_study_file(text)


def test_answers_are_those_of_the_library():
    contest = Contest(bidders="10", cost_power=2.0, prizes=(0.5, 0.3, 0.2))
    found = judge([0.5, 0.3, 0.2], 10, Setting(cost_power=2.0))
    told, second = answer(contest), next(best(contest))
    assert told.method == "theory"
    for text in ("revenue", "highest-bid", "top-3"):
        assert told.told[text] == pytest.approx(found.yours.quantity(text).mean, rel=1e-12)
    assert second.worth["best"] == pytest.approx(found.best.quantity("revenue").mean, rel=1e-9)
    assert second.loss == pytest.approx(1 - told.told["revenue"] / second.worth["best"])
    assert second.exact
    assert told.lines[0].bids == pytest.approx(found.curves[0].tolist(), abs=1e-6)
    assert "loses" in second.words["headline"]


def test_where_there_is_no_formula_a_solver_answers_near_to_what_theory_would():
    asked = Contest(values="common", prizes=(0.6, 0.4), bidders="4")
    by_theory = answer(asked)
    groups = replace(asked, groups=("2: common(1)", "2: common(1)"))
    same = answer(groups)
    assert same.method == "theory"  # groups that are alike
    solved = answer(Contest(groups=("2: uniform(0,1), cost 2", "2: uniform(0,0.5)")))
    assert (by_theory.method, solved.method) == ("theory", "solver")
    assert solved.gain < 0.01
    assert "No formula" in solved.words["method"]
    assert [line.name for line in solved.lines] == ["group 1", "group 2"]
    assert not by_theory.by_value
    assert solved.by_value


def test_bidders_who_learn_are_watched_until_they_converge():
    asked = Contest(prizes=(1.0,), bidders="2", values="common")
    seen = list(frames(asked))
    assert len(seen) > 8
    assert [frame.iterations for frame in seen] == sorted({frame.iterations for frame in seen})
    assert seen[-1].part == 1
    assert seen[-1].gain[0] < seen[0].gain[0] / 10
    assert seen[-1].sentence.startswith("3 of 3 rounds converged")
    assert all(frame.sentence is None for frame in seen[:-1])
    theory = answer(asked)
    assert np.mean(seen[-1].revenue) == pytest.approx(theory.told["revenue"], rel=0.02)
    (only,) = frames(Contest(learner="level-k"))
    assert only.iterations is None


def test_past_contests_are_data_of_bounded_size():
    with pytest.raises(AllpayError, match="ending in"):
        next(known(Contest(), "../../x.py", b""))
    with pytest.raises(AllpayError, match="bytes"):
        next(known(Contest(), "x.csv", b" " * (MOST_BYTES + 1)))
    values = np.random.default_rng(1).uniform(size=(120, 3))
    bids = 2 / 3 * values**3  # winner takes all among three
    rows = [f"{k},{b:.6f}" for k, row in enumerate(bids) for b in row]
    found = next(known(Contest(bidders="3", prizes=(1.0,)), "past.csv", "\n".join(["contest,bid", *rows]).encode()))
    assert (found.bidders, found.contests) == (3, 120)
    assert found.median == pytest.approx(np.median(values), abs=0.06)
    assert READERS["values"](found.values) == found.values
    assert not found.warnings
    assert "where a bid b costs b^1, as on this page" in found.told
    wrong = "contest,bid\n" + "".join(f"{k},{0.9 + 0.01 * b}\n" for k in range(60) for b in range(3))  # all bid much
    refused = next(known(Contest(prizes=(1.0,)), "past.csv", wrong.encode()))
    assert refused.told.startswith("Do not use these values")
    assert "The page keeps its own bidders." in refused.told


def test_the_unit_of_effort_is_that_of_the_values():
    assert unit(Contest()) == "An effort of 1 costs as much as the whole purse is worth at face value."
    estimated = replace(Contest(), values="beta(2,3,1.5)", cost_power=2.0)
    assert unit(estimated).startswith("Efforts are in the unit of the bids that the values come from")
    assert unit(estimated).endswith("an effort of 1 costs a value of 1, one of 0.5 costs 0.25.")


def test_past_contests_with_luck_or_with_values_are_read_so():
    rng = np.random.default_rng(2)
    bids = rng.uniform(0.1, 0.3, (80, 3))
    order = np.argsort(-(bids + rng.normal(0, 0.1, bids.shape)), axis=1).argsort(axis=1) + 1
    rows = [f"{k},{b:.4f},{r},{1 + b:.4f}" for k in range(80) for b, r in zip(bids[k], order[k], strict=True)]
    lucky = next(known(Contest(luck="normal(0.1)"), "x.csv", "\n".join(["contest,bid,rank,value", *rows]).encode()))
    assert "with normal(0.1), as on this page" in lucky.told
    plain = [row.rsplit(",", 2)[0] + "," + row.rsplit(",", 1)[1] for row in rows]
    told = next(known(Contest(prizes=(1.0,)), "x.csv", "\n".join(["contest,bid,value", *plain]).encode()))
    assert told.median == pytest.approx(1 + np.median(bids), rel=0.01)


def test_the_page_lists_what_the_library_has():
    assert set(labels.LEARNERS) == set(LEARNERS)
    for listed, name in ((labels.VALUES, "values"), (labels.LUCK, "luck"), (labels.FORMS, "objective")):
        assert all(READERS[name](text) == text for text in listed)
    assert [f"{x:.0f}" for x in weights_of(Contest(prizes=(1.0,)))] == ["1", "0", "0", "0", "0"]


def test_a_worker_answers_is_stopped_and_starts_again():
    async def use():
        worker = Worker()
        try:
            found = await worker.ask("answers.export", Contest(), "", True)
            with pytest.raises(ValueError, match="bidders"):
                await worker.ask("answers.open_study", "[study]\nbidders = 5000\n")
            begin = time.perf_counter()
            asyncio.get_running_loop().call_later(0.3, worker.stop)
            with pytest.raises(Stopped):
                await worker.ask("learning.frames", Contest(bidders="60", luck="normal(0.2)", learner="ppo"))
            assert time.perf_counter() - begin < 5
            assert await worker.ask("answers.export", Contest(), "", True) == found
        finally:
            worker.close()

    asyncio.run(use())


def test_without_nicegui_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "nicegui", None)
    done = CliRunner().invoke(app, ["app"])
    assert done.exit_code == 2
    assert "(the extra allpay[app]) with pip install 'allpay-auctions[app]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_and_an_address_that_is_none_are_told():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for line, said in ((["--port", port], "another --port"), (["--host", "no.such.host.invalid"], "cannot serve")):
            done = CliRunner().invoke(app, ["app", "--no-browser", *line])
            assert done.exit_code == 2
            assert said in done.stderr
