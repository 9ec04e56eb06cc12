"""A run folder of this machine as its scheduler would have left it, without having run anything."""

import json
import time

from attrs import define, field

from launchers.jobs.submission import Unit
from launchers.local.jobs import Capacity, LocalJob, Wanted, write_table
from launchers.runs.folder import Store, create, write
from launchers.runs.record import TaskEntry
from launchers.runs.run import Run

GIB = 1024**3


@define
class Recorder:
    """Steps are added in the order of the plan, times in seconds since `start`."""

    root: object
    start: float = field(factory=lambda: time.time() - 7200)
    tasks: list = field(factory=list)
    units: list = field(factory=list)
    jobs: list = field(factory=list)
    events: list = field(factory=list)
    logs: dict = field(factory=dict)

    def step(self, name, waits=(), jobs=((0, 60),), need="duration=1h & cpu(mem=8G, cores=4)", limit=3600, gpus=0):
        """`jobs` are (start, end, changes to the event of the end): no end, still running; (): never started."""
        self.tasks.append(TaskEntry(name, tuple(waits), len(jobs), "box", limit, "f", need))
        for number, (started, ended, changes) in enumerate((*one, None, None, None)[:3] for one in jobs):
            unit = name if len(jobs) == 1 else f"{name}.{number}"
            self.units.append(Unit(unit, "t", ((name, None if len(jobs) == 1 else number),), (), None))
            wanted = (Wanted("cuda"),) * gpus
            job = LocalJob(unit, ("x",), "/", "", "", cores=4, memory=8 * GIB, time_limit=limit, wanted=wanted)
            self.jobs.append(job)
            if started is not None:
                self.events += [
                    {"job": unit, "event": "intent", "time": self.start + started, "tries": 1},
                    {"job": unit, "event": "start", "time": self.start + started, "pid": 1, "born": 1},
                ]
            if ended is not None or changes:
                told = {"state": "COMPLETED", "exit": 0, "reason": "", "cpu": 1.5 * 60, "memory": 2 * GIB}
                when = self.start + (ended if ended is not None else 0)
                self.events.append({"job": unit, "event": "end", "time": when, **told, **(changes or {})})

    def run(self, plan="recorded"):
        """Write it all down."""
        folder, id = create(self.root, plan)
        store = Store(
            folder=folder, plan=plan, id=id, scheduler="local", group="box", created=self.start, command=("plan.py",),
            cwd="/", source=None, tasks=tuple(self.tasks), units=tuple(self.units),
        )  # fmt: skip
        write(store)
        write_table(store.local_folder(1), Capacity(), self.jobs)
        lines = "".join(json.dumps(event) + "\n" for event in self.events)
        (store.local_folder(1) / "events.jsonl").write_text(lines)
        intent = {"event": "starting", "time": self.start, "attempt": 1}
        (folder / "journal.jsonl").write_text(json.dumps(intent) + "\n")
        for unit, text in self.logs.items():
            store.job_folder(unit).mkdir()
            (store.job_folder(unit) / f"{unit}_0_log.out").write_text(text)
        return Run(store)
