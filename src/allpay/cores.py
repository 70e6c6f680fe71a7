"""How many cores this process may use, and how many its linear algebra does."""

import math
import os
import sys
from pathlib import Path

CONTROL_GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")

THREADS = "OPENBLAS_NUM_THREADS"
"""Where NumPy's linear algebra takes the number of its threads from. Theory has small matrices, for which threads that wait for
each other on a busy machine take many times as long as one."""


def cores() -> int:
    """How many cores this process may use, which a cluster or a container may have made fewer than there are."""
    usable = getattr(os, "sched_getaffinity", None)
    count = len(usable(0)) if usable else os.cpu_count() or 1
    return max(1, math.ceil(min(count, quota())))


def quota(groups: Path = CONTROL_GROUPS, membership: Path = MEMBERSHIP) -> float:
    """How many cores' time the control groups of this process may take, at most; infinite where nothing limits them.

    A container is given a part of a machine in this way: it sees all cores, and threads on all of them would wait for each
    other. Version 2 of the groups has `cpu.max`, "150000 100000" for one and a half cores; version 1 has two files. A group
    may take no more than those around it.
    """
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return math.inf
    least = math.inf
    for line in lines:
        _, _, controllers_and_path = line.partition(":")
        controllers, _, path = controllers_and_path.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        for root in (groups, groups / "cpu", groups / "cpu,cpuacct") if controllers else (groups, groups / "unified"):
            inner = root / path.strip("/")
            around = [inner, *(part for part in inner.parents if part.is_relative_to(root))]
            least = min([least, *map(_share, around)])
    return least


def _share(group: Path) -> float:
    """The cores' time of one group."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            most, period = " ".join((group / name).read_text(encoding="utf-8") for name in names).split()
            share = int(most) / int(period)
        except (OSError, ValueError, ZeroDivisionError):  # not there, or "max": no limit
            continue
        if share > 0:  # version 1 writes -1 for none
            return share
    return math.inf


def one_thread() -> None:
    """Let small matrices be multiplied by one thread, unless the user says otherwise or it is too late."""
    if "numpy" not in sys.modules:
        os.environ.setdefault(THREADS, "1")
