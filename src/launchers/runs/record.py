"""plan.json: what was submitted, by whom and from which source, as it is written and read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

import attrs
from cattrs import (
    BaseValidationError,
    ClassValidationError,
    Converter,
    ForbiddenExtraKeysError,
    IterableValidationError,
)
from cattrs.cols import homogenous_tuple_structure_factory
from cattrs.errors import IterableValidationNote

from launchers.commands import CommandError, LocalConnector
from launchers.errors import RunError
from launchers.events import LATEST
from launchers.files.problems import ConfigError
from launchers.files.tree import KeyPath, format_path, read_tree
from launchers.jobs.submission import DEPENDENCY_TYPES, STEP_NAME, Parent, Submission
from launchers.order import CircularWaitError, sort_by_waits
from launchers.requirement import cpu, parse
from launchers.runs.escalate import factors
from launchers.schedulers import SCHEDULERS

VERSION = 1
LARGEST_BITS = 63
"""Bits of the largest number: a longer one cannot be calculated with as a float."""
ANYTHING = cpu(cores=1)
"""The need of a step when neither it nor its plan has one."""


@attrs.frozen
class StepRecord:
    """A step as plan.json has it.

    `waits` are the names of the steps before it and the condition of each, `count` how many jobs it is, `place` the
    partition or machine for people, `seconds` the time limit (None: none).  `function` is what it runs, for people.
    `need` is its requirement (None: Slurm's options, or a script, say what it asks for) and `options` what was given
    by hand beside it.  `retry` is how often it is submitted again when it fails, and the escalation then.
    """

    name: str
    waits: tuple[tuple[str, str], ...]
    count: int
    place: str
    seconds: int | None
    function: str
    need: str | None
    options: tuple[tuple[str, Any], ...] = ()
    retry: tuple[int, str] | None = None
    identity: str = ""
    fail_fast: bool = False
    srun: bool = True
    rivals: tuple[str, ...] = ()


@attrs.frozen
class SourceRevision:
    """The commit that a run was submitted from, and whether files had been changed since."""

    commit: str
    changed: bool


@attrs.define(kw_only=True)
class RunRecord:
    """A submitted plan: `created` is in seconds of the epoch, and `source` is None where there is no git.

    `jobs` is how many of its jobs may run at once on this machine (None: no limit).  `cluster` is the name of the
    cluster that the scheduler is of ("": it has none).
    """

    plan: str
    id: str
    scheduler: str
    group: str | None
    created: float
    command: tuple[str, ...]
    cwd: str
    source: SourceRevision | None
    steps: tuple[StepRecord, ...]
    submissions: tuple[Submission, ...]
    jobs: int | None = None
    cluster: str = ""


def origin(command: Sequence[str] = ()) -> dict[str, Any]:
    """The fields of a RunRecord that say where this process submits it from.

    `command` stands for this process' command line where that is not to be kept.
    """
    return {"command": tuple(command) or (sys.executable, *sys.argv), "cwd": str(Path.cwd()), "source": _source()}


def _source() -> SourceRevision | None:
    git = LocalConnector()
    try:
        commit = git.run(("git", "rev-parse", "HEAD"), timeout=10)
        changed = git.run(("git", "status", "--porcelain"), timeout=10)
    except CommandError:
        return None
    if commit.status or changed.status:
        return None
    return SourceRevision(commit.stdout.strip(), bool(changed.stdout.strip()))


def dumps(record: RunRecord) -> str:
    """The text of plan.json."""
    entry = {field.name: _plain(getattr(record, field.name)) for field in attrs.fields(RunRecord)}
    return json.dumps({"version": VERSION, **entry}, indent=1, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return attrs.asdict(value) if attrs.has(type(value)) else value


# -- reading ---------------------------------------------------------------------------------------------------


def loads(text: str, path: Path) -> RunRecord:
    """What plan.json says.  Raises RunError that names the line that launchers did not write."""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise _bad(path, line, "this is not JSON") from None
    if not isinstance(entry, dict):
        raise _bad(path, 1, "this is not a JSON object")
    version = entry.pop("version", None)
    if type(version) is not int or version != VERSION:
        line = _line(text, ("version",))
        raise RunError(f"{path}:{line}: it has version {version!r}, this launchers reads version {VERSION}")
    try:
        record = _converter(detailed=False).structure(entry, RunRecord)
    except Exception:
        where = _first_difference(entry)
        raise _bad(path, _line(text, where), f"{format_path(where)} {_difference(entry, where)}") from None
    for where, what in _contradictions(record):
        raise _bad(path, _line(text, where), f"{format_path(where)}: {what}")
    return record


def _bad(path: Path, line: int, reason: str) -> RunError:
    return RunError(f"{path}:{line}: {reason} (only launchers writes this file: restore it, or submit the plan again)")


def _line(text: str, where: KeyPath) -> int:
    """The line of a value, or of what is nearest above it."""
    try:
        return read_tree(text, "").problem("", where, "").line
    except ConfigError:
        return 1


@cache
def _converter(*, detailed: bool) -> Converter:
    """Takes what `dumps` writes and nothing else; `detailed` notes the place of what is different, and is slower."""
    converter = Converter(forbid_extra_keys=True, detailed_validation=detailed)

    def exactly(*kinds: type) -> Callable[[Any, Any], Any]:
        def structure(value: Any, _: Any) -> Any:
            if type(value) not in kinds or (type(value) is int and value.bit_length() > LARGEST_BITS):
                raise TypeError
            return value

        return structure

    for kind in (str, int, bool):
        converter.register_structure_hook(kind, exactly(kind))
    converter.register_structure_hook(float, exactly(float, int))

    @converter.register_structure_hook_factory(lambda kind: get_args(kind)[-1:] == (Ellipsis,))
    def from_list(kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:
        structure = homogenous_tuple_structure_factory(kind, converter)

        def read(value: Any, _: Any) -> Any:
            if not isinstance(value, list):  # text is a sequence too
                raise TypeError
            return structure(value, kind)

        return read

    return converter


def _first_difference(entry: Mapping[str, Any]) -> KeyPath:
    """Where an object is first different from what `dumps` writes."""
    try:
        _converter(detailed=True).structure(entry, RunRecord)
    except BaseValidationError as error:
        return _first_place(error)
    raise AssertionError("unreachable: both converters take the same")


def _first_place(error: Exception) -> KeyPath:
    """The place that cattrs noted in its groups of errors."""
    if isinstance(error, ClassValidationError | IterableValidationError):
        noted, others = error.group_exceptions()
        if others:  # keys that are unknown, which say more than the one that is missing for it
            return _first_place(others[0])
        inner, note = noted[0]
        return (note.index if isinstance(note, IterableValidationNote) else note.name, *_first_place(inner))
    return (min(error.extra_fields),) if isinstance(error, ForbiddenExtraKeysError) else ()


def _difference(entry: Any, where: KeyPath) -> str:
    for part in where:
        if isinstance(entry, dict) and part not in entry:
            return "is missing"
        entry = entry[part]
    text = json.dumps(entry)
    return f"is not what launchers writes there: {text if len(text) <= 60 else f'{text[:57]}...'}"


def _contradictions(record: RunRecord) -> Iterator[tuple[KeyPath, str]]:
    """What no plan of launchers says, each with its place."""
    if record.scheduler not in SCHEDULERS:
        yield ("scheduler",), f"there is no scheduler {record.scheduler!r}"
    if not 0 <= record.created < LATEST:
        yield ("created",), f"{record.created} is not a time"
    if not STEP_NAME.fullmatch(record.plan):
        yield ("plan",), f"{record.plan!r} is not a name"
    yield from _in_needs(record)
    yield from _in_steps(record.steps)
    yield from _in_submissions(record)


def _in_needs(record: RunRecord) -> Iterator[tuple[KeyPath, str]]:
    places: dict[str, KeyPath] = {}  # of each text, as thousands of steps may have the same
    for key in ("steps", "submissions"):
        for number, part in enumerate(getattr(record, key)):
            if part.need is not None:
                places.setdefault(part.need, (key, number, "need"))
    for need, where in places.items():
        try:
            parse(need)
        except ValueError:
            yield where, f"{need!r} is not a requirement"


def _in_steps(steps: Sequence[StepRecord]) -> Iterator[tuple[KeyPath, str]]:
    before: set[str] = set()
    for number, step in enumerate(steps):
        where = ("steps", number)
        if not STEP_NAME.fullmatch(step.name) or step.name in before:
            yield (*where, "name"), f"{step.name!r} is not a name, or another step's"
        if step.count < 1:
            yield (*where, "count"), f"a step has at least one job, not {step.count}"
        for index, (name, on) in enumerate(step.waits):
            if name not in before or on not in DEPENDENCY_TYPES:
                yield (*where, "waits", index, 0), f"there is no step {name!r} before it, or no on={on!r}"
        try:
            factors(step.retry[1] if step.retry else "")
        except ValueError as error:
            yield (*where, "retry", 1), str(error)
        before.add(step.name)


def _in_submissions(record: RunRecord) -> Iterator[tuple[KeyPath, str]]:
    counts = {step.name: step.count for step in record.steps}
    by_name = {submission.name: submission for submission in record.submissions}
    for number, submission in enumerate(record.submissions):
        where = ("submissions", number)
        if not STEP_NAME.fullmatch(submission.name.replace("~", "_")) or by_name[submission.name] is not submission:
            yield (*where, "name"), f"{submission.name!r} is not a name, or another submission's"
        if submission.attempt < 1 or not submission.members:
            yield (*where, "attempt"), "a submission has members, and an attempt counted from 1"
        if not submission.barrier:
            yield from _in_members(submission, (*where, "members"), counts)
        for index, parent in enumerate(submission.parents):
            yield from _in_parent(parent, (*where, "parents", index), by_name)
    waits = {name: [parent.submission for parent in submission.parents] for name, submission in by_name.items()}
    try:
        sort_by_waits(waits, waits)
    except CircularWaitError as error:
        yield ("submissions",), str(error)


def _in_members(submission: Submission, where: KeyPath, counts: Mapping[str, int]) -> Iterator[tuple[KeyPath, str]]:
    for index, (name, item) in enumerate(submission.members):
        count = counts.get(name, 0)
        if (item is None and count != 1) or not 0 <= (item or 0) < count:
            yield (*where, index, 0), f"there is no step {name!r}, or no item {item} of it"


def _in_parent(parent: Parent, where: KeyPath, by_name: Mapping[str, Submission]) -> Iterator[tuple[KeyPath, str]]:
    name = parent.submission
    if name not in by_name or not 0 <= (parent.index or 0) < len(by_name[name].members):
        yield (*where, "submission"), f"there is no such submission as {name!r}"
    if parent.kind not in DEPENDENCY_TYPES.values():
        yield (*where, "kind"), f"nothing waits for {parent.kind!r}"
