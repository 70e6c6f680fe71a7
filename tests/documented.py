"""The blocks of a page, as a reader runs them: what they print must be what the page says."""

import contextlib
import io
import re
import runpy
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from allpay.cli import app
from allpay.study.file import read_file

ROOT = Path(__file__).parents[1]

NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Block:
    """A block of code: its language, its lines, and the text block that follows it, if there is one."""

    language: str
    code: str
    printed: str | None


def sections(page: Path) -> dict[str, list[Block]]:
    """The blocks of each section that has some."""
    found: dict[str, list[Block]] = {}
    for part in page.read_text(encoding="utf-8").split("\n## ")[1:]:
        blocks: list[Block] = []
        for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", part, re.DOTALL | re.MULTILINE):
            if language == "text":
                blocks[-1] = Block(blocks[-1].language, blocks[-1].code, code)
            else:
                blocks.append(Block(language, code, None))
        if blocks:
            found[part.split("\n")[0]] = blocks
    return found


def run(block: Block, names: dict[str, object], folder: Path) -> str:
    """Run a block and return what it prints; Python blocks of a section share their names. Programs run in this process, as
    they would in one of their own, for libraries take longer to load than the examples to run."""
    if block.language == "toml":
        (folder / "page.toml").write_text(block.code)
        read_file(folder / "page.toml")
        return ""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        if block.language == "python":
            exec(compile(block.code, "<page>", "exec"), names)
        else:
            assert block.language == "sh"
            for line in block.code.splitlines():
                _program(*shlex.split(line, comments=True))
    return output.getvalue()


def _program(name: str, *arguments: str) -> None:
    if name == "allpay":
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.stderr
        print(done.stdout)
    else:
        assert name == "python"
        before, sys.argv = sys.argv, [*arguments]
        try:
            runpy.run_path(str(ROOT / arguments[0]), run_name="__main__")
        finally:
            sys.argv = before


def assert_printed(expected: str, output: str) -> None:
    """Every line of a page appears in the output, in that order and with the same words; numbers may differ a little, as they
    do between machines. A line of one … stands for any lines between."""
    lines = iter(output.splitlines())
    anywhere = True
    for line in expected.splitlines():
        if line == "…":
            anywhere = True
            continue
        for found in lines:
            if alike(line, found):
                break
            assert anywhere, f"the page says {line!r}, and the program {found!r}"
        else:
            raise AssertionError(f"the page says {line!r}, and the program does not: {output}")
        anywhere = False


def alike(one: str, other: str) -> bool:
    if NUMBER.split(one) != NUMBER.split(other):
        return False
    numbers = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    return all(abs(float(a) - float(b)) <= 0.005 + 0.02 * abs(float(a)) for a, b in numbers)
