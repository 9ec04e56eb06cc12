"""What is wrong with single jobs of a flow."""

import pytest
from flows import codes, flow, job, only_job, page, problems, with_keys


def only_problem(keys):
    (problem,) = problems(with_keys(keys))
    return problem


# -- what it runs ------------------------------------------------------------------------------------------------


def test_a_job_runs_one_thing():
    assert problems(page(job(command=None))) == [
        "3:3 LC114 jobs[0]: this job runs nothing (write one of command, script, python)"
    ]
    assert problems(page(job(command="ls", script="s"))) == [
        "5:11 LC114 jobs[0].script: this job has command already (keep command or script)"
    ]
    three = codes(job(command="ls", script="s", python="m:f"))
    assert three == ["LC114 jobs[0].script", "LC114 jobs[0].python"]


@pytest.mark.parametrize("command", [[], ""])
def test_an_empty_command(command):
    assert codes(job(command=command)) == ["LC114 jobs[0].command"]


def test_a_function_is_a_module_and_a_name():
    for function in ("m:f", "pkg.mod:Class.method", "_m:_f"):
        assert only_job(command=None, python=function).spec.python == function
    for function in ("m", "m:", ":f", "m:f g", "1m:f"):
        assert codes(job(command=None, python=function)) == ["LC109 jobs[0].python"]


def test_arguments_are_for_a_function():
    message = "with has the arguments of a Python function, and this job has no python"
    assert only_problem("with: {a: 1}") == f"5:9 LC114 jobs[0].with: {message} ()"


def test_the_names_of_exports():
    rule = "use letters, digits and _, not beginning with a digit"
    assert only_problem("exports: {a-b: 1}") == (
        f"5:18 LC109 jobs[0].exports.a-b: 'a-b' is not a valid name for a variable ({rule})"
    )
    assert codes(job(exports={"A_1": 1, "_b": 2, "1a": 3})) == ["LC109 jobs[0].exports.1a"]


# -- what it asks for --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            "needs: cpu(cors=1)",
            "5:10 LC112 jobs[0].needs: 'cors' is not an argument here, at column 5 of 'cpu(cors=1)' "
            "(did you mean cores=?)",
        ),
        (
            "needs: cuda()\n  nodes: 2",
            "6:3 LC114 jobs[0].nodes: needs already states what the job asks for: cuda() (leave out nodes or needs)",
        ),
        (
            "needs: duration=1h\n  time_limit: '30'",
            "6:3 LC114 jobs[0].time_limit: needs already states what the job asks for: duration=1h "
            "(leave out time_limit or needs)",
        ),
        (
            "gpus_per_node: 1\n  gres: gpu:1",
            "6:9 LC114 jobs[0].gres: gpus_per_node asks for GPUs already (keep one of them)",
        ),
        ("resources: {nodes: 0}", "5:22 LC102 jobs[0].resources.nodes: nodes must be at least 1 ()"),
        (
            "mail_type: ENDD",
            "5:14 LC110 jobs[0].mail_type: Slurm sends no mail about 'ENDD' (did you mean END?)",
        ),
    ],
)
def test_what_a_job_asks_for(keys, expected):
    assert only_problem(keys) == expected


@pytest.mark.parametrize(
    ("key", "text"),
    [("gres", ":2"), ("constraint", "a&(b&"), ("escalate", "mem^2"), ("nodelist", "n[1-")],
)
def test_text_with_a_syntax_of_its_own(key, text):
    (problem,) = problems(page(job(**{key: text})))
    assert problem.startswith(f"5:{5 + len(key)} LC110 jobs[0].{key}: ")
    assert repr(text) in problem


def test_a_time_limit_beside_a_requirement_without_one():
    assert codes(job(needs="cuda()|mps()", time_limit="30")) == []
    assert codes(job(needs="cuda()|duration=1h", time_limit="30")) == ["LC114 jobs[0].time_limit"]


@pytest.mark.parametrize(
    "key", ["nodes", "gpus_per_node", "ntasks_per_node", "cpus_per_task", "memory_per_node", "gres"]
)
def test_every_amount_is_for_needs_to_say_where_there_is_one(key):
    value = {"memory_per_node": "1G", "gres": "tmp:1"}.get(key, 2)
    assert codes(job(needs="cpu(cores=1)", **{key: value})) == [f"LC114 jobs[0].{key}"]


@pytest.mark.parametrize("key", ["nodes", "ntasks_per_node", "cpus_per_task"])
def test_amounts_of_at_least_one(key):
    assert codes(job(**{key: 1})) == []
    assert codes(job(**{key: 0})) == [f"LC102 jobs[0].{key}"]


