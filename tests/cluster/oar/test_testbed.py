"""The test bed itself: it is up, runs jobs as its user, listens on this machine only, and refuses root."""

import json
import re
import subprocess
import sys
from pathlib import Path

import oar_testbed

TOOL = str(Path(__file__).resolve().parents[3] / "tools" / "oar_testbed.py")


def test_status(oar):
    said = subprocess.run([sys.executable, TOOL, "status", "--json"], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    status = json.loads(said.stdout)
    assert set(status["daemons"]) == {"postgres", "sshd", "almighty"}
    assert all(status["daemons"].values())
    for node in oar_testbed.NODES:
        assert node["host"] in status["oarnodes"]


def test_up_needs_root(oar):
    said = subprocess.run([sys.executable, TOOL, "up"], capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "needs root" in said.stderr


def test_nothing_listens_but_on_loopback(oar):
    ports = {oar_testbed.SERVER, oar_testbed.SSH, oar_testbed.POSTGRES}
    seen = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            host, _, port = local.rpartition(":")
            if state == "0A" and int(port, 16) in ports:
                seen.add(int(port, 16))
                assert host == "0100007F", f"port {int(port, 16)} listens on {host}"
    assert seen == ports


def test_as_user_again_is_the_user(oar):
    said = subprocess.run([sys.executable, TOOL, "as-user", "id", "-un"], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == oar_testbed.USER
    own = subprocess.run([sys.executable, TOOL, "env"], capture_output=True, text=True, check=True).stdout
    assert all(re.fullmatch(r"export \w+=\S+", line) for line in own.splitlines())
