"""Wrappers that stand before a scheduler's commands on PATH and answer as commands on a bad day do.

The real command is behind each.  What happens is decided by chance, call by call, until the file `calm` is there.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from chaos_run.scene import Scene

TROUBLES = (
    "lost-message", "timed-out", "killed", "banner-before", "banner-after", "no-utf8", "nothing", "only-number",
    "fails-after", "slow", "late", "refused", "hangs-up",
)  # fmt: skip
WRAPPER = '''#!{python} -IS
"""Before {real}: see chaos_run/answers.py."""
import os, random, re, signal, subprocess, sys, time

real, state, share = {real!r}, {state!r}, {share!r}
name = os.path.basename(real)
submits = name in ("sbatch", "oarsub")
rng = random.Random()
log = open(state + "/answers.log", "a")


def go():
    done = subprocess.run([real, *sys.argv[1:]], stdin=0, capture_output=True)
    sys.stdout.buffer.write(done.stdout), sys.stdout.flush()
    sys.stderr.buffer.write(done.stderr), sys.stderr.flush()
    return done.returncode


def quiet():
    return subprocess.run([real, *sys.argv[1:]], stdin=0, capture_output=True)


window = state + "/" + name + ".fails-until"
if os.path.exists(state + "/calm"):
    os.execv(real, [real, *sys.argv[1:]])
now = time.monotonic()
if os.path.exists(window) and now < float(open(window).read() or 0):
    trouble = "refused"
elif rng.random() > share:
    os.execv(real, [real, *sys.argv[1:]])
else:
    trouble = rng.choice({troubles!r} if submits else {others!r})
log.write(name + " " + trouble + " " + " ".join(sys.argv[1:])[:60] + "\\n"), log.flush()
if trouble == "fails-6s":
    open(window, "w").write(str(now + 6))
    trouble = "refused"
if trouble == "refused":
    sys.exit(name + ": error: Unable to contact slurm controller (connect failure)")
if trouble == "slow":
    time.sleep(rng.uniform(2, 10))
    os.execv(real, [real, *sys.argv[1:]])
if trouble == "late":  # the job comes some time after whoever asked for it was told otherwise
    if os.fork() == 0:
        os.setsid()
        time.sleep(rng.uniform(1, 6))
        os.execv(real, [real, *sys.argv[1:]])
    print(name + ": error: Batch job submission failed: Socket timed out on send/recv operation", file=sys.stderr)
    sys.exit(1)
if trouble == "hangs-up":  # whoever asked is gone, and the command goes on
    if os.fork() == 0:
        os.setsid()
        time.sleep(rng.uniform(1, 4))
        os.execv(real, [real, *sys.argv[1:]])
    os.kill(os.getpid(), signal.SIGKILL)
if trouble == "banner-before":
    print("*** Welcome to cluster 4711: 12 jobs of 345 wait, maintenance on 2026-12-24 ***", flush=True)
    sys.exit(go())
if trouble == "banner-after":
    status = go()
    print("Your project has 99 hours left of 12345678\\n424242", flush=True)
    sys.exit(status)
done = quiet()
if trouble == "killed":
    os.kill(os.getpid(), rng.choice((signal.SIGSEGV, signal.SIGTERM, signal.SIGKILL)))
if trouble == "no-utf8":
    sys.stdout.buffer.write(b"caf\\xe9 \\xff\\xfe\\n" + done.stdout), sys.stdout.flush()
    sys.exit(done.returncode)
if trouble == "nothing":
    sys.exit(done.returncode)
if trouble == "only-number":
    found = re.search(rb"\\d+", done.stdout)
    sys.stdout.buffer.write((found[0] + b"\\n") if found else b""), sys.stdout.flush()
    sys.exit(done.returncode)
if trouble == "fails-after":
    sys.stdout.buffer.write(done.stdout), sys.stdout.flush()
    sys.exit(done.returncode or 1)
words = "Socket timed out on send/recv operation" if trouble == "timed-out" else "Message receive failure"
print(name + ": error: Batch job submission failed: " + words, file=sys.stderr)
sys.exit(1)
'''
QUESTIONS = ("refused", "fails-6s", "killed", "slow", "no-utf8", "nothing-failed", "fails-after")
"""What a question may meet; a scheduler that answers with an empty success lies, and nobody can know."""


def install_wrappers(scene: Scene, commands: tuple[str, ...]) -> Path:
    """Put them on the PATH of a try; the file whose presence ends the trouble."""
    folder = scene.folder / "bad-day"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    share = scene.rng.choice((0.3, 0.6, 0.9))
    for name in commands:
        real = shutil.which(name, path=scene.environment["PATH"])
        assert real, name
        text = WRAPPER.format(
            python=sys.executable, real=real, state=str(folder), share=share, troubles=TROUBLES, others=QUESTIONS
        )
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    scene.environment = {**scene.environment, "PATH": f"{folder}:{scene.environment['PATH']}"}
    return folder / "calm"
