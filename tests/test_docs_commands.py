"""Every command that the pages show is one that the program takes: its words are parsed, and nothing is run."""

import re
import shlex
from functools import cache

import pytest
from typer.main import get_command

from allpay.cli import app
from documented import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "RELEASING.md", *sorted((ROOT / "docs").glob("*.md"))]

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)

SHELL = {"sh", "bash", "console", ""}
"""The languages of blocks whose lines are commands."""

PLACEHOLDER = re.compile(r"COMMAND|…|\.\.\.")
"""What stands for a command or an option that the reader is to choose."""


@cache
def commands():
    return get_command(app).commands


def in_blocks(text):
    """The lines of blocks that begin with `allpay`, continued lines joined."""
    for _, language, code in FENCE.findall(text):
        if language in SHELL:
            for line in re.sub(r"\\\n", " ", code).splitlines():
                words = line.strip().removeprefix("$ ").removeprefix(".venv/bin/").removeprefix("python -m ")
                if words.startswith("allpay "):
                    yield words


def in_sentences(text):
    """The commands in the middle of sentences, which may lack what a command needs."""
    for code in re.findall(r"`(allpay [^`]+)`", FENCE.sub("", text)):
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_the_pages_parses(page):
    text = page.read_text(encoding="utf-8")
    for line in in_blocks(text):
        if not PLACEHOLDER.search(line.split(" #")[0]) and "--help" not in line:
            assert parse(line) is None, f"this command lacks something: {line}"
    for line in in_sentences(text):
        if not PLACEHOLDER.search(line):
            parse(line)


def test_a_command_that_is_wrong_is_found():
    for line in ("allpay desing", "allpay design --bidder 3", "allpay sweep --bidders 3:4 --seed x"):
        with pytest.raises(AssertionError):
            parse(line)
    assert parse("allpay simulate --rounds 3") is not None  # lacks weights
    assert parse("allpay judge 50% 30% --bidders 5 > judged.txt  # and so on") is None


def test_commands_are_found():
    assert sum(len([*in_blocks(page.read_text(encoding="utf-8"))]) for page in PAGES) > 80
