"""The contract that a plan relies on holds for Slurm, OAR and this machine alike."""

import inspect
import json
from pathlib import Path

import pytest
from config_files import local_entry, oar_entry, partition, slurm_entry, write_config
from slurm_queue import pretend_srun

from launchers import find_launcher
from launchers.commands import CommandError
from launchers.jobs.backend import (
    SLURM_OPTIONS,
    Backend,
    JobInfo,
    RefusedError,
    Resources,
    SubmissionRequest,
    UnmetOptionError,
    last_lines,
)
from launchers.jobs.submission import DEPENDENCY_TYPES, Submission
from launchers.jobs.usage import Usage
from launchers.schedulers import SCHEDULERS, backend

METHODS = sorted(
    name for name, member in vars(Backend).items() if inspect.isfunction(member) and not name.startswith("_")
)
every = pytest.mark.parametrize("name", SCHEDULERS)


@pytest.fixture
def launchers(tmp_path, monkeypatch):
    """A launcher on each scheduler, for a job of two cores and an hour."""
    pretend_srun(monkeypatch)
    monkeypatch.chdir(tmp_path)
    write_config(
        tmp_path,
        local=[local_entry(cores=4, memory="8G", tags=["local"])],
        slurm=[slurm_entry("far", {"c": partition(cores=8, memory="8G")}, tags=["slurm"])],
        oar=[oar_entry("grid", {"count": 2, "cpu": {"cores": 8, "memory": "8G"}}, tags=["oar"])],
    )
    return {name: find_launcher("cpu(cores=2, mem=1G) & duration=1h", tags=[name]) for name in SCHEDULERS}


def request(parameters, members=(("a", None),), **keys):
    submission = Submission("a", "launchers-id-0", members, (), parameters, **keys)
    return SubmissionRequest(Path("/runs/p-id"), "id", "p", submission, submissions={"a": submission})


# -- what every backend has --------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_the_signature_of_the_contract(name, method):
    """Callers name arguments as the contract does."""

    def parameters(owner):
        return [
            (one.name, one.kind, one.default) for one in inspect.signature(getattr(owner, method)).parameters.values()
        ]

    assert parameters(type(backend(name))) == parameters(Backend)


@every
def test_a_backend_adds_no_public_method(name):
    """Whoever has a Backend can use all of it."""
    public = {key for key in dir(type(backend(name))) if not key.startswith("_")}
    assert public == {key for key in dir(Backend) if not key.startswith("_")} | set(Backend.__annotations__)


@every
def test_one_instance_stands_for_a_scheduler(name):
    assert backend(name) is backend(name)
    assert isinstance(backend(name), Backend)


@pytest.mark.parametrize("name", ["", "Slurm", "pbs"])
def test_a_scheduler_that_there_is_not(name):
    with pytest.raises(ValueError, match=rf"unknown scheduler '{name}'; known schedulers: local, slurm, oar"):
        backend(name)


@every
def test_its_facts_are_of_the_kind_that_the_contract_says(name):
    one = backend(name)
    assert one.title
    assert one.submit_command
    assert isinstance(one.commands, tuple)
    assert one.unsupported_conditions <= set(DEPENDENCY_TYPES)
    assert one.grace >= 0
    assert one.poll_interval > 0
    flags = (
        "supports_arrays",
        "supports_array_limit",
        "takes_options",
        "waits_for_one_failure",
        "sends_attempts_whole",
    )
    assert all(type(getattr(one, flag)) is bool for flag in (*flags, "forgets_jobs"))


FACTS = {
    "local": ("this machine", "launchers", (), set(), False, True, False, True, True, False),
    "slurm": ("Slurm", "sbatch", ("sbatch", "srun"), set(), True, True, True, False, False, True),
    "oar": ("OAR", "oarsub", ("oarsub", "oarstat"), {"started"}, True, False, False, True, False, True),
}


@every
def test_its_facts(name):
    one = backend(name)
    assert FACTS[name] == (
        one.title, one.submit_command, one.commands, one.unsupported_conditions, one.supports_arrays,
        one.supports_array_limit, one.takes_options, one.waits_for_one_failure, one.sends_attempts_whole,
        one.forgets_jobs,
    )  # fmt: skip


