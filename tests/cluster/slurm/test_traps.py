"""The 17 requests that sbatch accepts by default and that then never start (facts/slurm.md, "The trap").

For each the broker refuses with the reason and says what would do, and real Slurm is shown to accept it and wait.
"""

import pytest
from attrs import evolve

from launchers.launcher.groups import load_groups
from launchers.matching import match
from launchers.matching.relax import relaxations
from launchers.matching.words import relaxation_text
from launchers.requirement import parse
from slurm_testbed import ask

# what it is, the need, partition, QoS, account, reason code, nearest relaxation, sbatch's options, Slurm's reason
TRAPS = [
    (
        "account not allowed",
        "cpu(cores=1)",
        "restricted",
        None,
        None,
        "closed",
        None,
        "-p restricted",
        "account_not_perm",
    ),
    ("QoS not allowed", "cpu(cores=1)", "a100", "short", None, None, None, "-p a100 -q short", "QOS_not_permitted"),
    ("partition down", "cpu(cores=1)", "offline", None, None, "closed", None, "-p offline", "PartitionDown"),
    (
        *(
            "over the time limit",
            "duration=31min",
            "debug",
            "normal",
            "vision",
            "duration",
            "duration were 30m or less",
        ),
        *("-p debug -t 31", "PartitionTimeLimit"),
    ),
    (
        *("over the time limit of days", "duration=3 days", "cpu", "normal", "vision", "duration"),
        *("duration were 2d or less", "-p cpu -t 3-0", "PartitionTimeLimit"),
    ),
    (
        *(
            "no end in sight",
            "duration=3000 days",
            "cpu",
            "normal",
            "vision",
            "duration",
            "duration were 2d or less",
        ),
        *("-p cpu -t UNLIMITED", "PartitionTimeLimit"),
    ),
    (
        *(
            "over MaxMemPerNode",
            "cpu(mem=1450000M)",
            "bigmem",
            "normal",
            "vision",
            "limit",
            "memory were 1400000M or less",
        ),
        *("-p bigmem --mem=1450000", "MaxMemPerLimit"),
    ),
    (
        *("too many tasks", "cpu(cores=63) & nodes=16", "cpu", "normal", "vision", "nodes", "nodes were"),
        *("-p cpu -n 1000", "PartitionConfig"),
    ),
    (
        *("too many nodes", "nodes=5", "cpu", "normal", "vision", "nodes", "nodes were"),
        *("-p cpu -N5", "PartitionNodeLimit"),
    ),
    (
        *("over MaxNodes", "nodes=2", "bigmem", "normal", "vision", "nodes", "nodes were 1 or fewer"),
        *("-p bigmem -N2", "PartitionNodeLimit"),
    ),
    (
        *("over a QoS's MaxWall", "duration=2h", "cpu", "short", "vision", "duration", "duration were 1h or less"),
        *("-q short -t 2:00:00", "QOSMaxWallDurationPerJobLimit"),
    ),
    (
        *("over a QoS's GPUs", "cuda(model=A100)*5", "gpu", "gpu", "vision", "limit", "GPUs per node were 4 or fewer"),
        *("-p gpu -q gpu --gres=gpu:a100:5", "QOSMaxGRESPerJob"),
    ),
    (
        *("under a QoS's GPUs", "cpu(cores=1)", "gpu", "gpu", "vision", "minimum", "GPUs per node were 1 or more"),
        *("-p gpu -q gpu", "QOSMinGRES"),
    ),
    (
        *(
            "over a user's GPUs",
            "cuda(model=A100)*8 & nodes=2",
            "gpu",
            "highprio",
            "vision",
            "limit",
            "nodes were 1 or fewer",
        ),
        *("-p gpu -q highprio -N2 --gpus-per-node=a100:8", "QOSMaxGRESPerUser"),
    ),
    (
        *("over a QoS's CPUs", "cpu(cores=20)", "cpu", "capped", "vision", "limit", "cores were 16 or fewer"),
        *("-q capped -n 20", "QOSMaxCpuPerJobLimit"),
    ),
    (
        *("over an account's MaxWall", "duration=3h", "cpu", "normal", "guest", "duration", "duration were 2h or less"),
        *("-A guest -t 3:00:00", "AssocMaxWallDurationPerJobLimit"),
    ),
    (
        *("over an account's CPUs", "cpu(cores=20)", "cpu", "normal", "guest", "limit", "cores were 8 or fewer"),
        *("-A guest -n 20", "AssocGrpCpuLimit"),
    ),
]


def narrowed(group, partition, qos, account):
    """The group with this partition, and the offers of this QoS and account."""
    (found,) = [one for one in group.partitions if one.name == partition]
    fitting = [
        one
        for one in found.accesses
        if qos in (None, one.qos) and account in (None, one.account) and not one.closed_reason
    ]
    return evolve(group, partitions=(evolve(found, accesses=tuple(fitting) or found.accesses[:0]),))


@pytest.mark.parametrize("trap", TRAPS, ids=[trap[0] for trap in TRAPS])
def test_the_broker_refuses_what_slurm_lets_wait_for_ever(slurm, trap):
    what, need, partition, qos, account, code, relaxed, flags, reason = trap
    (group,), _ = load_groups(None)
    narrow = narrowed(group, partition, qos, account)
    if code == "closed":
        narrow = evolve(group, partitions=tuple(one for one in group.partitions if one.name == partition))
    answer = match(parse(need), [narrow])
    assert answer.selection is None
    outcomes = [trial.outcome for trial in answer.trials[0]]
    if code is None:
        assert outcomes == []  # no offer of this partition has the QoS
    else:
        assert outcomes
        assert all(code in {one.code for one in outcome} for outcome in outcomes)
    if relaxed:
        nearest = [relaxation_text(relaxation) for relaxation in relaxations(answer)]
        assert any(relaxed in text for text in nearest), nearest
    verdict = ask(slurm, flags.split())
    later = slurm.version > (23,)
    refuses = (
        (24,) < slurm.version < (25,)
    )  # 24.11 refuses more than the partition has after all, 22.05 and 26.05 do not
    if refuses and what in ("too many tasks", "too many nodes"):
        assert verdict.state == "REFUSED"
        return
    assert verdict.state == "PD"
    said = verdict.reason.replace(" ", "_")  # a partition's limits are PartitionConfig until the scheduler has looked
    early = reason.startswith(("Partition", "MaxMem")) or (later and reason == "account_not_perm")
    assert reason in said or (early and said == "PartitionConfig")
