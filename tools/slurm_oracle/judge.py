"""Put the same needs to the broker and to a real slurmctld, and compare."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from attrs import field, frozen

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launchers.config.build import build
from launchers.config.emit import to_yaml
from launchers.config.load import loads
from launchers.matching import Answer, Selection, match
from launchers.matching.words import assumption_text
from launchers.offer.assumption import Unstated
from launchers.offer.model import Group
from launchers.requirement import Alternative, parse
from launchers.slurm.accounts import Person
from launchers.slurm.convert import convert
from launchers.slurm.query import read_live_cluster
from launchers.slurm.render import render
from slurm_oracle.clusters import USER, Description
from slurm_oracle.truth import MIB, suits, vectors
from slurm_testbed import Testbed, Verdict, ask_all

KINDS = ("soundness", "merge", "leak", "completeness")
UNSURE = {
    Unstated.GPU_KIND, Unstated.GPU_MODEL, Unstated.GPU_MEMORY, Unstated.GPU_COUNT, Unstated.GPU_CHOICE, Unstated.NODE_CHOICE,
}  # fmt: skip
"""Assumptions with which a job may start on nodes that do not suit it."""
LEAKS = 2
"""How many of the nodes that must not be taken are tried for one answer."""


@frozen
class Question:
    """One submission: what it tests, the sbatch options, whether it has to start, and on which nodes it may."""

    kind: str
    flags: tuple[str, ...]
    starts: bool
    nodes: frozenset[str] | None = None


@frozen
class Disagreement:
    """A need, the question about it whose verdict was not what the broker says, and that verdict."""

    need: str
    question: Question
    verdict: str
    answer: str


@frozen
class Tally:
    """How many pairs and questions were asked by kind, and what did not agree."""

    pairs: int = 0
    found: int = 0
    questions: dict[str, int] = field(factory=dict)
    wrong: list[Disagreement] = field(factory=list)
    answers: list[tuple[str, str, tuple[str, ...], bool]] = field(factory=list)
    """The need, the kind of question, the sbatch options and whether the job started, of every question."""


def read_cluster(bed: Testbed, description: Description) -> tuple[Group, ...]:
    """Read the live cluster as `launchers convert` does, for the oracle's user, through the text of a launchers.yaml."""
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(bed.conf)
    drained = ",".join(description.get("drained", ()))
    try:
        if drained:
            bed.command("scontrol", "update", f"NodeName={drained}", "State=DRAIN", "Reason=oracle")
        facts = read_live_cluster().facts
        if drained:
            bed.forget()  # resumed, a CLOUD node is NOT_RESPONDING
    finally:
        os.environ.pop("SLURM_CONF") if before is None else os.environ.update(SLURM_CONF=before)
    person = Person(USER, description.get("default_account"), frozenset({USER}))
    return build(loads(to_yaml(convert(facts, person), "oracle"), "oracle.yaml").document)


def compare(bed: Testbed, description: Description, groups: tuple[Group, ...], needs: Iterable[str]) -> Tally:
    """Ask both sides about each need; equal submissions are made once."""
    asked: list[tuple[str, str, Question]] = []
    pairs = found = 0
    for text in needs:
        answer = match(parse(text), groups)
        pairs += 1
        found += answer.selection is not None
        asked += [(text, _words(answer), question) for question in questions(description, answer)]
    flags = list(dict.fromkeys(question.flags for _, _, question in asked))
    verdicts = dict(zip(flags, ask_all(bed, [list(one) for one in flags], user=USER), strict=True))
    # beside other jobs of ours one may have waited, with a reason that only a job that waits has (QOSMinGRES)
    again = [
        one
        for one in dict.fromkeys(question.flags for _, _, question in asked if question.starts)
        if not verdicts[one].starts
    ]
    verdicts |= zip(again, ask_all(bed, [list(one) for one in again], user=USER, together=1), strict=True)
    tally = Tally(pairs, found, dict.fromkeys(KINDS, 0))
    for text, words, question in asked:
        tally.questions[question.kind] += 1
        verdict = verdicts[question.flags]
        tally.answers.append((text, question.kind, question.flags, verdict.starts))
        if not agrees(question, verdict):
            tally.wrong.append(Disagreement(text, question, repr(verdict), words))
    return tally


