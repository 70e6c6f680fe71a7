"""What a release needs says the same everywhere: the version, the name, and files that a maintainer switches on."""

import re
import tomllib
from pathlib import Path

import pytest

from allpay.versions import DISTRIBUTION, VERSION, versions

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_version_and_the_name_are_the_same_everywhere():
    hatch = PROJECT["tool"]["hatch"]["version"]
    (found,) = re.findall(hatch["pattern"], (ROOT / hatch["path"]).read_text(encoding="utf-8"))
    assert found == VERSION == versions()["allpay"]
    assert PROJECT["project"]["name"] == DISTRIBUTION
    assert f"version: {VERSION}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert DISTRIBUTION in (ROOT / "RELEASING.md").read_text(encoding="utf-8")


def test_what_is_to_be_installed_is_named_as_the_index_knows_it():
    extras = set(PROJECT["project"]["optional-dependencies"])
    for place in ("README.md", "docs", "src", "examples"):
        files = (
            [ROOT / place]
            if (ROOT / place).is_file()
            else [*(ROOT / place).rglob("*.md"), *(ROOT / place).rglob("*.py")]
        )
        for file in files:
            for name, extra in re.findall(r"pip install \W*(allpay[\w-]*)\[(\w+)\]", file.read_text(encoding="utf-8")):
                assert name == DISTRIBUTION, file
                assert extra in extras, file


def test_the_citation_is_valid():
    cffconvert = pytest.importorskip("cffconvert")
    cffconvert.Citation((ROOT / "CITATION.cff").read_text(encoding="utf-8")).validate()


def test_workflows_are_off_until_a_maintainer_switches_them_on():
    yaml = pytest.importorskip("yaml")
    for name in ("ci", "release"):
        held = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))
        assert list(held[True]) == ["workflow_dispatch"]  # YAML takes the word on for true
        assert held["permissions"] == {"contents": "read"}
    systems = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]["tests"][
        "strategy"
    ]["matrix"]["os"]
    assert [name.split("-")[0] for name in systems] == ["ubuntu", "macos", "windows"]
    assert yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