@every
def test_commands_that_are_not_on_path(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    one = backend(name)
    assert one.missing_commands() == one.commands
    for number, command in enumerate(one.commands):
        (tmp_path / command).touch(mode=0o755)
        assert one.missing_commands() == one.commands[number + 1 :]


# -- selections and options --------------------------------------------------------------------------------------


@every
def test_what_is_asked_for_a_selection(name, launchers):
    launcher = launchers[name]
    resources = backend(name).render(launcher.selection)
    assert isinstance(resources, Resources)
    assert resources == launcher.resources
    parameters = json.loads(json.dumps(resources.submitit()))  # as plan.json has them
    assert backend(name).render_script(request(parameters)) == backend(name).render_script(
        request(resources.submitit())
    )
    assert bool(resources.flags()) == bool(resources.directives()) == (name != "local")


@every
def test_the_time_limit_of_a_job(name, launchers):
    assert backend(name).time_limit(launchers[name].selection) == 3600


@every
def test_without_options_a_group_is_what_it_was(name, launchers):
    group = launchers[name].group
    for options in ({}, dict.fromkeys(SLURM_OPTIONS), dict.fromkeys(SLURM_OPTIONS, ""), {"mail_user": "me"}):
        assert backend(name).narrow(group, options) == group


@pytest.mark.parametrize("name", ["local", "oar"])
@pytest.mark.parametrize("option", SLURM_OPTIONS)
def test_options_of_slurm_are_refused_elsewhere(name, option, launchers):
    with pytest.raises(UnmetOptionError, match=f"it names a {option}, which only Slurm has"):
        backend(name).narrow(launchers[name].group, {option: "x"})


def test_slurm_narrows_a_group_by_its_options(launchers):
    group = launchers["slurm"].group
    assert backend("slurm").narrow(group, {"partition": "c"}) == group
    with pytest.raises(UnmetOptionError, match="it has no partition x"):
        backend("slurm").narrow(group, {"partition": "x"})


@pytest.mark.parametrize("name", ["local", "oar"])
def test_options_change_nothing_elsewhere(name, launchers):
    resources = launchers[name].resources
    assert backend(name).with_options(resources, {"mail_user": "me"}) is resources


@every
def test_what_partitions_do_now_is_looked_at_on_slurm_alone(name, no_slurm):
    signals = backend(name).signals()
    assert (signals == {}) if name != "slurm" else isinstance(signals, str)


# -- what a plan asks --------------------------------------------------------------------------------------------


@every
def test_the_largest_array(name, no_slurm):
    assert backend(name).largest_array() == {"local": 1, "slurm": 1000, "oar": 1000}[name]


@every
def test_checkpoints_add_to_the_parameters(name, launchers):
    before = launchers[name].resources.submitit()
    copy = json.loads(json.dumps(before))
    after = backend(name).checkpoint_parameters(before)
    assert json.loads(json.dumps(before)) == copy
    assert (after == before) == (name == "local")
    assert {**after, "additional_parameters": None} == {
        **before, "additional_parameters": None, **({"signal_delay_s": 90} if name == "slurm" else {}),
    } or name == "local"  # fmt: skip


@every
def test_a_barrier_can_be_sent(name, launchers):
    parameters = backend(name).barrier_parameters(launchers[name].resources.submitit())
    if name == "local":
        assert parameters is None
        return
    assert parameters is not None
    assert backend(name).render_script(request(parameters, barrier=True))


@every
def test_a_script_is_text(name, launchers):
    text = backend(name).render_script(request(launchers[name].resources.submitit()))
    assert (text == "") if name == "local" else "launchers-id-0" in text


@every
def test_no_job_is_known_where_no_scheduler_can_be_asked(name, tmp_path, no_slurm):
    assert backend(name).states(tmp_path, {}).infos == {}
    if name != "local":
        assert backend(name).states(tmp_path, {"12": ""}, {("12", None)}).infos == {}


@every
def test_nobody_knows_a_token_where_no_scheduler_can_be_asked(name, no_slurm):
    if name == "local":
        assert backend(name).find_token("launchers-id-0", 0.0) is None
        return
    with pytest.raises(CommandError):
        backend(name).find_token("launchers-id-0", 0.0)


@pytest.fixture
def commands(no_slurm):
    """Writes a command that prints words on stderr and fails; srun and oarstat find nothing."""

    def install(name, words, status=1):
        (no_slurm / name).write_text(f"#!/bin/sh\necho '{words}' >&2\nexit {status}\n")
        (no_slurm / name).chmod(0o755)

    for name in ("srun", "oarstat"):
        install(name, "nothing")
    return install


def refusal(name, resources, tmp_path):
    asked = request(resources.submitit()).submission
    with pytest.raises(RefusedError) as caught:
        backend(name).send([SubmissionRequest(tmp_path, "id", "p", asked)])
    return caught.value


@pytest.mark.parametrize(("name", "words"), [
    ("slurm", "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"),
    ("oar", "Cannot connect to executor"),
])  # fmt: skip
def test_a_submission_that_reaches_no_scheduler_is_worth_asking_again(name, words, launchers, commands, tmp_path):
    commands(backend(name).submit_command, words)
    error = refusal(name, launchers[name].resources, tmp_path)
    assert (error.transient, error.code) == (True, "")
    assert words in error.lines[-1]


@pytest.mark.parametrize(("name", "words", "status", "code"), [
    ("slurm", "sbatch: error: Batch job submission failed: Requested time limit is invalid", 1, "duration"),
    ("oar", "There are not enough resources for your request", 8, "limit"),
])  # fmt: skip
def test_a_submission_that_is_refused_is_not(name, words, status, code, launchers, commands, tmp_path):
    commands(backend(name).submit_command, words, status)
    error = refusal(name, launchers[name].resources, tmp_path)
    assert (error.transient, error.code) == (False, code)


@every
def test_where_a_script_writes(name):
    asked = request({}, script="job.sh")
    assert backend(name).output_patterns(asked, "#!/bin/sh\nexec work\n") == [
        {"local": "slurm-id_%a.out", "slurm": "slurm-%A_%a.out", "oar": "oar-%A_%a.out"}[name]
    ]


@every
def test_only_this_machine_needs_to_be_prepared_and_revived(name, tmp_path):
    if name != "local":
        backend(name).prepare([])
        backend(name).revive(tmp_path, ["1"])
    assert list(tmp_path.iterdir()) == []


# -- requests and refusals ---------------------------------------------------------------------------------------


def test_the_folders_of_a_request():
    asked = request({})
    assert (asked.folder, asked.script_folder) == (Path("/runs/p-id/jobs/a"), Path("/runs/p-id/cwd"))


@pytest.mark.parametrize(("printed", "lines"), [
    ("", []), ("one", ["one"]), ("one\n\n  two  \n", ["one", "two"]), ("1\n2\n3\n", ["1", "2", "3"]),
    ("1\n2\n3\n4", ["2", "3", "4"]),
])  # fmt: skip
def test_the_last_lines_of_what_was_printed(printed, lines):
    assert last_lines(printed) == lines


def test_what_a_refusal_says():
    error = RefusedError(["one", "two"], "limit", transient=True)
    assert (str(error), error.lines, error.code, error.transient) == ("one\ntwo", ("one", "two"), "limit", True)
    plain = RefusedError(["no"])
    assert (plain.code, plain.transient) == ("", False)


def test_what_a_request_and_a_job_are_where_nothing_is_said():
    plain = SubmissionRequest(Path("/run"), "id", "p", Submission("a", "t", (("a", None),), (), {}))
    assert (plain.waits, plain.cwd, plain.submissions, plain.count, plain.jobs) == ((), "", {}, 1, None)
    info = JobInfo("RUNNING")
    assert (info.reason, info.nodes, info.elapsed, info.exit, info.partition, info.job) == ("",) * 6
    assert (info.submitted, info.eligible, info.started, info.ended, info.usage) == (None,) * 5
    usage = Usage()
    assert (usage.nodes, usage.gpus) == (1, 0)
    assert (usage.cores, usage.memory, usage.limit, usage.reserved, usage.peak, usage.cpu) == (None,) * 6
