"""`launchers convert` as functions of Python; tests/unit/cli/test_convert.py has what the command prints."""

import pytest
from oarnodes import oarnodes, resource
from slurm_texts import CONFIG, NODES, PARTITIONS, associations

from launchers.config.load import loads
from launchers.files.problems import ConfigError
from launchers.launcher.conversion import (
    ConversionError,
    ConversionOptions,
    convert_texts,
    facts_path,
    replace_facts,
)


def test_the_text_is_a_launchers_yaml_and_remarks_are_data():
    conversion = convert_texts([CONFIG, NODES, PARTITIONS, "NodeName=lost\n", "what\n"], ConversionOptions(id="mine"))
    (entry,) = loads(conversion.text).document.slurm
    assert (entry.id, list(entry.partitions)) == ("mine", ["p", "q"])
    assert conversion.remarks == (
        "line 1: cannot read this line (a table needs the line with its header): what",
        "these nodes are in no partition and are left out: lost",
    )


def test_an_error_has_the_remarks_made_until_then():
    with pytest.raises(ConversionError, match="the input has no node and no partition") as raised:
        convert_texts(["what\n"], ConversionOptions())
    assert raised.value.remarks == ("line 1: cannot read this line (a table needs the line with its header): what",)


def test_oar_is_recognised_among_several_texts():
    text = oarnodes(resource(1, "a", core=1))
    assert loads(convert_texts([text], ConversionOptions()).text).document.oar[0].nodes[0].hosts == "a"
    with pytest.raises(ConversionError, match="of OAR, only one output"):
        convert_texts([NODES, text], ConversionOptions())


def test_the_person_of_an_anonymous_cluster_has_a_number():
    texts = [CONFIG, NODES, PARTITIONS, associations({"Account": "a", "User": "you"}, {"Account": "b", "User": "me"})]
    (entry,) = loads(convert_texts(texts, ConversionOptions(user="you", anonymize=True)).text).document.slurm
    assert list(entry.accounts) == ["account1"]
    (entry,) = loads(convert_texts(texts, ConversionOptions(anonymize=True)).text).document.slurm
    assert entry.accounts is None


@pytest.mark.parametrize(
    ("text", "path"), [("slurm: [{facts: f.yaml}]", "f.yaml"), ("oar: [{facts: /f.yaml}]", "/f.yaml")]
)
def test_the_facts_file_is_found_from_the_file_that_names_it(text, path, tmp_path):
    (tmp_path / "launchers.yaml").write_text(text)
    assert facts_path(tmp_path / "launchers.yaml") == tmp_path / path


def test_no_facts_file(tmp_path):
    (tmp_path / "launchers.yaml").write_text("slurm: [{id: a}]")
    with pytest.raises(ConfigError, match="exactly one slurm: or oar: entry must name a facts: file; 0 do"):
        facts_path(tmp_path / "launchers.yaml")


def test_replacing_facts_gives_the_difference(tmp_path):
    path = tmp_path / "facts.yaml"
    assert replace_facts(path, "a\nb\n")[2:] == ["@@ -0,0 +1,2 @@\n", "+a\n", "+b\n"]
    assert replace_facts(path, "a\nb\n") == []
    assert replace_facts(path, "a\nc\n")[3:] == [" a\n", "-b\n", "+c\n"]
    assert path.read_text() == "a\nc\n"
    with pytest.raises(OSError, match="No such file"):
        replace_facts(tmp_path / "none" / "facts.yaml", "a\n")
