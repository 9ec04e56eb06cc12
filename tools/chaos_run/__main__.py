"""Is anything lost, doubled, or believed blindly when everything goes wrong?  Bounded, seeded attacks on real runs.

    tools/chaos here                 this machine
    tools/chaos slurm                a Slurm that is started for it (root, Debian's packages)
    tools/chaos oar                  the OAR of this machine (tools/oar-testbed)
    tools/chaos fake                 a Slurm that is made up, in a folder: needs nothing

    tools/chaos slurm --kind kill,race --tries 50 --seed 7
    tools/chaos slurm --kind kill --seed 7 --first 12 --tries 1 --keep      one try again, and its folder is kept

Each try submits a plan or a flow of a few jobs, attacks it in its way, lets the trouble end, does what a user does then
(`resume`, `wait`) and compares what launchers says with what the jobs have written themselves, into a file outside of
the run folder.  What is counted, and when: chaos_run/judge.py.  The kinds of attack: chaos_run/attacks.py.  The choices
of a try follow from the seed; what the machine makes of them does not.

Exit status: 0 when nothing was lost, doubled, blocked, wrong, and nothing ended in a traceback; 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chaos_run.attacks import KINDS, Kind, free_disk
from chaos_run.beds import BEDS
from chaos_run.judge import FAULTS, fingerprint, heal, judge
from chaos_run.scene import Scene
from chaos_run.shapes import draw

COUNTS = ("tries", "jobs", *FAULTS)
"""What is counted: `jobs` are the starts that the ledgers have, the rest are tries that had such a fault."""
SETTLES = 3.0
"""Seconds after the end of all runs in which nothing may happen any more."""


def new_scene(bed: Any, kind: Kind, seed: int, number: int) -> Scene:
    """Try `number` of a kind: the same shape and choices whenever it is asked for."""
    rng = random.Random(f"{seed}/{bed.name}/{kind.name}/{number}")
    folder = bed.root / f"{kind.name}-{number}"
    folder.mkdir()
    shape = draw(rng, seconds=kind.seconds, heals=kind.heals)
    scene = Scene(f"{kind.name} {number}", folder, rng, shape, bed.environment(folder))
    scene.prefix, scene.python = bed.prefix(), bed.python
    scene.prepare(bed.config)
    if bed.uid:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, bed.uid, bed.uid)
    return scene


def attempt(scene: Scene, what: Any, *arguments: Any) -> None:
    """Do something with a scene; what fails in the tool is a failure of the try, and named."""
    try:
        what(scene, *arguments)
    except Exception as error:
        scene.fault("blocked", f"the attack itself failed: {type(error).__name__}: {error}")


def run_batch(bed: Any, kind: Kind, scenes: list[Scene], workers: int) -> None:
    """Attack, heal and judge some tries at once."""
    rng = random.Random(str(scenes[0].rng.random()))
    with ThreadPoolExecutor(workers) as pool:
        with kind.storm(bed, rng):
            list(pool.map(lambda scene: attempt(scene, kind.act, bed), scenes))
        bed.heal()
        kind.event(bed, scenes)
        list(pool.map(lambda scene: attempt(scene, kind.after, bed), scenes))
        bed.heal()
        list(
            pool.map(lambda scene: attempt(scene, lambda one: heal(one, retries=kind.retries, bound=bed.bound)), scenes)
        )
        list(pool.map(lambda scene: attempt(scene, judge), scenes))
        before = [fingerprint(scene) for scene in scenes]
        time.sleep(SETTLES)
        for scene, text in zip(scenes, before, strict=True):
            if fingerprint(scene) != text:
                scene.fault("wrong", "jobs went on after the run had ended")


def attack(bed: Any, kind: Kind, options: argparse.Namespace, tries: int) -> Counter[str]:
    """All tries of a kind: how many had which fault."""
    total: Counter[str] = Counter()
    numbers = list(range(options.first, options.first + tries))
    for begin in range(0, len(numbers), kind.batch):
        scenes = [new_scene(bed, kind, options.seed, number) for number in numbers[begin : begin + kind.batch]]
        try:
            run_batch(bed, kind, scenes, options.workers)
        finally:
            for scene in scenes:
                free_disk(scene)
                bed.end(scene)
        for scene in scenes:
            total["tries"] += 1
            total["jobs"] += sum(line.word == "start" for line in scene.lines())
            total.update({fault for fault, _ in scene.faults})
            if scene.faults:
                print(report(scene, bed, kind, options), file=sys.stderr, flush=True)
            if not options.keep or not scene.faults:
                shutil.rmtree(scene.folder, ignore_errors=True)
        if options.progress:
            print(f"{bed.name} {kind.name}: {dict(total)}", file=sys.stderr, flush=True)
    return total


def report(scene: Scene, bed: Any, kind: Kind, options: argparse.Namespace) -> str:
    """A try that went wrong, and the command that tries it again."""
    number = scene.name.split()[1]
    lines = [f"tools/chaos {bed.name} --kind {kind.name} --seed {options.seed} --first {number} --tries 1 --keep"]
    lines += [f"  {fault}: {text}" for fault, text in dict.fromkeys(scene.faults)]
    lines += [f"  {'flow' if scene.flow else 'plan'}: {' '.join(describe(scene))}", f"  acts: {'; '.join(scene.acted)}"]
    return "\n".join([*lines, *([f"  folder: {scene.folder}"] if options.keep else [])])


def describe(scene: Scene) -> list[str]:
    """The steps of a shape for people."""
    return [
        f"{step.name}{'' if step.items is None else f'[{step.items}]'}{'!' + ','.join(step.failing) if step.failing else ''}"
        f"({','.join(f'{on} {parent}' for parent, on in step.after.items())})"
        for step in scene.shape
    ]


def table(rows: dict[tuple[str, str], Counter[str]]) -> str:
    """The counts for people."""
    head = ("scheduler", "attack", *COUNTS)
    cells = [head, *((bed, kind, *(str(found[name]) for name in COUNTS)) for (bed, kind), found in rows.items())]
    total: Counter[str] = sum(rows.values(), Counter())
    cells.append(("all", "", *(str(total[name]) for name in COUNTS)))
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser("chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bed", choices=BEDS, metavar="|".join(BEDS))
    parser.add_argument("--tries", type=int, default=100, help="in all, shared among the kinds (100)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, metavar="N", help="start at this try of each kind")
    parser.add_argument("--kind", default="", metavar="K,...", help=", ".join(KINDS))
    parser.add_argument("--keep", action="store_true", help="keep the folders of tries that went wrong")
    parser.add_argument("--workers", type=int, default=12, metavar="N", help="how many tries at once (12)")
    parser.add_argument("--json", action="store_true", help="the counts as JSON")
    options = parser.parse_args(argv)
    options.progress = sys.stderr.isatty()
    bed = BEDS[options.bed]()
    names = options.kind.split(",") if options.kind else [kind for kind in bed.kinds if kind in KINDS]
    if unknown := [name for name in names if name not in bed.kinds or name not in KINDS]:
        parser.error(f"{options.bed} has no {', '.join(unknown)}; it has {', '.join(bed.kinds)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    started, rows = time.monotonic(), {}
    try:
        bed.up()
        for place, name in enumerate(names):
            tries = options.tries // len(names) + (place < options.tries % len(names))
            if tries:
                rows[bed.name, name] = attack(bed, KINDS[name], options, tries)
    finally:
        bed.down()
        if not options.keep:
            shutil.rmtree(bed.root, ignore_errors=True)
    if options.json:
        counts = [{"scheduler": where, "attack": kind, **found} for (where, kind), found in rows.items()]
        print(json.dumps({"seed": options.seed, "seconds": round(time.monotonic() - started), "counts": counts}))
    else:
        print(f"{table(rows)}\nseed {options.seed}, {time.monotonic() - started:.0f} s")
    return 1 if any(found[fault] for found in rows.values() for fault in FAULTS) else 0


if __name__ == "__main__":
    sys.exit(main())
