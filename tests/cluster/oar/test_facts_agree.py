"""What `convert` reads of a live OAR is what its resources were made of: a second reader counts the facts and the misses."""

import subprocess

import pytest
from oar_resources import converted_facts, given_facts, misses

import oar_testbed
from launchers.cli import main

GPU = {"cluster": "odd", "memnode": 65536, "production": "YES"}
ODD = [
    {"host": "odd-1", "state": "Absent", "available_upto": 2147483647, "cluster": "odd", "memnode": 4096, "cpuarch": "ppc64le"},
    {"host": "odd-2", "state": "Absent", "cluster": "odd", "memnode": 4096, "cpuarch": "ppc64le"},
    {"host": "odd-3", "state": "Dead", "cluster": "odd", "memnode": 4096, "cpuarch": "ppc64le"},
    {"host": "odd-4", "state": "Suspected", "cluster": "odd", "memnode": 4096, "cpuarch": "aarch64", "deploy": "YES"},
    {"host": "odd-5", "state": "Alive", "drain": "YES", "cluster": "odd", "memnode": 4096, "cpuarch": "aarch64"},
    *({"host": "odd-6", "state": "Dead", "gpu": 90 + n, "gpu_count": 3, "gpu_model": "A100", "gpu_mem": 81920, **GPU} for n in range(3)),
    *({"host": "odd-7", "state": "Dead", "gpu": 95 + n % 2, "gpu_model": "A100", **GPU} for n in range(4)),
    {"host": "odd-8", "state": "Dead", "gpu_count": 0, "cputype": "it's", **GPU},
    {"host": "odd-9", "state": "Dead", "gpu_count": 0, "cputype": "Intel Xeon", **GPU},
    *({"host": "odd-10", "state": "Dead", "cputype": kind, **GPU} for kind in ("Intel Xeon", "AMD EPYC")),
    {"host": "licence-1", "state": "Dead", "type": "licence", "memnode": 1},
]  # fmt: skip
"""Resources that the test bed has not: asleep, dead, drained, of other architectures, some with GPUs, and a licence."""


def resources_of(nodes):
    """The resources that tools/oar-testbed makes of its nodes: one for each core."""
    for node in nodes:
        gpus = node.get("gpus", 0)
        for index in range(node["cores"]):
            found = {
                "host": node["host"], "state": "Alive", "core": f"{node['host']} {index}", "memnode": node["memnode"],
                "cluster": node["host"].split("-")[0], "cputype": "Intel Xeon", "production": "YES" if gpus else "NO",
                "deploy": "YES" if node.get("deploy") else "NO",
            }  # fmt: skip
            if gpus:
                mine = {"gpu": f"{node['host']} {index * gpus // node['cores']}"}
                found |= {**mine, "gpu_model": node["gpu_model"], "gpu_mem": node["gpu_mem"]}
            yield found


@pytest.fixture(params=["test bed", "odd resources too"])
def resources(request, oar):
    """The resources of the cluster, as they were made."""
    made = list(resources_of(oar_testbed.NODES))
    if request.param == "test bed":
        yield made
        return
    oar.sql("ALTER TABLE resources ADD cpuarch VARCHAR(255)")
    try:
        odd = [{"core": 900 + number, "deploy": "NO", "available_upto": 0, **one} for number, one in enumerate(ODD)]
        for one in odd:
            values = ", ".join("'" + str(value).replace("'", "''") + "'" for value in one.values())
            oar.sql(f"INSERT INTO resources (network_address, {', '.join(one)}) VALUES ('{one['host']}', {values})")
        yield made + odd
    finally:
        oar.sql("DELETE FROM resources WHERE core >= 900")
        oar.sql("ALTER TABLE resources DROP cpuarch")


@pytest.mark.parametrize("live", [True, False])
def test_every_fact_of_the_resources(resources, oar, live):
    if live:
        arguments = ["--oar"]
    else:
        with open("nodes", "w") as out:
            subprocess.run(["oarnodes", "-J"], stdout=out, check=True)
        arguments = ["nodes"]
    assert main(["convert", *arguments, "-o", "cluster.yaml"]) == 0
    given = given_facts(resources)
    wrong = misses(given, converted_facts("cluster.yaml"))
    print(f"OAR {'.'.join(map(str, oar.version))}: {len(given)} facts, {len(wrong)} misses")
    assert not wrong, "\n".join([f"{len(wrong)} misses of {len(given)} facts", *wrong])
    assert len(given) > 40