def test_no_gpus_beside_gpus_as_gres():
    assert codes(job(gpus_per_node=0, gres="gpu:1")) == []
    assert codes(job(gpus_per_node=1, gres="tmp:1")) == []
    assert codes(job(gpus_per_node=1, gres="tmp:1, gpu:1")) == ["LC114 jobs[0].gres"]


@pytest.mark.parametrize("limit", ["3 parsecs", "1:2:3:4"])
def test_a_time_limit_that_slurm_would_refuse(limit):
    assert codes(job(time_limit=limit)) == ["LC104 jobs[0].time_limit"]


def test_time_limits_of_slurm():
    assert codes(job(time_limit=30)) == codes(job(time_limit="1-00:00:00")) == codes(job(time_limit="UNLIMITED")) == []
    assert codes(job(time_limit=-1)) == ["LC104 jobs[0].time_limit"]


def test_a_list_of_nodes():
    assert codes(job(nodelist="n[1-3],m1")) == []
    assert codes(job(nodelist="n[1-")) == ["LC110 jobs[0].nodelist"]


def test_mail_about_several_things():
    assert codes(job(mail_type="end, FAIL")) == codes(job(mail_type=["BEGIN", "ALL"])) == []
    assert codes(job(mail_type="END,NOW")) == codes(job(mail_type=["END", "NOW"])) == ["LC110 jobs[0].mail_type"]
    assert len(codes(job(mail_type="NOW,THEN"))) == 2


def test_a_problem_of_the_defaults_has_its_place_there():
    assert codes(job(), defaults={"nodes": 0}) == ["LC102 defaults.nodes"]
    assert codes(job(), defaults={"resources": {"nodes": 0}}) == ["LC102 defaults.resources.nodes"]
    assert codes(job(), defaults={"environment": {"env": {"a-b": 1}}}) == ["LC109 defaults.environment.env.a-b"]


# -- its environment ---------------------------------------------------------------------------------------------

VARIABLE = "(use letters, digits and _, not beginning with a digit)"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("env: {a-b: 1}", f"5:9 LC109 jobs[0].env.a-b: 'a-b' is not a valid name for a variable {VARIABLE}"),
        (
            "env: {LAUNCHERS_RUN_DIR: 1}",
            "5:9 LC109 jobs[0].env.LAUNCHERS_RUN_DIR: LAUNCHERS_RUN_DIR is reserved: "
            "names that begin with SLURM_, SBATCH_, OAR_, LAUNCHERS_ are not yours to set ()",
        ),
        (
            "environment: {conda: a, venv: b}",
            "5:33 LC114 jobs[0].environment.venv: "
            "conda and venv cannot be used together: a job runs in one environment (keep one of them)",
        ),
        (
            "environment: {container: {runtime: podman}}",
            "5:28 LC114 jobs[0].environment.container: the container has no image (write image: ...)",
        ),
        (
            "environment: {container: {image: x, nv: true}}",
            "5:39 LC114 jobs[0].environment.container.nv: "
            "only apptainer and singularity know nv; the runtime here is pyxis ()",
        ),
    ],
)
def test_environments(keys, expected):
    assert only_problem(keys) == expected


@pytest.mark.parametrize("name", ["SLURM_X", "SBATCH_X", "OAR_X", "LAUNCHERS_X"])
def test_reserved_variables_wherever_they_stand(name):
    assert codes(job(env_vars={name: 1})) == [f"LC109 jobs[0].env_vars.{name}"]
    inside = {"image": "x", "env": {name: 1}}
    assert codes(job(container=inside)) == [f"LC109 jobs[0].container.env.{name}"] or codes(
        job(environment={"container": inside})
    ) == [f"LC109 jobs[0].environment.container.env.{name}"]


@pytest.mark.parametrize("key", ["nv", "rocm", "cleanenv", "fakeroot", "writable_tmpfs", "overlay"])
def test_what_only_apptainer_and_singularity_know(key):
    value = "o.img" if key == "overlay" else True

    def found(runtime):
        return codes(job(environment={"container": {"image": "x", "runtime": runtime, key: value}}))

    assert found("apptainer") == found("singularity") == []
    assert found("podman") == found("pyxis") == [f"LC114 jobs[0].environment.container.{key}"]


def test_a_switch_that_is_off_means_nothing():
    assert flow(job(container={"image": "x", "nv": False})).jobs["a"].environment.container.nv is False
