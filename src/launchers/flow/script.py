"""A job of a flow as a shell script: its environment, what goes before and after it, and its command."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence

from launchers.flow import schema
from launchers.flow.model import Job

CONDA = """\
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
"""Where conda is, it says itself: no folder is taken for granted."""
SCRIPT = 'if [ -x "$1" ]; then exec "$1"; fi; exec /bin/bash "$1"'
"""A script that may be executed says in its first line who reads it; any other is one for bash."""
MODULES = """\
if ! command -v module >/dev/null; then
    for launchers_init in "${LMOD_PKG:-/nonexistent}/init/bash" "${MODULESHOME:-/nonexistent}/init/bash" \\
        /etc/profile.d/lmod.sh /etc/profile.d/z00_lmod.sh /etc/profile.d/modules.sh; do
        if [ -r "$launchers_init" ]; then . "$launchers_init"; break; fi
    done
fi
"""
CALL = (
    "import importlib, json, os, sys; sys.path.insert(0, os.getcwd()); "
    "module, _, name = sys.argv[1].partition(':'); found = importlib.import_module(module); "
    "[found := getattr(found, part) for part in name.split('.')]; given = found(**json.loads(sys.argv[2])); "
    "isinstance(given, dict) and open(os.environ['LAUNCHERS_OUTPUT'], 'a').writelines("
    "f'{key}={value}\\n' for key, value in given.items())"
)
"""Calls a function in whatever Python the environment has: launchers need not be installed there."""


def script(job: Job) -> str:
    """The whole script, for bash."""
    parts = ["#!/bin/bash", "set -eo pipefail", *_environment(job.environment)]
    if job.spec.work_dir:
        parts.append(f"cd -- {_path(job.spec.work_dir)}")
    if job.spec.teardown:
        body = "\n".join(_lines(job.spec.teardown))
        parts.append(f"launchers_teardown() {{\n{body}\n}}\ntrap launchers_teardown EXIT")
    parts += _lines(job.spec.setup)
    parts.append(_inside(job))
    return "\n".join(parts) + "\n"


def _lines(commands: Sequence[str] | str | None) -> list[str]:
    return [commands] if isinstance(commands, str) else list(commands or ())


def _environment(env: schema.Environment) -> Iterator[str]:
    if env.modules:
        yield MODULES + "\n".join(f"module load {shlex.quote(name)}" for name in env.modules)
    if env.conda:
        yield CONDA.replace("NAME", _path(env.conda))
    if env.venv:
        yield f". {_path(env.venv)}/bin/activate"
    for name, value in (env.env or {}).items():
        yield f"export {name}={shlex.quote(_said(value))}"


def _path(path: str) -> str:
    """A path for the shell, with the home folder where it says so."""
    return f'"$HOME"/{shlex.quote(path[2:])}' if path.startswith("~/") else shlex.quote(path)


def _said(value: object) -> str:
    """A value as a variable's text: YAML's true is true."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _inside(job: Job) -> str:
    """The command, in its container if it has one."""
    box = job.environment.container
    if box is None:
        return _command(job.spec, "python" if job.environment.conda or job.environment.venv else sys.executable)
    command = _command(job.spec)
    if isinstance(job.spec.command, str):
        command = shlex.join(["/bin/sh", "-c", command])
    return f"{_container(box)} {command}"


def _command(spec: schema.Job, python: str = "python") -> str:
    if spec.script is not None:
        path = spec.script if "/" in spec.script else f"./{spec.script}"
        return f"/bin/sh -c {shlex.quote(SCRIPT)} sh {_path(path)}"
    if spec.python is not None:
        return shlex.join([python, "-c", CALL, spec.python, json.dumps(spec.with_ or {})])
    if isinstance(spec.command, str):
        return spec.command
    return shlex.join(_said(word) for word in spec.command or ())


RUN = '"$LAUNCHERS_RUN_DIR"'


def _container(box: schema.Container) -> str:
    """What runs a command in a container; the run folder is there too, for the values that jobs hand on."""
    assert box.image is not None
    variables = {name: _said(value) for name, value in (box.env or {}).items()}
    mounts = box.mounts or ()
    if box.runtime in ("apptainer", "singularity"):
        flags = [f"--{name.replace('_', '-')}" for name in _SWITCHES if getattr(box, name)]
        flags += ["--overlay", box.overlay] if box.overlay else []
        flags += [word for mount in mounts for word in ("--bind", mount)]
        flags += ["--pwd", box.workdir] if box.workdir else []
        flags += [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        return f"{shlex.join([box.runtime, 'exec', *flags])} --bind {RUN} {shlex.quote(box.image)}"
    if box.runtime == "podman":
        flags = [word for mount in mounts for word in ("-v", mount)]
        flags += ["-w", box.workdir] if box.workdir else []
        flags += [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
        own = shlex.join(
            ["podman", "run", "--rm", "--env-host", *flags]
        )  # what the image sets is stronger than the host
        return f"{own} -v {RUN}:{RUN} {shlex.quote(box.image)}"
    before = ["env", *(f"{name}={value}" for name, value in variables.items())] if variables else []
    flags = [f"--container-workdir={box.workdir}"] if box.workdir else []
    inside = "".join(f"{mount}," for mount in mounts)
    return (
        shlex.join([*before, "srun", f"--container-image={box.image}", *flags])
        + f" --container-mounts={shlex.quote(inside) if inside else ''}{RUN}:{RUN}"
    )


_SWITCHES = ("nv", "rocm", "cleanenv", "fakeroot", "writable_tmpfs")
