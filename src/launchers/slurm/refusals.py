"""What Slurm's words mean: refusals of sbatch and reasons of waiting jobs, as reason codes of the matcher.

sbatch has no codes for its refusals, only words (docs/slurm-facts.md#refusals-and-reasons). This module knows the words
of 22.05, and the reasons of man squeue, JOB REASON CODES.
"""

from __future__ import annotations

import re

from attrs import frozen


@frozen
class Refusal:
    """A reason code (a `Reason` of the matcher, or "" where none fits), and whether the job can never start."""

    code: str
    never: bool


_SBATCH = (
    (r"Requested time limit is invalid", "duration"),
    (r"Invalid (qos|account)|Required partition not available|Invalid partition name", "closed"),
    (r"Memory required by task is not available", "memory"),
    (r"Node count specification invalid", "nodes"),
    (r"More processors requested than permitted|CPU count per node can not be satisfied", "cores"),
    (r"Job violates accounting/QOS policy", "limit"),
    (r"Invalid feature specification|Invalid generic resource", "gpu-model"),
    (r"Requested (node|partition) configuration (is )?not available", "limit"),
)
_PENDING = (
    (r"PartitionTimeLimit|.*MaxWallDuration.*", "duration", True),
    (r"PartitionNodeLimit|.*(Max|Grp)Node(PerJob|Limit).*", "nodes", True),
    (r"MaxMemPerLimit|.*Max(Memory|Mem)PerJob.*", "memory", True),
    (r".*account not permitted.*|.*QOS not permitted.*|InvalidAccount|InvalidQOS", "closed", True),
    (r"PartitionDown|PartitionInactive", "closed", False),
    (r"(QOS|Assoc)Min.*", "minimum", True),
    (r"(QOS|Assoc)Max\w*(PerJob|PerNode|MinutesPerJob)\w*|QOSMaxGRESPerJob", "limit", True),
    (r"(QOS|Assoc)(Grp|Max)(?!Jobs|Submit)\w*|Max\w+RunMinsPer(User|Account)", "limit", False),
    (r"BadConstraints", "gpu-model", True),
    (r"PartitionConfig", "limit", True),
    (r"DependencyNeverSatisfied|AccountingPolicy", "", True),
)
"""Pattern of a reason, reason code, whether the job can never start. The first pattern that matches counts."""
_COMMUNICATION = re.compile(
    r"Socket timed out|Unable to contact slurm controller|Zero Bytes were transmitted|Connection refused|"
    r"Resource temporarily unavailable|Transport endpoint|try again later|Connection (timed out|reset)|"
    r"Communication (connection|shutdown) failure|Message (send|receive) failure|Unexpected message (received|type)|"
    r"Protocol (authentication error|version has changed)|standby mode|temporarily unable to accept|Broken pipe|"
    r"No route to host|Network is unreachable|munge",
    re.I,
)
_SBATCH_LINE = re.compile(r"^sbatch: (error|fatal): ", re.M)


def is_refusal(message: str) -> bool:
    """Whether sbatch, which failed, says that slurmctld refused the job.

    It has no exit status for that (docs/slurm-facts.md#refusals-and-reasons). What it says of the way to slurmctld is
    no refusal, and neither is silence, or what somebody else says in its place: the job may have been accepted.
    """
    return _SBATCH_LINE.search(message) is not None and _COMMUNICATION.search(message) is None


def refusal_of_sbatch(message: str) -> Refusal:
    """What a refusal at submission is about."""
    for pattern, code in _SBATCH:
        if re.search(pattern, message):
            return Refusal(code, never=True)
    return Refusal("", never=True)


def refusal_of_reason(reason: str) -> Refusal:
    """What the reason of a waiting job is about. Details behind a comma do not matter."""
    words = reason.strip("() ").replace("_", " ")
    for pattern, code, never in _PENDING:
        if re.fullmatch(pattern, words) or re.fullmatch(pattern, words.split(",")[0]):
            return Refusal(code, never)
    return Refusal("", never=False)
