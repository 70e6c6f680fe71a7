"""What the page on prize tables shows is what the program prints."""

import pytest

from documented import ROOT, assert_printed, run, sections

PAGE = ROOT / "docs" / "judge.md"


@pytest.mark.parametrize("title", sections(PAGE))
def test_the_page_prints_what_it_says(title, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in sections(PAGE)[title]:
        output = run(block, names, tmp_path)
        if block.printed is not None:
            assert_printed(block.printed, output)
