"""The usage of a job, from the lines of sacct."""

from launchers.jobs.usage import Usage
from launchers.slurm.accounting import usage_of

GIB = 1024**3

# What sacct 22.05 printed: a job of 3 CPUs that holds 150 MB in a step for 11 s, one that was too short to be sampled.
JOB = "5|billing=3,cpu=3,mem=300M,node=1|billing=4,cpu=4,mem=300M,node=1|00:03.148|||1|"
BATCH = "|||00:00.010|12360K|1|1|cpu=00:00:00,energy=0,fs/disk=35395,mem=12360K,pages=0,vmem=221172K"
STEP = "||cpu=4,mem=300M,node=1|00:03.137|159800K|1|1|cpu=00:00:00,energy=0,fs/disk=1685842,mem=159800K,vmem=163056K"
SHORT = "||cpu=4,mem=300M,node=1|00:03.103||1|1|energy=0"


def rows(*lines):
    return [line.split("|") for line in lines]


def test_what_accounting_says():
    usage = usage_of(*rows(JOB, BATCH, STEP))
    peak = (12360 + 159800) * 1024
    assert usage == Usage(1, 3, 300 * 2**20, 0, 300, 4, peak, 3.148)
    assert usage_of(*rows(JOB, SHORT)).peak is None
    assert usage_of(*rows(JOB)).peak is None


def test_what_accounting_says_of_many_nodes_and_tasks():
    """Two nodes, four tasks: one large, three small; the bound is the sum, the largest times two would be more."""
    job = "60|billing=8,cpu=8,mem=16G,node=2,gres/gpu=4,gres/gpu:a100=4|cpu=8,mem=16G,node=2|1-02:03:04.5|||2|"
    step = "||cpu=8|1-02:03:04|10485760K|4|2|cpu=1-02:03:04,mem=12G"
    usage = usage_of(*rows(job, step))
    assert usage == Usage(2, 4, 8 * GIB, 2, 3600, 8, 12 * GIB, 93784.5)
    assert usage_of(*rows(job, step.replace("mem=12G", "energy=0"))).peak == 20 * GIB
    assert usage_of(*rows("UNLIMITED||||||Unknown|")) == Usage()
