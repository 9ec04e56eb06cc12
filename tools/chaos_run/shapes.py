"""The plans, flows and scans that are attacked, as data: which steps there are, what they wait for, and which of them fail."""

from __future__ import annotations

import json
import random
import shlex
from collections.abc import Mapping
from pathlib import Path

from attrs import asdict, evolve, field, frozen

JOB = Path(__file__).with_name("job.sh")
NEED = "cpu(cores=1) & duration=10m"


@frozen
class StepShape:
    """A step of one job, or a Map of `items` jobs.

    `failing` are the items that fail ("-": the only job), with `once` in the first attempt only.  `after` has how it
    waits for others, in the words of plans: ok, any, failed, each.
    """

    name: str
    items: int | None = None
    failing: tuple[str, ...] = ()
    once: bool = False
    seconds: float = 0
    after: Mapping[str, str] = field(factory=dict)

    @property
    def members(self) -> list[str]:
        """The names of its jobs, as the ledger has them."""
        return ["-"] if self.items is None else [str(number) for number in range(self.items)]

    def argv(self, ledger: Path) -> list[str]:
        """The command of its jobs; that of a Map is given the item behind it."""
        words = [self.name, ",".join(self.failing) or "none", str(int(self.once)), f"{self.seconds:g}"]
        return ["/bin/sh", str(JOB), str(ledger), *words]


Shape = tuple[StepShape, ...]
"""Steps, parents first."""


def draw(rng: random.Random, *, seconds: float) -> Shape:
    """A shape by chance; in one of three, what fails does so in the first attempt only."""
    shape = rng.choice(SHAPES)(rng, seconds)
    once = rng.random() < 1 / 3
    return tuple(evolve(step, once=once) for step in shape)


def diamond(rng: random.Random, seconds: float) -> Shape:
    """Two branches that join, and a handler of a failure in one of them."""
    bad = rng.random() < 0.5
    return (
        StepShape("a", seconds=seconds),
        StepShape("b", seconds=seconds, failing=("-",) if bad else (), after={"a": "ok"}),
        StepShape("c", after={"a": "ok"}),
        StepShape("d", after={"b": "ok", "c": "ok"}),
        StepShape("rescue", after={"b": "failed"}),
    )


def chain(rng: random.Random, seconds: float) -> Shape:
    """A chain in which a step fails; what comes after it must not run, but for its handlers."""
    bad = rng.randrange(3)
    names = ["a", "b", "c", "d"]
    steps = [
        StepShape(
            name,
            seconds=seconds if number == bad else 0,
            failing=("-",) if number == bad else (),
            after={names[number - 1]: "ok"} if number else {},
        )
        for number, name in enumerate(names)
    ]
    return (
        *steps,
        StepShape("rescue", after={names[bad]: "failed"}),
        StepShape("anyway", after={names[bad]: "any"}),
    )


def many(rng: random.Random, seconds: float) -> Shape:
    """A Map of up to 20 items, one of which may fail, between two steps."""
    count = rng.randint(4, 20)
    failing = (str(rng.randrange(count)),) if rng.random() < 0.5 else ()
    return (
        StepShape("a"),
        StepShape("m", count, failing, seconds=seconds, after={"a": "ok"}),
        StepShape("z", after={"m": "ok"}),
        StepShape("end", after={"m": "any"}),
    )


def parallel(rng: random.Random, seconds: float) -> Shape:
    """Steps side by side, one of which fails, and what waits for all of them."""
    names = [f"p{number}" for number in range(rng.randint(2, 5))]
    bad = rng.choice([*names, ""])
    steps = [StepShape(name, seconds=seconds, failing=("-",) if name == bad else ()) for name in names]
    return (
        *steps,
        StepShape("good", after=dict.fromkeys(names, "ok")),
        StepShape("all", after=dict.fromkeys(names, "any")),
    )


def pairs(rng: random.Random, seconds: float) -> Shape:
    """A Map after a Map, item by item."""
    count = rng.randint(3, 8)
    failing = (str(rng.randrange(count)),) if rng.random() < 0.5 else ()
    return (
        StepShape("first", count, failing, seconds=seconds),
        StepShape("second", count, after={"first": "each"}),
        StepShape("last", after={"second": "any"}),
    )


def space(rng: random.Random, seconds: float) -> Shape:
    """A scan of a few tasks, one of which may fail; in one of two it fails in the first attempt only."""
    count = rng.randint(2, 6)
    failing = (str(rng.randrange(count)),) if rng.random() < 0.5 else ()
    return (StepShape("scan", count, failing, once=rng.random() < 0.5, seconds=seconds),)


SHAPES = (diamond, chain, many, parallel, pairs)
FLOW_CONDITIONS = {"ok": "afterok", "any": "afterany", "failed": "afternotok"}


# -- as what launchers takes -----------------------------------------------------------------------------------


def write_plan(shape: Shape, ledger: Path, path: Path) -> None:
    """Write what `chaos_run.client submit` reads."""
    steps = [{**asdict(step), "argv": step.argv(ledger)} for step in shape]
    path.write_text(json.dumps(steps))


def submit_plan(path: str, jobs: int | None = None) -> None:
    """Submit the plan in a file, as a client does."""
    from launchers.plan import Dag, Map, Plan, Step
    from launchers.runs.call import Command

    nodes, after = [], {}
    for step in json.loads(Path(path).read_text()):
        if step["items"] is None:
            nodes.append(Step.command(step["name"], NEED, step["argv"]))
        else:
            nodes.append(Map(step["name"], NEED, Command(tuple(step["argv"])), list(range(step["items"]))))
        if step["after"]:
            after[step["name"]] = step["after"]
    Plan("chaos", Dag(*nodes, after=after)).submit(jobs=jobs)


def write_flow(shape: Shape, ledger: Path, path: Path) -> bool:
    """Write the same as a flow (YAML reads JSON); False where a flow of its own has to say it otherwise."""
    if any(step.items is not None for step in shape):
        return False
    jobs = [
        {
            "name": step.name,
            "command": step.argv(ledger),
            "needs": NEED,
            "depends_on": [f"{FLOW_CONDITIONS[on]}:{parent}" for parent, on in step.after.items()],
        }
        for step in shape
    ]
    path.write_text(json.dumps({"name": "chaos", "jobs": jobs}))
    return True


def write_scan(shape: Shape, ledger: Path, folder: Path, runs: Path) -> None:
    """Write a scan.yaml (YAML reads JSON) and its worker into a folder; its runs go to another one.

    A task finds its submission, which another attempt has a new one of, by the name that it has just taken.
    """
    (step,) = shape
    folder.mkdir()
    worker = folder / "work.sh"
    worker.write_text(
        "#!/bin/sh\n"
        "name=$(ls -t ../jobs/*/runner.$SLURM_ARRAY_TASK_ID | head -n 1)\n"
        f'SUBMITIT_FOLDER=${{name%/*}} exec {shlex.join(step.argv(ledger))} "$SLURM_ARRAY_TASK_ID"\n'
    )
    worker.chmod(0o755)
    rows = [{"task": item} for item in step.members]
    entries = {"worker": worker.name, "needs": NEED, "workdir": str(runs), "parameters": {"list": rows}}
    (folder / "scan.yaml").write_text(json.dumps(entries))
