"""The command line as a person meets it: output, exit statuses, errors without a traceback."""

import argparse
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launchers.cli import main, parsing

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = str(ROOT / "launchers.example.yaml")


def launchers(*argv, **more):
    more.setdefault("timeout", 60)
    return subprocess.run(
        [sys.executable, "-m", "launchers", *argv], **{"capture_output": True, "text": True, "check": False, **more}
    )


def call(capsys, *argv):
    status = main(list(argv))
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize("command", ["explain", "list", "where", "check"])
def test_other_json(capsys, command):
    argv = {"explain": ["cuda(mem=999G)"], "check": [EXAMPLE]}.get(command, [])
    config = [] if command == "check" else ["--config", EXAMPLE]
    main([command, "--json", *config, *argv])
    answer = json.loads(capsys.readouterr().out)
    section = (ROOT / "docs" / "json.md").read_text().split(f"## {command}")[1].split("\n## ")[0]
    assert set(answer) == {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["find", "cdua()"], "did you mean cuda?"),
        (["find"], "Try 'launchers find --help'."),
        (["finde"], "Try 'launchers --help'."),
        ([], "Try 'launchers --help'."),
        (["--config", "F", "find"], "write options behind the command, as in: launchers COMMAND --config"),
        (["check", "--config", "F"], "launchers check: it has no option --config: write the FILE without it"),
        (["runs", "--jsno"], "launchers runs: it has no option --jsno: did you mean --json?"),
        (["clean", "--timeout=5"], "launchers clean: it has no option --timeout; these have it: launchers wait\n"),
        (["flow", "check", "f", "--xyz"], "launchers flow check: it has no option --xyz\nTry 'launchers flow check"),
        (["status", "a", "b"], "launchers status: 'b' is one argument too many; the command is: launchers status ["),
        (["find", "--config", "/no/such.yaml", "cpu()"], "/no/such.yaml:1:1: error LC100: No such file or directory"),
        (["find", "--config", "/", "cpu()"], "error LC100: Is a directory"),
        (["run", "cpu()"], "no command to run: write it after --"),
        (["convert", "/no/such.txt"], "/no/such.txt: No such file or directory"),
    ],
)
def test_bad_input_is_2_without_a_traceback(argv, said):
    done = launchers(*argv, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_input_without_a_cluster_is_65():
    done = launchers("convert", EXAMPLE, stdin=subprocess.DEVNULL)
    assert done.returncode == 65
    assert "the input has no node and no partition" in done.stderr


def test_unreachable(tmp_path, no_slurm, capsys):
    path = tmp_path / "c.yaml"
    path.write_text("slurm: [{id: far, query_slurm: true}]")
    status, _, err = call(capsys, "find", "--config", str(path), "cpu()")
    assert status == 3
    assert "far: query_slurm: there is no scontrol on PATH" in err
    path.write_text("slurm: [{id: far, query_slurm: true}]\nlocal: [{id: here}]")
    status, _, err = call(capsys, "find", "--config", str(path), "cpu()")
    assert status == 0
    assert "warning: skipped far: " in err
    path.write_text("slurm: [{id: far, partitions: {p: {}}}]")
    assert call(capsys, "find", "--config", str(path), "cpu()")[0] == 0  # known by hand: finding needs no Slurm
    status, _, err = call(capsys, "run", "--config", str(path), "cpu()", "--", "true")
    assert status == 3
    assert "far matches but cannot be reached: no sbatch and no srun on PATH" in err


def test_no_config_is_this_machine(tmp_path, monkeypatch, capsys, no_slurm):
    monkeypatch.chdir(tmp_path)
    status, out, _ = call(capsys, "find", "cpu(cores=1)")
    assert (status, out.splitlines()[0]) == (0, "launcher  this machine")
    status, out, _ = call(capsys, "where")
    assert "none of these files exists: the only launcher is this machine" in out


def test_schema_and_completion(capsys):
    status, out, _ = call(capsys, "schema")
    assert json.loads(out)["title"] == "launchers.yaml"
    for shell in ("bash", "zsh"):
        status, out, _ = call(capsys, "completion", shell)
        assert status == 0
        assert "explain" in out
    assert (
        subprocess.run(["bash", "-n"], input=call(capsys, "completion", "bash")[1], text=True, check=False).returncode
        == 0
    )


def test_a_closed_pipe_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m launchers schema | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == "{\n"
    short = f"{sys.executable} -m launchers where | true"  # fits into the buffer: it is written when all is done
    assert subprocess.run(short, shell=True, capture_output=True, text=True, check=False).stderr == ""


@pytest.mark.parametrize("argv", [["find", "--config", EXAMPLE, "cpu()"], ["list", "--json"], ["schema"]])
def test_a_full_disk_is_said_in_one_line(argv):
    with open("/dev/full", "w") as full:
        done = launchers(*argv, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == "launchers: cannot write the output: No space left on device\n"


# -- run -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_run_passes_the_exit_status_on(script, status, tmp_path):
    done = launchers("run", "cpu(cores=1)", "--", "sh", "-c", f"echo out; echo err >&2; {script}", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (status, "out\n", "err\n")


def test_run_of_what_is_not_there(tmp_path):
    done = launchers("run", "cpu(cores=1)", "--", "/no/such", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (127, "launchers: cannot run /no/such: No such file or directory\n")


def test_run_shows_output_while_it_runs(tmp_path):
    argv = [
        sys.executable,
        "-m",
        "launchers",
        "run",
        "cpu(cores=1)",
        "--",
        "sh",
        "-c",
        "echo first; sleep 3; echo last",
    ]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=tmp_path) as process:
        started = time.monotonic()
        assert process.stdout.readline() == b"first\n"
        assert time.monotonic() - started < 2.5
        process.terminate()
    assert process.returncode == 143


def test_run_reads_stdin(tmp_path):
    assert launchers("run", "cpu(cores=1)", "--", "cat", input="hello", cwd=tmp_path).stdout == "hello"


def test_run_keeps_to_the_time_limit(tmp_path):
    done = launchers("run", "cpu(cores=1) & duration=1s", "--", "sleep", "30", cwd=tmp_path)
    assert done.returncode == 143
    assert "time limit of 1 s reached" in done.stderr


def test_ctrl_c_reaches_the_command(tmp_path):
    """A real terminal: its Ctrl-C goes to both, and the command has the last word."""
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, lambda *_: (open('saved', 'w').close(), sys.exit(5)))\n"
        "print('ready', flush=True)\ntime.sleep(30)\n"
    )
    parent, child = pty.openpty()
    argv = [sys.executable, "-m", "launchers", "run", "cpu(cores=1)", "--quiet", "--", sys.executable, "-c", code]
    process = subprocess.Popen(
        argv,
        stdin=child,
        stdout=child,
        stderr=child,
        cwd=tmp_path,
        start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    )
    os.close(child)
    seen = b""
    while b"ready" not in seen:
        seen += os.read(parent, 100)
    os.write(parent, b"\x03")
    assert process.wait(30) == 5
    assert (tmp_path / "saved").exists()  # the end of a session may take with it what its terminal was not asked yet
    os.close(parent)


def test_a_signal_to_run_alone_is_passed_on(tmp_path):
    argv = [
        sys.executable,
        "-m",
        "launchers",
        "run",
        "cpu(cores=1)",
        "--",
        "sh",
        "-c",
        "trap 'echo bye; exit 9' INT; echo ready; while :; do sleep 0.1; done",
    ]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b"bye\n"
    assert process.returncode == 9


def test_detach(tmp_path):
    done = launchers("run", "cpu(cores=1)", "--detach", "--", "sh", "-c", "sleep 0.3; echo hello", cwd=tmp_path)
    assert done.returncode == 0
    folder = tmp_path / ".launchers" / "jobs" / f"{done.stdout.strip()}.scheduler"
    assert str(folder) in done.stderr
    for _ in range(100):
        if (folder / "stdout").exists() and (folder / "stdout").read_text() == "hello\n":
            return
        time.sleep(0.05)
    raise AssertionError("no output")


def test_run_shows_a_job_only_its_gpus(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("local: [{cpu: {cores: 4}, gpu: [{model: A100, count: 2, memory: 40G}]}]")
    shown = launchers(
        "run", "--config", str(path), "cuda(mem=40G)", "--", "sh", "-c", 'echo "[$CUDA_VISIBLE_DEVICES]"', cwd=tmp_path
    )
    assert shown.stdout == "[0]\n"
    shown = launchers(
        "run", "--config", str(path), "cpu(cores=1)", "--", "sh", "-c", 'echo "[$CUDA_VISIBLE_DEVICES]"', cwd=tmp_path
    )
    assert shown.stdout == "[]\n"


# -- verbose ---------------------------------------------------------------------------------------------------


@pytest.fixture
def nvidia(no_slurm):
    """A machine whose nvidia-smi fails."""
    (no_slurm / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    (no_slurm / "nvidia-smi").chmod(0o755)


@pytest.mark.parametrize("argv", [["-v", "list"], ["list", "-v"], ["--verbose", "list"], ["list", "--verbose"]])
def test_verbose_shows_each_command_on_stderr(capsys, tmp_path, monkeypatch, nvidia, argv):
    monkeypatch.chdir(tmp_path)
    status, out, err = call(capsys, *argv)
    assert status == 0
    assert out.startswith("this machine (local)")
    assert re.search(r"^launchers: nvidia-smi --query-gpu=\S+ --format=\S+ \(exit status 9, 0\.\d\d s\)$", err, re.M)
    assert "nvidia-smi" not in call(capsys, "list")[2]  # it ends with the command


def test_every_command_knows_verbose(capsys):
    """Subcommands of a command too, and what completes them."""

    def parsers(parser):
        yield parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for child in action.choices.values():
                    yield from parsers(child)

    every = list(parsers(parsing.parser()))
    assert len(every) > 1 + len(parsing.COMMANDS)
    assert [each.prog for each in every if "-v" not in each._option_string_actions] == []
    completed = re.findall(r"_option_strings=\((.*)\)", call(capsys, "completion", "bash")[1])
    assert len(completed) == len(every)
    assert [options for options in completed if "--verbose" not in options] == []