def agrees(question: Question, verdict: Verdict) -> bool:
    """Whether the controller did what the question expects."""
    if verdict.starts != question.starts:
        return False
    if not verdict.starts or question.nodes is None:
        return True
    from launchers.quantities.hosts import expand_hosts

    return set(expand_hosts(verdict.nodes)) <= question.nodes


def _words(answer: Answer) -> str:
    if answer.selection is None:
        return "nothing matches"
    text = " ".join(render(answer.selection).flags())
    return text + (
        f"  (assumed: {'; '.join(map(assumption_text, answer.selection.assumed))})" if answer.selection.assumed else ""
    )


def questions(description: Description, answer: Answer) -> Iterator[Question]:
    """What slurmctld has to say about one answer of the broker."""
    if answer.selection is not None:
        yield from _about(description, answer.selection)
        tried = answer.requirement.alternatives.index(answer.selection.alternative)
    else:
        tried = len(answer.requirement.alternatives)
    for alternative in answer.requirement.alternatives[:tried]:
        for flags in submissions(description, alternative):
            yield Question("completeness", flags, starts=False)


def _about(description: Description, selection: Selection) -> Iterator[Question]:
    """That a selection starts where it may, also in each partition and by each clause alone, and nowhere else."""
    options = render(selection).options()
    guessed = any(assumption.fact in UNSURE for assumption in selection.assumed)
    members = inside(description)
    partitions = str(options["partition"]).split(",")
    good = {
        node["NodeName"]
        for node in description["nodes"]
        if guessed or suits(selection.alternative, node, options, description["devices"][node["NodeName"]])
    }
    yield Question("soundness", _flags(options), starts=True, nodes=frozenset(good))
    clauses = str(options.get("constraint", "")).split("|")
    if len(partitions) > 1 or len(clauses) > 1:
        for partition in partitions:
            places = {fit.offer.shape.name: fit for fit in selection.fits if fit.offer.partition.name == partition}
            assert places, f"{partition} is in the answer and nothing of it was merged"
            yield Question("merge", _flags({**options, "partition": partition}), starts=True, nodes=frozenset(good))
        for clause in clauses if len(clauses) > 1 and selection.alternative.nodes == 1 else ():
            bare = clause.removeprefix("(").removesuffix(")")
            named = [fit.offer for fit in selection.fits if set(bare.split("&")) <= fit.offer.shape.features]
            for partition in sorted({offer.partition.name for offer in named}):
                flags = _flags({**options, "partition": partition, "constraint": bare})
                yield Question("merge", flags, starts=True, nodes=frozenset(good))
    reach = sorted({name for partition in partitions for name in members[partition]} - good)
    for name in reach[:LEAKS]:
        yield Question("leak", (*_flags(options), f"--nodelist={name}"), starts=False)


def _flags(options: dict[str, Any]) -> tuple[str, ...]:
    return tuple(f"--{key}" if value is True else f"--{key}={value}" for key, value in options.items())


def inside(description: Description) -> dict[str, list[str]]:
    """The nodes of each partition."""
    return {one["PartitionName"]: str(one["Nodes"]).split(",") for one in description["partitions"]}


def submissions(description: Description, alternative: Alternative) -> Iterator[tuple[str, ...]]:
    """The same need as single-partition submissions: each partition, QoS and account, each spelling of the GPUs."""
    shared: list[str] = [f"--nodes={alternative.nodes}"]
    if alternative.duration:
        shared.append(f"--time={-(-alternative.duration // 60)}")
    if alternative.cores:
        shared.append(f"--cpus-per-task={alternative.cores}")
    memories = [f"--mem={-(-alternative.cpu_memory // MIB)}M"] if alternative.cpu_memory else ["", "--mem=50M"]
    members = inside(description)
    for partition, names in members.items():
        ways: dict[Any, list[str]] = {}
        for name in names:
            for vector in vectors(alternative, description["devices"][name]):
                ways.setdefault(vector, []).append(name)
        for vector, good in ways.items():
            gpus = ",".join(f"{kind}:{number}" if kind else str(number) for kind, number in vector)
            bad = sorted(set(names) - set(good))
            more = [f"--gpus-per-node={gpus}"] if gpus else []
            more += [f"--exclude={','.join(bad)}"] if bad else []
            for account, spec in description["accounts"].items():
                for qos in spec["users"][USER]["QOS"].split(","):
                    place = [f"--partition={partition}", f"--account={account}", f"--qos={qos}"]
                    for memory in memories:
                        yield (*place, *shared, *more, *([memory] if memory else []))
