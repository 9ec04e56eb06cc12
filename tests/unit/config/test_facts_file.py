"""The facts file that an entry names."""

import pytest
from configs import config

from launchers.config.facts_file import load_facts_for, load_oar_facts, load_slurm_facts
from launchers.files.problems import ConfigError


def slurm_entry(**keys):
    return config(slurm=[keys]).document.slurm[0]


def test_an_entry_without_facts(tmp_path):
    assert load_facts_for(tmp_path / "launchers.yaml", slurm_entry()) is None


def test_facts_are_beside_the_file_that_names_them(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "facts.yaml").write_text("slurm: [{id: x}]")
    assert load_facts_for(tmp_path / "launchers.yaml", slurm_entry(facts="sub/facts.yaml")).id == "x"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_facts_for(tmp_path / "launchers.yaml", slurm_entry(facts="~/sub/facts.yaml")).id == "x"


def test_the_facts_of_an_oar_entry(tmp_path):
    (tmp_path / "facts.yaml").write_text("oar: [{id: y}]")
    entry = config(oar=[{"facts": "facts.yaml"}]).document.oar[0]
    assert load_facts_for(tmp_path / "launchers.yaml", entry).id == "y"


@pytest.mark.parametrize(
    ("text", "read", "message"),
    [
        ("slurm: []", load_slurm_facts, "slurm: a facts file has one slurm: entry, but this file has 0"),
        ("slurm: [{}, {}]", load_slurm_facts, "slurm: a facts file has one slurm: entry, but this file has 2"),
        ("slurm: [{}]", load_oar_facts, "oar: a facts file has one oar: entry, but this file has 0"),
    ],
)
def test_a_facts_file_has_one_entry(tmp_path, text, read, message):
    path = tmp_path / "facts.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert str(caught.value) == f"{path}:1:1: error LC111: {message}"


def test_facts_have_no_facts_of_their_own(tmp_path):
    (tmp_path / "facts.yaml").write_text("slurm: [{facts: more.yaml}]")
    with pytest.raises(
        ConfigError, match=r"LC111: its entry has a facts: of its own \(name a file that launchers convert"
    ):
        load_facts_for(tmp_path / "launchers.yaml", slurm_entry(facts="facts.yaml"))
