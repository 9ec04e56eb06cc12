"""What squeue, sacct and sdiag print when `launchers.slurm.jobs` asks them, in the form of Slurm 22.05."""

from launchers.slurm.jobs import SEPARATOR

NO_SUCH_JOB = (1, "slurm_load_jobs error: Invalid job id specified")
UNREACHABLE = (1, "slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
SETTLED = "DBD Agent queue size: 0\n"
ONE_JOB = "squeue -h -a -r -t all -j {job}"
"""The question about one job; where it fails, squeue is asked for the same job named twice."""


def row(*cells):
    """One record, each field of which ends with the separator."""
    return "".join(f"{cell}{SEPARATOR}" for cell in cells) + "\n"


def queued(job="7", index="N/A", state="RUNNING", **known):
    """A line of squeue."""
    usual = {"nodes": "n1", "elapsed": "0:05", "partition": "cpu", "submit": 1, "start": 2, "end": 3, "reason": "None"}
    identity = {"folder": "/home/me", "comment": "tok", "name": "x"}
    return row(job, index, state, *{**usual, **identity, **known}.values())


def accounted(id="7", state="COMPLETED", *, used=(), **known):
    """A line of sacct; `used` are the fields about usage, where they were asked for."""
    usual = {"reason": "None", "nodes": "n1", "elapsed": "00:05", "exit": "0:0", "partition": "cpu", "submit": 1}
    times = {"eligible": 1, "start": 2, "end": 3}
    identity = {"folder": "/home/me", "comment": "", "name": "x.tok"}
    return row(id, *used, state, *{**usual, **times, **identity, **known}.values())


def found(job="7", comment="tok", name="x", state="RUNNING", nodes="n1"):
    """A line of either where a token is looked for."""
    return row(job, state, nodes, comment, name)
