"""What the pages for organisers show is what the program prints."""

import pytest

from documented import ROOT, assert_printed, run, sections

PAGES = [ROOT / "docs" / name for name in ("judge.md", "first-contest.md")]


@pytest.mark.parametrize(("page", "title"), [(page, title) for page in PAGES for title in sections(page)])
def test_the_page_prints_what_it_says(page, title, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in sections(page)[title]:
        output = run(block, names, tmp_path)
        if block.printed is not None:
            assert_printed(block.printed, output)
