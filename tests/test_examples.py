"""The examples are on the page about them, which tests/test_docs.py runs, and the learner of the page is a good one."""

import ast
import os
import re
from pathlib import Path

import numpy as np

from allpay.contest.game import Game
from allpay.learners import InteriorPoint, learn, learner
from allpay.learners.conformance import check_learner_api
from allpay.outcome import Verdict
from documented import ROOT, blocks_of

PAGE = ROOT / "docs" / "agents.md"
LEARNER = "examples.my_learner:MyLearner"


def test_every_example_is_on_the_page():
    code = "".join(block.code for block in blocks_of(PAGE))
    for path in (ROOT / "examples").glob("*.py"):
        if path.stem == "slurm":
            continue  # a cluster is no agent: it is in docs/cluster.md
        assert f"python examples/{path.name}" in code or f"examples.{path.stem}:" in code


def test_the_page_shows_the_learner_as_it_is():
    block = blocks_of(PAGE)[0].code
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


def test_paths_of_the_page_exist():
    for target in re.findall(r"\]\((\.\./[^)#]+)\)", PAGE.read_text(encoding="utf-8")):
        assert Path(os.path.normpath(PAGE.parent / target)).exists(), target
