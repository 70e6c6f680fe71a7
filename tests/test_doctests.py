"""Every example in a docstring runs, in every module of the package."""

import doctest
import importlib
import pkgutil

import pytest

import allpay

MODULES = [m.name for m in pkgutil.walk_packages(allpay.__path__, "allpay.") if not m.name.endswith("__main__")]


@pytest.mark.parametrize("name", ["allpay", *MODULES])
def test_examples_of_docstrings(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:  # a door to a library that is not installed
        if "pip install" not in str(missing):
            raise
        pytest.skip(str(missing))
    assert doctest.testmod(module).failed == 0


def test_there_are_examples_to_run():
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = map(importlib.import_module, ("allpay.contest.game", "allpay.theory.symmetric", "allpay.theory.contests"))
    assert sum(len(test.examples) for module in modules for test in finder.find(module)) > 5
