"""A job as a script: what bash does with it.  Stand-ins on PATH record how they are called."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml
from flows import only_job

from launchers.flow.script import render_script

RECORDS = """#!{python}
import json, os, sys
call = {{"argv": sys.argv[1:], "env": {{k: v for k, v in os.environ.items() if k.startswith("T_")}}, "cwd": os.getcwd()}}
open({log!r}, "a").write(json.dumps(call) + "\\n")
"""


def script_of(text):
    """The script of the only job of a flow, given its keys."""
    return render_script(only_job(**{"command": None, **yaml.safe_load(text)}))


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Make executables that record their calls; `recorded("srun")` returns a function that gives those of srun."""

    def make(name, then=""):
        folder = tmp_path / "standins"
        folder.mkdir(exist_ok=True)
        log = tmp_path / f"{name}.log"
        (folder / name).write_text(RECORDS.format(python=sys.executable, log=str(log)) + then)
        (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return lambda: [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    for name in ("CONDA_EXE", "MAMBA_EXE", "LMOD_PKG", "MODULESHOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return make


def run(text, **env):
    return subprocess.run(
        ["/bin/bash", "-c", script_of(text)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LAUNCHERS_RUN_DIR": "/r d", **env},
    )


# -- commands ----------------------------------------------------------------------------------------------------


def test_the_words_of_a_list_reach_the_command_as_they_stand(recorded):
    calls = recorded("tool")
    words = ["a b", "$HOME", "`id`", "", "*", "'", '"', "two\nlines", "-n", "ünï"]
    assert run(f"command: {json.dumps(['tool', *words])}").returncode == 0
    assert calls()[0]["argv"] == words


def test_numbers_and_flags_are_words(recorded):
    calls = recorded("tool")
    run("command: [tool, 1, 0.5, true, 1e-3]")
    assert calls()[0]["argv"] == ["1", "0.5", "true", "1e-3"]


def test_text_is_for_the_shell():
    done = run('command: "for n in 1 2; do echo $((n * 2)); done | tail -1"')
    assert done.stdout == "4\n"


def test_a_failure_inside_a_pipe_is_a_failure():
    assert run('command: "exit 3 | cat"').returncode == 3


def test_a_script_for_bash_and_one_that_names_its_own_reader(recorded, tmp_path):
    (tmp_path / "plain.sh").write_text("[[ a == a ]] && echo bash $BASH_VERSION\n")
    (tmp_path / "own").write_text(f"#!{sys.executable}\nprint('python')\n")
    (tmp_path / "own").chmod(0o755)
    assert run("script: plain.sh").stdout.startswith("bash ")
    assert run("script: own").stdout == "python\n"
    assert run("script: nowhere.sh").returncode == 127


def test_python_functions_get_typed_arguments_and_hand_on_what_they_give(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "steps.py").write_text(
        "def train(lr, layers, tags):\n    return {'SCORE': lr * layers, 'TAGS': tags[0]}\n"
    )
    done = run("python: steps:train\nwith: {lr: 0.5, layers: 4, tags: [a, b]}", LAUNCHERS_OUTPUT=str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").read_text() == "SCORE=2.0\nTAGS=a\n"


# -- around it ---------------------------------------------------------------------------------------------------


def test_setup_runs_in_the_same_shell_and_teardown_however_it_ends(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = 'setup: ["export A=1", "B=2"]\nteardown: "echo down $A$B"\ncommand: "echo up $A$B; exit 4"'
    done = run(text)
    assert done.stdout == "up 12\ndown 12\n"
    assert done.returncode == 4


def test_a_setup_that_fails_keeps_the_command_from_running():
    done = run('setup: ["false"]\nteardown: echo down\ncommand: echo up')
    assert (done.stdout, done.returncode) == ("down\n", 1)


def test_teardown_runs_when_the_job_is_ended(tmp_path):
    text = script_of(f"command: touch {tmp_path}/on; sleep 60\nteardown: touch {tmp_path}/down")
    running = subprocess.Popen(["/bin/bash", "-c", text], start_new_session=True)
    deadline = time.monotonic() + 20
    while not (tmp_path / "on").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGTERM)
    assert running.wait(20) != 0
    assert (tmp_path / "down").exists()


def test_work_dir_may_be_under_the_home_folder(tmp_path):
    (tmp_path / "my exp").mkdir()
    assert run('work_dir: ~/my exp\ncommand: [pwd, "-P"]', HOME=str(tmp_path)).stdout.strip().endswith("/my exp")
    missing = run("work_dir: /nowhere/at/all\ncommand: echo never")
    assert missing.returncode == 1
    assert missing.stdout == ""


def test_variables_are_quoted(recorded):
    calls = recorded("tool")
    run('env: {T_A: "$(id) `id`", T_B: true, T_C: "", T_D: "x\\ny"}\ncommand: [tool]')
    assert calls()[0]["env"] == {"T_A": "$(id) `id`", "T_B": "true", "T_C": "", "T_D": "x\ny"}


# -- environments ------------------------------------------------------------------------------------------------

HOOK = 'if sys.argv[1:] == ["shell.bash", "hook"]: print("conda() { echo conda-$*; export T_CONDA=$2; }")\n'
MAMBA_HOOK = 'if sys.argv[1] == "shell": print("micromamba() { export T_MAMBA=$2; }")\n'


def test_conda_is_found_by_CONDA_EXE_and_on_PATH_wherever_it_is(recorded, tmp_path):
    recorded("conda", HOOK)
    calls = recorded("tool")
    elsewhere = tmp_path / "opt" / "forge" / "bin"
    elsewhere.mkdir(parents=True)
    (tmp_path / "standins" / "conda").rename(elsewhere / "conda")
    text = "environment: {conda: ml_env}\ncommand: [tool]"
    assert run(text, CONDA_EXE=str(elsewhere / "conda"), HOME=str(tmp_path / "nowhere")).returncode == 0
    assert run(text, PATH=f"{elsewhere}:{os.environ['PATH']}").returncode == 0
    assert [call["env"] for call in calls()] == [{"T_CONDA": "ml_env"}] * 2


def test_micromamba_is_used_where_there_is_no_conda(recorded):
    recorded("micromamba", MAMBA_HOOK)
    calls = recorded("tool")
    assert run("conda: ml_env\ncommand: [tool]").returncode == 0
    assert calls()[0]["env"] == {"T_MAMBA": "ml_env"}


def test_without_conda_the_job_fails_and_says_why(recorded):
    recorded("tool")
    done = run("conda: ml_env\ncommand: [tool]")
    assert done.returncode == 127
    assert "no conda, micromamba or mamba is on PATH" in done.stderr


def test_a_real_virtual_environment(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "v e")], check=True)
    done = run(f'venv: {tmp_path}/v e\ncommand: [python, -c, "import sys; print(sys.prefix)"]')
    assert done.stdout.strip() == str(tmp_path / "v e")


def test_modules_in_their_order(recorded, tmp_path):
    recorded("tool")
    init = tmp_path / "lmod" / "init" / "bash"
    init.parent.mkdir(parents=True)
    init.write_text(f'module() {{ echo "$*" >> {tmp_path}/modules; }}\n')
    assert run("modules: [gcc/12, cuda/12.1]\ncommand: [tool]", LMOD_PKG=str(init.parents[1])).returncode == 0
    assert (tmp_path / "modules").read_text() == "load gcc/12\nload cuda/12.1\n"
    assert run("modules: [gcc/12]\ncommand: [tool]").returncode == 127, "a module that cannot be loaded is a failure"


# -- containers --------------------------------------------------------------------------------------------------

BOX = """
environment:
  container:
    runtime: RUNTIME
    image: docker://py torch
    mounts: ["/data:/data", "/a b:/c:ro"]
    workdir: /work
    env: {T_X: "1 2"}
"""


@pytest.mark.parametrize(
    ("runtime", "name", "argv"),
    [
        ("pyxis", "srun",
         ["--container-image=docker://py torch", "--container-workdir=/work", "--container-mounts=/data:/data,/a b:/c:ro,/r d:/r d"]),
        ("apptainer", "apptainer",
         ["exec", "--bind", "/data:/data", "--bind", "/a b:/c:ro", "--pwd", "/work", "--env", "T_X=1 2", "--bind", "/r d", "docker://py torch"]),
        ("singularity", "singularity",
         ["exec", "--bind", "/data:/data", "--bind", "/a b:/c:ro", "--pwd", "/work", "--env", "T_X=1 2", "--bind", "/r d", "docker://py torch"]),
        ("podman", "podman",
         ["run", "--rm", "--env-host", "-v", "/data:/data", "-v", "/a b:/c:ro", "-w", "/work", "-e", "T_X=1 2", "-v", "/r d:/r d", "docker://py torch"]),
    ],
)  # fmt: skip
def test_containers(recorded, runtime, name, argv):
    calls = recorded(name)
    box = BOX.replace("RUNTIME", runtime)
    done = run(f'{box}command: [python, "a b.py", $HOME]')
    assert done.returncode == 0, done.stderr
    assert run(f'{box}command: "echo $T_X | cat"').returncode == 0
    listed, text = calls()
    assert listed["argv"] == [*argv, "python", "a b.py", "$HOME"]
    assert text["argv"] == [*argv, "/bin/sh", "-c", "echo $T_X | cat"]
    if runtime == "pyxis":
        assert listed["env"]["T_X"] == "1 2"


def test_switches_of_apptainer(recorded):
    calls = recorded("apptainer")
    switches = "nv: true, rocm: true, cleanenv: true, fakeroot: true, writable_tmpfs: true, overlay: o.img"
    run(f"environment: {{container: {{runtime: apptainer, image: x.sif, {switches}}}}}\ncommand: [ls]")
    assert calls()[0]["argv"] == [
        "exec", "--nv", "--rocm", "--cleanenv", "--fakeroot", "--writable-tmpfs", "--overlay", "o.img", "--bind", "/r d", "x.sif", "ls",
    ]  # fmt: skip


def test_scripts_and_functions_in_a_container(recorded, tmp_path):
    recorded("podman", "os.execvp(sys.argv[7], sys.argv[7:])\n")
    (tmp_path / "s.sh").write_text("echo inside\n")
    box = "environment: {container: {runtime: podman, image: x}}"
    assert run(f"{box}\nscript: s.sh").stdout == "inside\n"


@pytest.mark.parametrize(
    ("keys", "name", "argv"),
    [
        ({}, "srun", ["--container-image=x", "--container-mounts=/r d:/r d"]),
        ({"runtime": "apptainer"}, "apptainer", ["exec", "--bind", "/r d", "x"]),
        ({"runtime": "podman"}, "podman", ["run", "--rm", "--env-host", "-v", "/r d:/r d", "x"]),
    ],
)
def test_a_container_with_an_image_alone(recorded, keys, name, argv):
    calls = recorded(name)
    run(yaml.safe_dump({"container": {"image": "x", **keys}, "command": ["ls"]}))
    assert calls()[0]["argv"] == [*argv, "ls"]


# -- the text ----------------------------------------------------------------------------------------------------


def test_the_order_of_a_script():
    text = script_of("venv: /v\nenv: {A: 1}\nwork_dir: ~/w d\nteardown: down\nsetup: [one, two]\ncommand: main | tee")
    assert text.splitlines() == [
        "#!/bin/bash", "set -eo pipefail", ". /v/bin/activate", "export A=1", 'cd -- "$HOME"/\'w d\'',
        "launchers_teardown() {", "down", "}", "trap launchers_teardown EXIT", "one", "two", "main | tee",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "python"),
    [
        ({}, sys.executable),
        ({"venv": "/v"}, "python"),
        ({"conda": "c"}, "python"),
        ({"container": {"image": "x", "runtime": "podman"}}, "python"),
    ],
)
def test_a_function_is_called_by_the_python_of_the_environment(keys, python):
    last = script_of(yaml.safe_dump({"python": "m:f", **keys})).splitlines()[-1]
    assert f" {python} -c 'import importlib" in f" {last}"


@pytest.mark.parametrize(
    ("script", "path"), [("s.sh", "./s.sh"), ("a/s.sh", "a/s.sh"), ("/s", "/s"), ("~/s", '"$HOME"/s')]
)
def test_the_path_of_a_script(script, path):
    assert script_of(f"script: {script}").endswith(f" sh {path}\n")


def test_a_method_may_be_called_and_what_is_no_dict_is_not_handed_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "steps.py").write_text(
        "class A:\n    @staticmethod\n    def f():\n        print('called')\n        return 3\n"
    )
    done = run("python: steps:A.f", LAUNCHERS_OUTPUT=str(tmp_path / "out"))
    assert (done.stdout, done.returncode) == ("called\n", 0)
    assert not (tmp_path / "out").exists()
