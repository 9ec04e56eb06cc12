"""A scheduler in memory, and runs that are on it, written to a folder without a plan."""

from pathlib import Path

from launchers.commands import CommandError
from launchers.jobs.backend import Backend, JobAnswer, JobInfo, RefusedError
from launchers.jobs.submission import Parent, Submission
from launchers.runs.folder import create_folder
from launchers.runs.record import StepRecord
from launchers.runs.stored import StoredRun, write_run

TAKEN, LOST = "taken", "lost"


class FakeBackend(Backend):
    """Takes what is sent as job 100, 101 and so on.

    `answers` are what comes of the next requests: TAKEN, LOST (taken, but the answer is a timeout) or a RefusedError.
    `questions` are what comes of the next searches for a token: an exception, or None where the job is not seen yet.
    `infos` is what is known of jobs, by element, `problem` why it cannot be asked,
    `remembers` for how many seconds it knows a job that has ended, and `name` that of its cluster.  What was asked is in `requests`, `cancelled`, `asked` (the jobs in
    each question for states), `prepared` and `revived`; `before_send` is called with each request first.
    """

    title = "the fake scheduler"
    submit_command = "fakesub"
    grace = 0.0
    poll_interval = 0.01

    def __init__(self):
        self.answers, self.questions, self.infos = [], [], {}
        self.requests, self.cancelled, self.asked, self.prepared, self.revived = [], [], [], [], []
        self.tokens, self.problem, self.remembers, self.name = {}, "", float("inf"), ""
        self.before_send = lambda requests: None

    def send(self, requests):
        self.before_send(requests)
        answer = self.answers.pop(0) if self.answers else TAKEN
        if isinstance(answer, RefusedError):
            raise answer
        ids = [self.take(request.submission.token) for request in requests]
        self.requests.append(requests)
        if answer == LOST:
            raise RefusedError(["Socket timed out"], transient=True)
        return ids

    def take(self, token):
        """Have a job with this token; its id."""
        id = str(100 + len(self.tokens))
        assert token not in self.tokens, f"{token} was submitted twice"
        self.tokens[token] = id
        return id

    def forget_after(self):
        return self.remembers

    def cluster(self):
        return self.name

    def find_token(self, token, since):
        answer = self.questions.pop(0) if self.questions else self.tokens.get(token)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def states(self, run, jobs, elements=(), *, usage=False):
        jobs = list(jobs)
        self.asked.append(sorted(jobs))
        infos = {element: info for element, info in self.infos.items() if element[0] in jobs}
        return JobAnswer(infos, self.problem)

    def end(self, id, state="COMPLETED", index=None, /, **info):
        """Say in what state a job, or an element of an array, is."""
        self.infos[id, index] = JobInfo(state, **info)

    def cancel(self, run, elements, tokens):
        elements = list(elements)
        assert all(job in tokens for job, _ in elements)
        self.cancelled.append(elements)

    def prepare(self, requests):
        self.prepared.append([request.submission.name for request in requests])

    def revive(self, run, jobs):
        self.revived.append(sorted(jobs))
        return ""

    def output_patterns(self, request, script):
        return ["%j-%A_%a.out"]

    def largest_array(self):
        return 1000

    def render_script(self, request):
        return ""

    def render(self, selection):
        raise NotImplementedError

    def executor(self, folder, resources, *, name="", token="", early_signal=True):
        raise NotImplementedError

    def submit_function(self, executor, resources, function, *args, **kwargs):
        raise NotImplementedError


AWAY = CommandError("fakequeue: cannot reach the controller")


def refusal(*lines, code="", transient=False):
    """What the scheduler says when it does not take a job."""
    return RefusedError(lines, code, transient=transient)


def submission(name, *parents, items=None, steps=(), **more):
    """A submission of the step of its name, or of these; `items` make it an array of a Map."""
    members = [(step, None) for step in steps or [name]] if items is None else [(name, item) for item in items]
    more.setdefault("parameters", {})
    return Submission(name, f"token-{name}", tuple(members), parents, **more)


def after(name, kind="afterok", index=None):
    """A parent of a submission."""
    return Parent(name, kind, index)


def step(name, waits=(), count=1, **more):
    """A step of a run."""
    more = {"place": "box", "seconds": 3600, "function": "f", "need": None, **more}
    return StepRecord(name, tuple(waits), count, **more)


def stored_run(root, *submissions, steps=None, created=0.0, **more):
    """A run with these submissions in a folder of its own, as it was before anything was sent."""
    members = [member for one in submissions if not one.barrier for member in one.members]
    counts = {name: 1 + max(item or 0 for other, item in members if other == name) for name, _ in members}
    folder, id = create_folder(Path(root), "p")
    run = StoredRun(
        folder=folder, plan="p", id=id, scheduler="slurm", group=None, created=created, command=("plan.py",), cwd="/",
        source=None, steps=tuple(steps or [step(name, count=count) for name, count in counts.items()]),
        submissions=submissions, **more,
    )  # fmt: skip
    write_run(run)
    return run
