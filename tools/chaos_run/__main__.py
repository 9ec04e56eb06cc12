"""Is anything lost, doubled, or believed blindly when everything goes wrong?  Bounded, seeded attacks on real runs.

    tools/chaos here                 this machine
    tools/chaos slurm                a Slurm that is started for it (root, Debian's packages)
    tools/chaos oar                  the OAR of this machine (tools/oar-testbed)
    tools/chaos fake                 a Slurm that is made up, in a folder: needs nothing

    tools/chaos slurm --kind kill,race --tries 50 --seed 7
    tools/chaos slurm --kind kill --seed 7 --first 12 --tries 1 --keep      one try again, and its folder is kept

Each try submits a plan, a flow or a scan of a few jobs, attacks it in its way, lets the trouble end, does what a user does then
(`resume`, `wait`) and compares what launchers says with what the jobs have written themselves, into a file outside of
the run folder.  What is counted, and when: chaos_run/judge.py.  The kinds of attack: chaos_run/attacks.py.  The choices
of a try follow from the seed; what the machine makes of them does not.

Exit status: 0 when nothing was lost, doubled, blocked, wrong, and nothing ended in a traceback; 1 otherwise; 3 when the
scheduler cannot be started here.
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
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import slurm_testbed
from chaos_run.attacks import KINDS, Kind, free_disk
from chaos_run.beds import BEDS
from chaos_run.judge import FAULTS, fingerprint, heal, judge
from chaos_run.scene import Scene
from chaos_run.shapes import draw, space

Counts = dict[tuple[str, str], Counter[str]]
"""By scheduler and kind of attack."""
COUNTS = ("tries", "jobs", *FAULTS)
"""What is counted: `jobs` are the starts that the ledgers have, the rest are tries that had such a fault."""
SCAN = 3
"""Which of four tries is a scan, where a kind attacks scans as well."""
SETTLES = 3.0
"""Seconds after the end of all runs in which nothing may happen any more."""


def new_scene(bed: Any, kind: Kind, seed: int, number: int) -> Scene:
    """Try `number` of a kind: the same shape and choices whenever it is asked for."""
    rng = random.Random(f"{seed}/{bed.name}/{kind.name}/{number}")
    folder = bed.root / f"{kind.name}-{number}"
    folder.mkdir()
    is_scan = kind.scans and number % 4 == SCAN
    shape = space(rng, kind.seconds) if is_scan else draw(rng, seconds=kind.seconds)
    scene = Scene(kind.name, number, folder, rng, shape, bed.environment(folder), form="scan" if is_scan else "plan")
    scene.prefix, scene.python = bed.prefix(), bed.python
    scene.prepare(bed.config)
    if bed.uid:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, bed.uid, bed.uid)
    return scene


def run_batch(bed: Any, scenes: Sequence[Scene], workers: int) -> None:
    """Attack, heal and judge some tries at once; what fails in the tool is a failure of the try, and named."""
    first = KINDS[scenes[0].kind]

    def attempt(act: Callable[[Scene], None]) -> Callable[[Scene], None]:
        def attempted(scene: Scene) -> None:
            try:
                act(scene)
            except Exception as error:
                scene.fault("blocked", f"the attack itself failed: {type(error).__name__}: {error}")

        return attempted

    def each(act: Callable[[Scene], None]) -> None:
        list(pool.map(attempt(act), scenes))

    with ThreadPoolExecutor(workers) as pool:
        with first.storm(bed, random.Random(str(scenes[0].rng.random()))):
            each(lambda scene: KINDS[scene.kind].act(scene, bed))
        bed.heal()
        first.event(bed, scenes)
        each(lambda scene: KINDS[scene.kind].after(scene, bed))
        bed.heal()
        each(lambda scene: heal(scene, bed, retries=KINDS[scene.kind].retries))
        each(judge)
        before = [fingerprint(scene) for scene in scenes]
        time.sleep(SETTLES)
        for scene, text in zip(scenes, before, strict=True):
            if fingerprint(scene) != text:
                scene.fault("wrong", "jobs went on after the run had ended")


def attack(bed: Any, kinds: Sequence[Kind], options: argparse.Namespace, tries: Mapping[str, int]) -> Counts:
    """All tries of kinds that do not disturb each other: how many had which fault."""
    counts: Counts = {(bed.name, kind.name): Counter() for kind in kinds}
    pairs = [(number, kind) for kind in kinds for number in range(tries[kind.name])]
    pairs.sort(key=lambda pair: pair[0])
    size = 2 * options.workers  # many only wait
    for begin in range(0, len(pairs), size):
        batch = pairs[begin : begin + size]
        scenes = [new_scene(bed, kind, options.seed, options.first + number) for number, kind in batch]
        try:
            run_batch(bed, scenes, options.workers)
        finally:
            for scene in scenes:
                free_disk(scene)
                bed.end(scene)
        for scene in scenes:
            count = counts[bed.name, scene.kind]
            count.update(tries=1, jobs=sum(line.word == "start" for line in scene.lines()))
            count.update({fault for fault, _ in scene.faults})
            if scene.faults:
                print(report(scene, bed, options), file=sys.stderr, flush=True)
            if not options.keep or not scene.faults:
                shutil.rmtree(scene.folder, ignore_errors=True)
        if options.progress:
            print(table(counts), file=sys.stderr, flush=True)
    return counts


def attack_all(bed: Any, names: Sequence[str], options: argparse.Namespace) -> Counts:
    """The tries of all kinds that can be tried here: together, but for kinds that disturb all that is going on."""
    for name in names:
        if why := bed.hindrance(name):
            print(f"chaos: LOUD: {name} is NOT tried: {why}", file=sys.stderr)
    possible = [name for name in names if not bed.hindrance(name)]
    tries = {name: options.tries // len(possible) for name in possible}
    tries |= {name: tries[name] + 1 for name in possible[: options.tries % max(1, len(possible))]}
    kinds = [KINDS[name] for name in possible if tries[name]]
    groups = [[kind for kind in kinds if not kind.alone], *([kind] for kind in kinds if kind.alone)]
    counts = Counts()
    for group in filter(None, groups):
        counts |= attack(bed, group, options, tries)
    return counts


def report(scene: Scene, bed: Any, options: argparse.Namespace) -> str:
    """A try that went wrong, and the command that tries it again."""
    lines = [
        f"tools/chaos {bed.name} --kind {scene.kind} --seed {options.seed} --first {scene.number} --tries 1 --keep"
    ]
    lines += [f"  {fault}: {text}" for fault, text in dict.fromkeys(scene.faults)]
    lines += [f"  {scene.form}: {' '.join(describe(scene))}", f"  acts: {'; '.join(scene.acted)}"]
    return "\n".join([*lines, *([f"  folder: {scene.folder}"] if options.keep else [])])


def describe(scene: Scene) -> list[str]:
    """The steps of a shape for people."""
    return [
        f"{step.name}{'' if step.items is None else f'[{step.items}]'}{'!' + ','.join(step.failing) if step.failing else ''}"
        f"({','.join(f'{on} {parent}' for parent, on in step.after.items())})"
        for step in scene.shape
    ]


def table(rows: Counts) -> str:
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
    parser.add_argument("--workers", type=int, default=16, metavar="N", help="how many of them act at once (16)")
    parser.add_argument("--json", action="store_true", help="the counts as JSON")
    options = parser.parse_args(argv)
    options.progress = sys.stderr.isatty()
    bed = BEDS[options.bed]()
    names = options.kind.split(",") if options.kind else list(bed.kinds)
    if unknown := [name for name in names if name not in bed.kinds]:
        parser.error(f"{options.bed} has no {', '.join(unknown)}; it has {', '.join(bed.kinds)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    started, rows = time.monotonic(), Counts()
    try:
        bed.up()
        rows = attack_all(bed, names, options)
    except slurm_testbed.TestbedError as error:
        print(f"chaos: LOUD: {options.bed} is NOT tried: {error}", file=sys.stderr)
        return 3
    finally:
        bed.down()
        if not options.keep:
            shutil.rmtree(bed.root, ignore_errors=True)
    if options.json:
        counts = [
            {"scheduler": where, "attack": kind, **{name: found[name] for name in COUNTS}}
            for (where, kind), found in rows.items()
        ]
        print(json.dumps({"seed": options.seed, "seconds": round(time.monotonic() - started), "counts": counts}))
    else:
        print(f"{table(rows)}\nseed {options.seed}, {time.monotonic() - started:.0f} s")
    return 1 if any(found[fault] for found in rows.values() for fault in FAULTS) else 0


if __name__ == "__main__":
    sys.exit(main())
