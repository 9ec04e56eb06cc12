"""Ask a real slurmctld whether the broker is right, on random clusters.

How it is asked.  A random cluster (nodes, GPUs, features, partitions, QoS and associations with limits) is brought up
as a slurmctld without slurmd: its nodes are State=CLOUD, so a job that can start goes to CF at once and one that never
can stays PD with its reason.  `sbatch --test-only` is not the truth: it says "would start" of jobs that never do.  The
live cluster is read as `launchers convert` reads it, and random needs are put to both sides:

  soundness     what `find` selects is accepted by sbatch under EnforcePartLimits=ALL and starts on an idle cluster,
                on a node that has what was needed
  merge         so it does in each partition and by each feature clause of a merged answer
  leak          and it does not start on nodes of those partitions that do not have it
  completeness  where nothing matches, no submission of the same need to one partition, with any QoS and account
                of the user, starts

What it cannot see: anything that needs a slurmd (CoreSpecCount, which counts when a node registers; whether a job sees
its GPUs; whether it is held to its memory), other users' jobs and usage (limits on usage are tried with none),
preemption, licenses, reservations, several clusters at once.

One limit is Slurm's own: it holds MaxTRESPerNode against what a job has in all divided by its nodes, rounded down, so where
whole sockets are allocated (CR_Socket) on nodes of several shapes a job may start, on nodes that Slurm happens to pick, that
no node's share allows; the broker has each node within the limit (--seed 503 --first 8 --pairs 200 --per-cluster 200:
three of completeness with nodes=3, on 22.05 and 24.11).

The Slurm is that of this machine; `tools/on-debian sid tools/oracle` asks another release's.

A disagreement is made small and printed with the cluster, the need and both answers; it is written to a file that
--replay takes.  Exit status: 0 all agree, 1 some do not.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from attrs import asdict

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slurm_oracle.clusters import Description, cluster, limit_jobs, need
from slurm_oracle.judge import KINDS, Disagreement, Tally, compare, read_cluster
from slurm_oracle.shrink import Case, shrink
from slurm_testbed import PORT, Testbed

PER_CLUSTER = 50
"""Needs put to one cluster before the next is brought up."""


def tried(bed: Testbed, description: Description, needs: list[str]) -> Tally:
    """Bring a cluster up and compare."""
    bed.replace(description)
    return compare(bed, description, read_cluster(bed, description), needs)


def case_of(seed: int, number: int, needs: int) -> tuple[Description, list[str]]:
    """Cluster `number` of a seed, and its needs: the same whenever it is asked for."""
    rng = random.Random(f"{seed}/{number}")
    description = cluster(rng)
    listed = [need(rng, description) for _ in range(needs)]
    limit_jobs(rng, description)
    return description, listed


def smallest(bed: Testbed, description: Description, wrong: Disagreement, tries: int) -> tuple[Case, Disagreement]:
    """The disagreement made small, and what it looks like then."""
    last = wrong

    def still(case: Case) -> bool:
        nonlocal last
        try:
            found = tried(bed, case[0], [case[1]]).wrong
        except Exception as error:  # a cluster that cannot be made smaller this way: slurmctld refused it
            print(f"    (not a cluster: {str(error)[:100]})", file=sys.stderr)
            return False
        same = [one for one in found if one.question.kind == wrong.question.kind]
        last = same[0] if same else last
        return bool(same)

    return shrink((description, wrong.need), still, tries), last


def report(case: Case, wrong: Disagreement) -> str:
    """A disagreement for people."""
    description = {key: value for key, value in case[0].items() if key not in ("devices", "drained")}
    wants = "start" if wrong.question.starts else "not start"
    return (
        f"{wrong.question.kind}: {case[1]}\n  broker:    {wrong.answer}\n  submitted: {' '.join(wrong.question.flags)}\n"
        f"  expected to {wants}, slurmctld: {wrong.verdict}\n  cluster:   {json.dumps(description)}"
    )


def run(bed: Testbed, options: argparse.Namespace) -> Tally:
    """All clusters of a seed."""
    total = Tally(0, 0, dict.fromkeys(KINDS, 0))
    started, number = time.monotonic(), options.first
    while total.pairs < options.pairs:
        description, needs = case_of(options.seed, number, min(options.per_cluster, options.pairs - total.pairs))
        tally = tried(bed, description, needs)
        if options.answers:
            with options.answers.open("a") as file:
                file.writelines(json.dumps([number, *answer]) + "\n" for answer in tally.answers)
        counts = {kind: total.questions[kind] + tally.questions[kind] for kind in KINDS}
        total = Tally(total.pairs + tally.pairs, total.found + tally.found, counts, total.wrong + tally.wrong)
        if options.progress:
            print(
                f"cluster {number}: {total.pairs} pairs, {total.found} found, {sum(counts.values())} questions, "
                f"{len(total.wrong)} disagree, {time.monotonic() - started:.0f} s",
                file=sys.stderr, flush=True,
            )  # fmt: skip
        for kind in KINDS:
            for wrong in [one for one in tally.wrong if one.question.kind == kind][: options.show]:
                case, last = (description, wrong.need), wrong
                if options.shrink:
                    case, last = smallest(bed, description, wrong, options.shrink)
                print(f"seed {options.seed} cluster {number}\n{report(case, last)}\n", flush=True)
                if options.out:
                    options.out.mkdir(parents=True, exist_ok=True)
                    path = options.out / f"{options.seed}-{number}-{kind}.json"
                    path.write_text(json.dumps({"cluster": case[0], "need": case[1]}, indent=1))
        number += 1
    return total


def summary(total: Tally, seconds: float) -> str:
    """The counts by kind."""
    lines = [f"{total.pairs} pairs, {total.found} of them found a launcher, {seconds:.0f} s"]
    for kind in KINDS:
        wrong = sum(one.question.kind == kind for one in total.wrong)
        lines.append(f"{kind:13} agree {total.questions[kind] - wrong:6}  disagree {wrong}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        "oracle", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, metavar="N", help="start at this cluster of the seed")
    parser.add_argument("--per-cluster", type=int, default=PER_CLUSTER)
    parser.add_argument("--shrink", type=int, default=60, metavar="TRIES", help="0: show disagreements as they are")
    parser.add_argument("--show", type=int, default=1, metavar="N", help="disagreements shown of each kind and cluster")
    parser.add_argument("--out", type=Path, help="a folder for the reproductions")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="ask about one reproduction again")
    parser.add_argument(
        "--answers", type=Path, metavar="FILE", help="append every question and its verdict, a JSON list a line"
    )
    parser.add_argument("--json", action="store_true", help="counts and disagreements as JSON")
    parser.add_argument("--port", type=int, default=PORT + 500)
    options = parser.parse_args(argv)
    options.progress = sys.stderr.isatty()
    state = Path(tempfile.mkdtemp(prefix="launchers-oracle-"))
    state.chmod(0o755)
    bed = Testbed(state, port=options.port, cluster="oracle", enforce="ALL")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    started = time.monotonic()
    try:
        if options.replay:
            case = json.loads(options.replay.read_text())
            total = tried(bed, case["cluster"], [case["need"]])
            for wrong in total.wrong:
                print(report((case["cluster"], case["need"]), wrong))
        else:
            total = run(bed, options)
    finally:
        bed.wipe()
    if options.json:
        wrong = [{**asdict(one), "question": {**asdict(one.question), "nodes": None}} for one in total.wrong]
        print(json.dumps({"pairs": total.pairs, "found": total.found, "questions": total.questions, "wrong": wrong}))
    else:
        print(summary(total, time.monotonic() - started))
    return 1 if total.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
