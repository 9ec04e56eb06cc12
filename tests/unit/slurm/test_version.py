"""Which Slurm it is: by its settings, by JSON's meta, by its nodes; one that is not known counts as new."""

import json

import pytest
from slurm_texts import config, node

from launchers.slurm.read import read
from launchers.slurm.version import counts_accounts_below, refuses_memory_of_more_cpus, version_of


@pytest.mark.parametrize(
    ("texts", "version"),
    [
        ([config(SLURM_VERSION="22.05.8")], (22, 5)),
        ([config(SLURM_VERSION="24.11")], (24, 11)),
        ([config(SLURM_VERSION="slurm 22")], None),
        ([node(Version="23.02.6")], (23, 2)),
        ([node("a", Version="23.02.6"), node("b", Version="22.05.1")], (23, 2)),
        ([node(Version="(null)")], None),
        ([config(SLURM_VERSION="24.11.1"), node(Version="23.02.6")], (24, 11)),
        ([json.dumps({"meta": {"Slurm": {"release": "21.08.5"}}, "nodes": []})], (21, 8)),
        ([json.dumps({"meta": {"slurm": {"release": "25.05.4"}}, "nodes": []})], (25, 5)),
        ([json.dumps({"meta": {"slurm": {"release": 25}}, "nodes": []})], None),
        ([json.dumps({"meta": None, "nodes": []})], None),
        ([], None),
    ],
)
def test_what_says_the_version(texts, version):
    assert version_of(read(*texts)) == version


@pytest.mark.parametrize(("version", "new"), [("22.05.8", False), ("23.02.0", True), ("26.05.3", True), ("", True)])
def test_what_versions_do_differently(version, new):
    facts = read(config(SLURM_VERSION=version))
    assert (counts_accounts_below(facts), refuses_memory_of_more_cpus(facts)) == (new, new)
