"""A study on a SLURM cluster: Dask starts its workers as SLURM jobs, and `allpay run` lets bidders learn there.

    pip install 'allpay-auctions[cluster]' dask-jobqueue   # where the jobs see it too, as on a shared file system
    allpay init study.toml                           # and change it
    python examples/slurm.py study.toml --show       # look at the job script
    python examples/slurm.py study.toml --jobs 20    # on the login node, within tmux, or as a small job of its own

Whatever stops it, the same line goes on from what the study's folder holds. On another kind of cluster only `cluster_of`
differs: dask-jobqueue has PBSCluster, LSFCluster, SGECluster and HTCondorCluster, with the same arguments.
"""

import argparse
import signal
import subprocess
import sys

from dask_jobqueue import SLURMCluster

SPARE = 5
"""Minutes before the end of its job at which a worker ends by itself, having handed over what it had not begun."""


def cluster_of(cores: int, gigabytes: float, minutes: int, queue: str | None) -> SLURMCluster:
    """SLURM jobs of so many cores each, with a worker of one thread and so much memory on every core."""
    return SLURMCluster(
        queue=queue,
        cores=cores,
        processes=cores,
        memory=f"{cores * gigabytes:g}GB",
        walltime=f"{minutes // 60:02}:{minutes % 60:02}:00",
        worker_extra_args=["--lifetime", f"{minutes - SPARE}m", "--lifetime-stagger", f"{SPARE - 1}m"],
        job_script_prologue=["export OMP_NUM_THREADS=1 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false"],
        scheduler_options={"dashboard_address": None},
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="a study file, see `allpay init`")
    parser.add_argument("--jobs", type=int, default=4, help="how many SLURM jobs at most")
    parser.add_argument("--cores", type=int, default=16, help="of a job")
    parser.add_argument("--gigabytes", type=float, default=2.0, help="of memory for a core")
    parser.add_argument("--minutes", type=int, default=60, help="that a job lasts")
    parser.add_argument("--queue", help="the partition; the cluster's usual one if not given")
    parser.add_argument("--show", action="store_true", help="only print the job script")
    asked = parser.parse_args()
    with cluster_of(asked.cores, asked.gigabytes, asked.minutes, asked.queue) as cluster:
        if asked.show:
            print(cluster.job_script())
            return 0
        cluster.adapt(minimum_jobs=1, maximum_jobs=asked.jobs)  # a job that has ended is replaced while there is work
        signal.signal(signal.SIGINT, lambda *_: None)  # a Ctrl-C is for allpay, which then says how to go on
        line = [sys.executable, "-m", "allpay.cli", "run", asked.file, "--scheduler", cluster.scheduler_address]
        return subprocess.run(line, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
