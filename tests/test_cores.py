"""How many threads and cores are asked for."""

import os
import subprocess
import sys

import pytest

from allpay.cores import THREADS

ASKED = """
import os, sys
from importlib.abc import MetaPathFinder
from allpay.cores import THREADS

class Watch(MetaPathFinder):
    def find_spec(self, name, *_):
        if name == "numpy":
            print("threads", os.environ.get(THREADS))

sys.meta_path.insert(0, Watch())
from allpay.cli import app
app(sys.argv[1:], standalone_mode=False)
"""


@pytest.mark.parametrize("line", ["judge 3 1 --bidders 4", "sweep --bidders 3,4", "design --method theory"])
def test_theory_takes_one_thread_of_linear_algebra(line):
    """Small matrices are multiplied by one thread several times as fast, and by as many only if they are asked for first."""
    env = {name: value for name, value in os.environ.items() if name != THREADS}
    done = subprocess.run(
        [sys.executable, "-c", ASKED, *line.split()], env=env, capture_output=True, text=True, check=True
    )
    assert "threads 1" in done.stdout.splitlines()[0]
