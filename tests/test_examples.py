"""The examples and the page about them run, and say what they are said to say."""

import ast
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from allpay.contest.game import Game
from allpay.learners import InteriorPoint, learn, learner
from allpay.learners.conformance import check_learner_api
from allpay.outcome import Verdict
from documented import ROOT, alike, assert_printed, run, sections

PAGE = ROOT / "docs" / "agents.md"
CONTESTS = ROOT / "docs" / "contests.md"
NEEDS = ("pettingzoo", "gymnasium", "stable_baselines3", "pyspiel")
LEARNER = "examples.my_learner:MyLearner"


PARTS = {title: path for path in (PAGE, CONTESTS) for title in sections(path)}


@pytest.mark.parametrize(("title", "path"), PARTS.items(), ids=PARTS)
def test_the_page_does_what_it_says(title, path, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    blocks = sections(path)[title]
    code = "".join(block.code for block in blocks)
    for library in NEEDS:
        if library in code:
            pytest.importorskip(library, reason="an optional extra")
    page = ModuleType("page")  # what a page defines can be found again, as workers and pickles need
    monkeypatch.setitem(sys.modules, "page", page)
    for block in blocks:
        printed = run(block, vars(page), tmp_path)
        assert block.printed is not None or not printed or block.language == "sh", f"the page does not show: {printed}"
        if block.printed is not None:
            assert_printed(block.printed, printed)
        if "stable_baselines3_ppo" in block.code:
            earned = float(re.search(r"([\d.]+)% of what can be had", printed)[1])
            assert 98 <= earned <= 100


def test_every_example_is_on_the_page():
    code = "".join(block.code for blocks in sections(PAGE).values() for block in blocks)
    for path in (ROOT / "examples").glob("*.py"):
        if path.stem == "slurm":
            continue  # a cluster is no agent: it is in docs/cluster.md
        assert f"python examples/{path.name}" in code or f"examples.{path.stem}:" in code


def test_the_page_shows_the_learner_as_it_is():
    block = sections(PAGE)["A learner of your own"][0].code
    assert block in (ROOT / "examples" / "my_learner.py").read_text(encoding="utf-8")


def test_twenty_lines_are_a_learner():
    source = (ROOT / "examples" / "my_learner.py").read_text(encoding="utf-8")
    (kind,) = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    lines = source.splitlines()[kind.decorator_list[0].lineno - 1 : kind.end_lineno]
    assert len([line for line in lines if line.strip()]) <= 20


def test_the_example_is_a_good_learner(monkeypatch):
    monkeypatch.chdir(ROOT)
    check_learner_api(learner(LEARNER, iterations=20))
    mine = learner(LEARNER)
    for w in (0.6, 0.8, 1.0):
        game = mine.setting.game(Game.from_weights("prizes", w).mechanism)
        found = learn(game, mine, rounds=2)
        assert set(found.verdicts.ravel()) == {Verdict.CONVERGED.value}
        np.testing.assert_allclose(found.revenue, learn(game, InteriorPoint(), rounds=1).revenue[0, 0], rtol=0.02)


def test_what_the_page_is_compared_by_can_tell():
    assert alike("revenue 0.400, w 0.8", "revenue 0.402, w 0.8")
    assert not alike("revenue 0.400", "revenue 0.43")
    assert not alike("revenue 0.4", "income 0.4")
    assert_printed("b 1\n…\nd 2\n", "a\nb 1\nc\nd 2\n")
    for wrong in ("b 1\nd 2\n", "d 2\nb 1\n", "b 1\n…\ne\n", "b 1\n…\nd 3\n"):
        with pytest.raises(AssertionError, match="the page says"):
            assert_printed(wrong, "a\nb 1\nc\nd 2\n")


def test_paths_of_the_page_exist():
    for target in re.findall(r"\]\((\.\./[^)#]+)\)", PAGE.read_text(encoding="utf-8")):
        assert Path(os.path.normpath(PAGE.parent / target)).exists(), target
