"""A job of a flow as a shell script: its environment, what runs before and after it, and its command."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence

from launchers.flow import schema
from launchers.flow.model import FlowJob

ACTIVATE_CONDA = """\
launchers_conda=${CONDA_EXE:-$(command -v conda || true)}
launchers_mamba=${MAMBA_EXE:-$(command -v micromamba || command -v mamba || true)}
if [ -n "$launchers_conda" ]; then
    eval "$("$launchers_conda" shell.bash hook)"
    conda activate NAME
elif [ -n "$launchers_mamba" ]; then
    eval "$("$launchers_mamba" shell hook --shell bash)"
    "${launchers_mamba##*/}" activate NAME
else
    echo "launchers: environment.conda: no conda, micromamba or mamba is on PATH, and CONDA_EXE is not set" >&2
    exit 127
fi"""
"""conda is found by CONDA_EXE or on PATH; no folder is assumed."""
FIND_MODULE_COMMAND = """\
if ! command -v module >/dev/null; then
    for launchers_init in "${LMOD_PKG:-/nonexistent}/init/bash" "${MODULESHOME:-/nonexistent}/init/bash" \\
        /etc/profile.d/lmod.sh /etc/profile.d/z00_lmod.sh /etc/profile.d/modules.sh; do
        if [ -r "$launchers_init" ]; then . "$launchers_init"; break; fi
    done
fi
"""
RUN_FILE = 'if [ -x "$1" ]; then exec "$1"; fi; exec /bin/bash "$1"'
"""An executable file names its interpreter in its first line; bash runs any other file."""
CALL_FUNCTION = (
    "import importlib, json, os, sys; sys.path.insert(0, os.getcwd()); "
    "module, _, name = sys.argv[1].partition(':'); function = importlib.import_module(module); "
    "[function := getattr(function, part) for part in name.split('.')]; result = function(**json.loads(sys.argv[2])); "
    "isinstance(result, dict) and open(os.environ['LAUNCHERS_OUTPUT'], 'a').writelines("
    "f'{key}={value}\\n' for key, value in result.items())"
)
"""Calls a function in the Python of the job's environment, in which launchers need not be installed."""
RUN_FOLDER = '"$LAUNCHERS_RUN_DIR"'


def render_script(job: FlowJob) -> str:
    """The whole script of a job, for bash."""
    parts = ["#!/bin/bash", "set -eo pipefail", *_environment(job.environment)]
    if job.spec.work_dir:
        parts.append(f"cd -- {_quote_path(job.spec.work_dir)}")
    if job.spec.teardown:
        body = "\n".join(_lines(job.spec.teardown))
        parts.append(f"launchers_teardown() {{\n{body}\n}}\ntrap launchers_teardown EXIT")
    parts += _lines(job.spec.setup)
    parts.append(_command_in_container(job))
    return "\n".join(parts) + "\n"


def _lines(commands: Sequence[str] | str | None) -> list[str]:
    return [commands] if isinstance(commands, str) else list(commands or ())


def _environment(environment: schema.JobEnvironment) -> Iterator[str]:
    if environment.modules:
        loads = "\n".join(f"module load {shlex.quote(name)}" for name in environment.modules)
        yield FIND_MODULE_COMMAND + loads
    if environment.conda:
        yield ACTIVATE_CONDA.replace("NAME", _quote_path(environment.conda))
    if environment.venv:
        yield f". {_quote_path(environment.venv)}/bin/activate"
    for name, value in (environment.env or {}).items():
        yield f"export {name}={shlex.quote(_as_word(value))}"


def _quote_path(path: str) -> str:
    """A path for the shell; ``~/`` is the home folder on the node."""
    return f'"$HOME"/{shlex.quote(path[2:])}' if path.startswith("~/") else shlex.quote(path)


def _as_word(value: object) -> str:
    """A value as text; YAML's true is ``true``, not Python's ``True``."""
    return str(value).lower() if isinstance(value, bool) else str(value)


# -- the command -----------------------------------------------------------------------------------------------


def _command_in_container(job: FlowJob) -> str:
    container = job.environment.container
    if container is None:
        python = "python" if job.environment.conda or job.environment.venv else sys.executable
        return _command(job.spec, python)
    command = _command(job.spec, "python")
    if isinstance(job.spec.command, str):
        command = shlex.join(["/bin/sh", "-c", command])
    runtime = RUNTIMES[container.runtime or "pyxis"]
    return f"{runtime(container)} {command}"


def _command(spec: schema.JobSpec, python: str) -> str:
    if spec.script is not None:
        path = spec.script if "/" in spec.script else f"./{spec.script}"
        return f"/bin/sh -c {shlex.quote(RUN_FILE)} sh {_quote_path(path)}"
    if spec.python is not None:
        return shlex.join([python, "-c", CALL_FUNCTION, spec.python, json.dumps(spec.with_ or {})])
    if isinstance(spec.command, str):
        return spec.command
    return shlex.join(_as_word(word) for word in spec.command or ())


# -- containers: what stands before the command; the run folder is mounted, too, for the values that jobs hand on ----


def _apptainer(container: schema.Container) -> str:
    """https://apptainer.org/docs/user/latest/cli/apptainer_exec.html, and singularity's, which is the same here."""
    switches = ("nv", "rocm", "cleanenv", "fakeroot", "writable_tmpfs")
    options = [f"--{name.replace('_', '-')}" for name in switches if getattr(container, name)]
    options += ["--overlay", container.overlay] if container.overlay else []
    options += _repeat("--bind", container.mounts or ())
    options += ["--pwd", container.workdir] if container.workdir else []
    options += _repeat("--env", _assignments(container))
    command = shlex.join([container.runtime or "apptainer", "exec", *options])
    return f"{command} --bind {RUN_FOLDER} {shlex.quote(container.image or '')}"


def _podman(container: schema.Container) -> str:
    """https://docs.podman.io/en/latest/markdown/podman-run.1.html

    The image's own variables win over those of --env-host, so that `env` is given by name.
    """
    options = ["--rm", "--env-host", *_repeat("-v", container.mounts or ())]
    options += ["-w", container.workdir] if container.workdir else []
    options += _repeat("-e", _assignments(container))
    command = shlex.join(["podman", "run", *options])
    return f"{command} -v {RUN_FOLDER}:{RUN_FOLDER} {shlex.quote(container.image or '')}"


def _pyxis(container: schema.Container) -> str:
    """srun with pyxis' options: https://github.com/NVIDIA/pyxis; it passes on the environment of srun."""
    assignments = _assignments(container)
    words = [*(["env", *assignments] if assignments else []), "srun", f"--container-image={container.image}"]
    words += [f"--container-workdir={container.workdir}"] if container.workdir else []
    mounts = "".join(f"{mount}," for mount in container.mounts or ())
    own_mounts = shlex.quote(mounts) if mounts else ""
    return f"{shlex.join(words)} --container-mounts={own_mounts}{RUN_FOLDER}:{RUN_FOLDER}"


RUNTIMES = {"pyxis": _pyxis, "apptainer": _apptainer, "singularity": _apptainer, "podman": _podman}


def _assignments(container: schema.Container) -> list[str]:
    return [f"{name}={_as_word(value)}" for name, value in (container.env or {}).items()]


def _repeat(option: str, values: Sequence[str]) -> list[str]:
    """The option before each of the values."""
    return [word for value in values for word in (option, value)]
