"""States of jobs and nodes, in Slurm's words (man squeue, man sinfo; facts/slurm.md)."""

from __future__ import annotations

from attrs import frozen

from launchers.connector import CommandError, Connector

ENDED = frozenset(
    {
        "COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE",
        "OUT_OF_MEMORY", "REVOKED",
    }
)  # fmt: skip
"""Job states that never change again (a preempted job that is requeued is PENDING)."""
UNKNOWN = "UNKNOWN"

REASONS = {
    "Resources": "waits for nodes to become free",
    "Priority": "waits behind jobs of higher priority",
    "Dependency": "waits for another job",
    "DependencyNeverSatisfied": "waits for a job that failed: it can never start",
    "BeginTime": "waits for its begin time (a requeued job waits a little)",
    "JobArrayTaskLimit": "waits: so many tasks of its array run at once",
    "JobHeldUser": "is held by its user",
    "JobHeldAdmin": "is held by an administrator",
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
"""Reasons that go on with who may (facts/slurm-verdicts.tsv)."""


def base(state: str) -> str:
    """The state without what Slurm hangs on it: ``CANCELLED by 1000`` is CANCELLED, ``RUNNING+`` is RUNNING."""
    words = state.strip().upper().split()
    return words[0].rstrip("+*") if words else UNKNOWN


def in_words(reason: str) -> str:
    """What a pending reason means."""
    whole = reason.replace("_", " ").strip()
    for start, words in NOT_PERMITTED.items():
        if whole.lstrip("(").startswith(start):
            return f"{words}: it can never start: {whole.partition('(')[2].rstrip(')')}".rstrip(": ")
    bare = reason.strip("()").split(",")[0].strip()
    return REASONS.get(bare, reason.strip("()"))


@frozen
class JobState:
    """What Slurm says of one job: its state (UNKNOWN where nobody knows it any more), reason, nodes, exit code."""

    state: str
    reason: str = ""
    nodes: str = ""
    exit: str = ""

    @property
    def ended(self) -> bool:
        """Whether it will never change again."""
        return self.state in ENDED


def job_state(connector: Connector, job: str) -> JobState:
    """Ask for one job: squeue first, then the controller's memory, then accounting; none of them need exist."""
    tries = (
        (("squeue", "-h", "-a", "-j", job, "-o", "%T|%r|%N|"), _bars),
        (("scontrol", "show", "job", "-o", job), _pairs),
        (("sacct", "-X", "-n", "-P", "-j", job, "-o", "State,Reason,NodeList,ExitCode"), _bars),
    )
    for argv, read in tries:
        try:
            outcome = connector.run(argv, timeout=20)
        except CommandError:
            continue  # a site without slurmdbd has no sacct that answers; the next source is asked
        found = read(outcome.stdout) if outcome.status == 0 else None
        if found is not None:
            return found
    return JobState(UNKNOWN)


def _bars(text: str) -> JobState | None:
    line = text.strip().splitlines()[:1]
    if not line or "|" not in line[0]:
        return None
    state, reason, nodes, exit = ([*line[0].split("|"), "", "", ""])[:4]
    return JobState(base(state), reason, nodes, exit)


def _pairs(text: str) -> JobState | None:
    found = dict(word.split("=", 1) for word in text.split() if "=" in word)
    if "JobState" not in found:
        return None
    return JobState(
        base(found["JobState"]), found.get("Reason", ""), found.get("NodeList", ""), found.get("ExitCode", "")
    )
