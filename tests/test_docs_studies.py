"""What the pages about studies say is what the tests do, and what the program says."""

import ast
import re
from pathlib import Path

import polars as pl
import pytest

from allpay.learners import FictitiousPlay
from allpay.study import Study, run

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "studies.md").read_text(encoding="utf-8")


def test_every_event_in_the_table_has_a_test():
    known = {
        node.name
        for path in TESTS.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    rows = [line for line in PAGE.split("## When something goes wrong")[1].splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row.split("|")[4])
        assert named, row
        assert set(named) <= known, row


@pytest.mark.parametrize("library", ["polars", "pandas", "duckdb"])
def test_the_tables_open_as_the_page_says(library, tmp_path, monkeypatch):
    pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    run(Study(learner=FictitiousPlay(iterations=20, auctions=100), samples=4, rounds=2), "study", batch=3)
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if f"import {library}" in block)
    tree = ast.parse(code)
    if isinstance(tree.body[-1], ast.Expr):  # its value is what a notebook would show
        tree.body[-1] = ast.Assign([ast.Name("rounds", ast.Store())], tree.body[-1].value)
    names = {}
    exec(compile(ast.fix_missing_locations(tree), "studies.md", "exec"), names)
    rows = names["rounds"].fetchall() if library == "duckdb" else names["rounds"]
    assert len(rows) == (4 if library == "duckdb" else 8)
    assert len(pl.read_parquet("study/batches/*.parquet")) == 8
