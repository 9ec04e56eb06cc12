"""The states of jobs, in Slurm's words."""

from __future__ import annotations

ENDED = frozenset(
    {
        "COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE",
        "OUT_OF_MEMORY", "REVOKED", "LOST",
    }
)  # fmt: skip
"""Job states that never change again (a preempted job that is requeued is PENDING)."""


LOST = "LOST"
"""The state of a job of which nobody will know any more: no scheduler knows it, and it has left no result."""


UNKNOWN = "UNKNOWN"
NO_REASON = ("", "None")
"""What Slurm says where it gives no reason."""


REASONS = {
    "Resources": "waits for nodes to become free",
    "Priority": "waits behind jobs of higher priority",
    "Dependency": "waits for another job",
    "DependencyNeverSatisfied": "waits for a job that failed: it can never start",
    "BeginTime": "waits for its begin time (a requeued job waits a little)",
    "JobArrayTaskLimit": "waits: so many tasks of its array run at once",
    "JobHeldUser": "is held by its user",
    "JobHeldAdmin": "is held by an administrator",
    "launch failed requeued held": "is held since its launch on a node failed: scontrol release queues it again",
    "PartitionTimeLimit": "asks for more time than its partition allows: it can never start",
    "PartitionNodeLimit": "asks for more nodes than its partition allows: it can never start",
    "PartitionConfig": "asks for what its partition does not have or does not allow: it can never start",
    "PartitionDown": "waits for its partition to come up",
    "PartitionInactive": "waits for its partition to become active",
    "ReqNodeNotAvail": "waits for nodes that are down, drained or reserved",
    "BadConstraints": "asks for something no node has: it can never start",
    "MaxMemPerLimit": "asks for more memory than is allowed: it can never start",
    "QOSMaxWallDurationPerJobLimit": "asks for more time than its QoS allows: it can never start",
    "AssocMaxWallDurationPerJobLimit": "asks for more time than its account allows: it can never start",
    "QOSMinGRES": "asks for fewer GPUs than its QoS wants: it can never start",
    "QOSMaxJobsPerUserLimit": "waits: its QoS lets so many jobs of a user run",
    "AssocMaxJobsLimit": "waits: its account lets so many jobs run",
    "AssocGrpJobsLimit": "waits: its account lets so many jobs run",
    "QOSMaxGRESPerJob": "asks for more GPUs than its QoS allows a job: it can never start",
    "QOSMaxCpuPerJobLimit": "asks for more CPUs than its QoS allows a job: it can never start",
    "QOSMinCpuNotSatisfied": "asks for fewer CPUs than its QoS wants: it can never start",
    "QOSMaxGRESPerUser": "would give its user more GPUs than the QoS allows at once",
    "AssocGrpCpuLimit": "would give its account more CPUs than it may have at once",
    "Licenses": "waits for a licence",
    "Reservation": "waits for its reservation",
    "NodeDown": "waits for a node to come up",
    "NonZeroExitCode": "ended with an exit status other than 0",
}
"""Why a job waits or failed, for people; reasons that are not here are shown as Slurm has them."""


NOT_PERMITTED = {
    "Job's account not permitted": "asks for a partition that its account may not use",
    "Job's QOS not permitted": "asks for a partition that its QoS may not use",
}
"""Reasons that go on with who may (docs/slurm-facts.md, refusals and reasons)."""


def base(state: str) -> str:
    """The state without what Slurm hangs on it: ``CANCELLED by 1000`` is CANCELLED, ``RUNNING+`` is RUNNING."""
    words = state.strip().upper().split()
    return words[0].rstrip("+*") if words else UNKNOWN


def in_words(reason: str) -> str:
    """What a pending reason means."""
    whole = reason.replace("_", " ").strip().removeprefix("(")
    for start, words in NOT_PERMITTED.items():
        if whole.startswith(start):
            return f"{words}: it can never start: {whole.partition('(')[2].rstrip(')')}".rstrip(": ")
    bare = reason.strip("()").split(",")[0].strip()
    return REASONS.get(bare, reason.strip("()"))
