"""Every block of the pages runs, and prints what its page says. Of the slow ones, which `.ci/run_docs.py` runs, and of commands
in the middle of sentences, at least the words are parsed."""

import re
import shlex
from functools import cache

import pytest
from typer.main import get_command

from allpay.cli import app
from documented import (
    FENCE,
    LEFT_OUT,
    PAGES,
    ROOT,
    SLOW,
    SMALLER,
    Block,
    Reader,
    alike,
    assert_printed,
    blocks_of,
    lines_of,
)

PLACEHOLDER = re.compile(r"COMMAND|…|\.\.\.")
"""What stands for a command or an option that the reader is to choose."""

WITH_BLOCKS = [page for page in PAGES if blocks_of(page)]


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run_and_print_what_it_says(page, tmp_path):
    reader = Reader(page, tmp_path)
    reader.prepare()
    for block in blocks_of(page):
        reader.read(block)
    assert not [why for _, why in reader.left_out if why.endswith("is not installed") and "torch" not in why]


def test_nothing_is_left_out_that_the_pages_do_not_have():
    code = "".join(block.code for page in WITH_BLOCKS for block in blocks_of(page))
    for part in LEFT_OUT:
        assert part in code, part
    for part in (*SMALLER, *SLOW):
        assert re.search(part, code, re.MULTILINE), part


def test_a_block_that_fails_or_says_something_else_is_found(tmp_path):
    reader = Reader(ROOT / "README.md", tmp_path)
    reader.read(Block("python", "x = 1", 1))
    reader.read(Block("python", "print(x)", 1, "1\n"))
    reader.read(Block("sh", "python examples/slurm.py --help  # and what it says", 1))
    for block in (
        Block("python", "print(x)", 1, "2\n"),
        Block("python", "y", 1),
        Block("sh", "allpay desing", 1),
        Block("sh", "allpay equilibrium --weights 1 --bidders 1", 1),
        Block("sh", "make coffee", 1),
        Block("toml", "[study]\nsample = 1\n", 1),
        Block("fortran", "", 1),
    ):
        with pytest.raises((AssertionError, NameError, ValueError)):
            reader.read(block)


def test_what_is_printed_is_compared_but_for_what_differs_between_machines():
    assert alike("revenue 0.400, w 0.8", "revenue 0.402, w 0.8")
    assert alike("4 prizes; 0.18 s.", "4 prizes; 12 s.")
    assert not alike("revenue 0.400", "revenue 0.43")
    assert not alike("revenue 0.4", "income 0.4")
    assert_printed("b 1\n…\nd 2\n", "a\nb 1\nc\nd 2\n")
    for wrong in ("b 1\nd 2\n", "d 2\nb 1\n", "b 1\n…\ne\n", "b 1\n…\nd 3\n"):
        with pytest.raises(AssertionError, match="the page says"):
            assert_printed(wrong, "a\nb 1\nc\nd 2\n")


# Commands that are not run ----------------------------------------------------------------------------------------------


@cache
def commands():
    return get_command(app).commands


def in_blocks(page):
    """The lines of blocks that begin with `allpay`."""
    for block in blocks_of(page):
        for line in lines_of(block) if block.language in ("sh", "") else ():
            words = line.removeprefix(".venv/bin/").removeprefix("python -m ")
            if words.startswith("allpay "):
                yield words


def in_sentences(page):
    """The commands in the middle of sentences, which may lack what a command needs."""
    for code in re.findall(r"`(allpay [^`]+)`", FENCE.sub("", page.read_text(encoding="utf-8"))):
        yield " ".join(code.split())


def parse(line):
    """Raises what the program would say of these words; returns what is missing."""
    words = shlex.split(line.split(" > ")[0].split(" | ")[0].split(" && ")[0], comments=True)[1:]
    if words[0].startswith("--"):
        assert words[0] in ("--version", "--help", "--install-completion", "--show-completion"), line
        return None
    assert words[0] in commands(), f"there is no command {words[0]!r}: {line}"
    command = commands()[words[0]]
    try:
        command.make_context(words[0], [word for word in words[1:] if word != "--help"])
    except Exception as error:  # of Click, which Typer carries with it
        if type(error).__name__ in ("MissingParameter", "NoArgsIsHelpError"):
            return error
        raise AssertionError(f"{line}: {getattr(error, 'message', error)}") from error
    return None


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "RELEASING.md"], ids=lambda page: page.name)
def test_every_command_of_the_pages_parses(page):
    for line in in_blocks(page):
        if not PLACEHOLDER.search(line) and "--help" not in line:
            assert parse(line) is None, f"this command lacks something: {line}"
    for line in in_sentences(page):
        if not PLACEHOLDER.search(line):
            parse(line)


def test_a_command_that_is_wrong_is_found():
    for line in ("allpay desing", "allpay design --bidder 3", "allpay sweep --bidders 3:4 --seed x"):
        with pytest.raises(AssertionError):
            parse(line)
    assert parse("allpay simulate --rounds 3") is not None  # lacks weights
    assert parse("allpay judge 50% 30% --bidders 5 > judged.txt  # and so on") is None


def test_commands_are_found():
    assert sum(len([*in_blocks(page)]) for page in PAGES) > 80
