"""A run folder of this machine as its scheduler would have left it, without having run anything."""

import json
import time

from attrs import define, field

from launchers.jobs.submission import Submission
from launchers.local.jobs import Capacity, LocalJob, Wanted, write_table
from launchers.runs.folder import create_folder
from launchers.runs.journal import Intent, Submitted
from launchers.runs.record import StepRecord
from launchers.runs.run import PlanRun
from launchers.runs.stored import StoredRun, write_run

GIB = 1024**3


@define
class Recorder:
    """Steps are added in the order of the plan, times in seconds since `start`."""

    root: object
    start: float = field(factory=lambda: time.time() - 7200)
    steps: list = field(factory=list)
    submissions: list = field(factory=list)
    jobs: list = field(factory=list)
    events: list = field(factory=list)
    logs: dict = field(factory=dict)

    def step(self, name, waits=(), jobs=((0, 60),), need="duration=1h & cpu(mem=8G, cores=4)", limit=3600, gpus=0):
        """`jobs` are (start, end, changes to the event of the end): no end, still running; (): never started."""
        self.steps.append(StepRecord(name, tuple(waits), len(jobs), "box", limit, "f", need))
        for number, (started, ended, changes) in enumerate((*times, None, None, None)[:3] for times in jobs):
            id = name if len(jobs) == 1 else f"{name}.{number}"
            item = None if len(jobs) == 1 else number
            self.submissions.append(Submission(id, "t", ((name, item),), (), {}))
            wanted = (Wanted("cuda"),) * gpus
            job = LocalJob(id, ("x",), "/", "", "", cores=4, memory=8 * GIB, time_limit=limit, wanted=wanted)
            self.jobs.append(job)
            self._add_events(id, started, ended, changes)

    def _add_events(self, id, started, ended, changes):
        if started is not None:
            self.events += [
                {"job": id, "event": "intent", "time": self.start + started, "tries": 1},
                {"job": id, "event": "start", "time": self.start + started, "pid": 1, "born": 1},
            ]
        if ended is not None or changes:
            end = {"state": "COMPLETED", "exit": 0, "reason": "", "cpu": 1.5 * 60, "memory": 2 * GIB}
            when = self.start + (ended if ended is not None else 0)
            self.events.append({"job": id, "event": "end", "time": when, **end, **(changes or {})})

    def run(self, plan="recorded"):
        """Write it all down."""
        folder, id = create_folder(self.root, plan)
        run = StoredRun(
            folder=folder, plan=plan, id=id, scheduler="local", group="box", created=self.start, command=("plan.py",),
            cwd="/", source=None, steps=tuple(self.steps), submissions=tuple(self.submissions),
        )  # fmt: skip
        write_run(run)
        local = folder.path / "local" / "1"
        write_table(local, Capacity(), self.jobs)
        (local / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in self.events))
        names = [submission.name for submission in self.submissions]
        folder.journal.append(Intent(names, time=self.start))
        folder.journal.append(Submitted({name: f"1/{name}" for name in names}, time=self.start))
        for submission, text in self.logs.items():
            folder.job_folder(submission).mkdir()
            (folder.job_folder(submission) / f"{submission}_0_log.out").write_text(text)
        return PlanRun(run)
