"""What clusters print, as a launchers.yaml: the functions behind `launchers convert`."""

import pytest
from config_files import oar_entry, partition, slurm_entry, write_config
from oarnodes import oarnodes, resource
from slurm_texts import CONFIG, node
from slurm_texts import partition as partition_text

from launchers.config.load import loads
from launchers.files.output import YAML, seal, without_seal
from launchers.files.problems import ConfigError
from launchers.launcher.conversion import (
    ConversionError,
    ConversionOptions,
    NoClusterError,
    convert_texts,
    facts_diff,
    facts_path,
)

SLURM = (CONFIG, node("a1", Partitions="p") + node("a2", Partitions="p"), partition_text("p", "a[1-2]"))
OAR = oarnodes(resource(1, "n-1"), resource(2, "n-2"))


def convert(*texts, earlier=None, names=(), **options):
    return convert_texts(texts, ConversionOptions(**options), earlier, names)


def entry(conversion, scheduler="slurm"):
    """The only entry that a text has."""
    (found,) = getattr(loads(conversion.text, "f.yaml").document, scheduler)
    return found


def test_a_slurm_cluster_is_an_entry():
    found = convert(*SLURM, id="mine")
    assert entry(found).id == "mine"
    assert list(entry(found).partitions) == ["p"]
    assert without_seal(found.text).startswith(
        "# Written by `launchers convert` from what Slurm printed: 2 nodes, 1 partition.\n"
    )
    assert seal(without_seal(found.text), YAML) == found.text


def test_the_order_of_the_texts_does_not_matter():
    assert convert(*reversed(SLURM)).text == convert(*SLURM).text


def test_an_oar_cluster_is_an_entry():
    found = convert(OAR, id="grid")
    assert entry(found, "oar").id == "grid"
    assert "from what oarnodes printed: 2 nodes.\n" in found.text


@pytest.mark.parametrize("options", [{"user": "me"}, {"partitions": ("p",)}, {"anonymize": True}])
def test_some_options_are_slurms_alone(options):
    with pytest.raises(ConversionError, match="work for Slurm only, not for OAR"):
        convert(OAR, **options)


def test_oar_of_another_shape_is_refused():
    with pytest.raises(ConversionError, match="this is not what oarnodes -J prints"):
        convert(OAR.replace('"type": "default"', '"available_upto": [1]'))


def test_one_oar_at_a_time():
    with pytest.raises(ConversionError, match=r"one output of oarnodes -J can be converted at a time, as n\.txt is"):
        convert(*SLURM, OAR, names=("a", "b", "c", "n.txt"))


@pytest.mark.parametrize(("texts", "message"), [
    (("",), "no node and no partition: give it the output of `scontrol show nodes` and `scontrol show partitions`"),
    ((CONFIG, "garbage"), "no node and no partition"),
    ((node("a1", Partitions=""),), "no partition is known: give the output of `scontrol show partitions` too"),
    ((oarnodes({"resource_id": 1, "network_address": ""}),), "OAR names no host: look at what `oarnodes -J` prints"),
])  # fmt: skip
def test_a_text_without_a_cluster_says_which_command_prints_it(texts, message):
    with pytest.raises(NoClusterError, match=message):
        convert(*texts)


def test_remarks_name_the_text():
    twice = (node("a1"), "\n" + node("a1", CPUTot="9") + "\n? ?\n")
    (differs, unread) = sorted(convert(*twice, names=("a.txt", "<stdin>")).remarks, key=lambda said: "cannot" in said)
    assert differs.startswith("a.txt:1: a1 is described on <stdin>:2 too, and differs: CPUTot=8 here, 9 there")
    assert unread.startswith("<stdin>:5: cannot read this line")
    assert all(remark.startswith("line ") for remark in convert(*twice).remarks)


@pytest.mark.parametrize(("texts", "options", "message"), [
    (SLURM, {"partitions": ("p", "x")}, "--partition x: there is no such partition; known: p"),
])  # fmt: skip
def test_what_cannot_be_converted(texts, options, message):
    with pytest.raises(ConversionError, match=message):
        convert(*texts, **options)


def test_hosts_can_be_left_out_and_names_be_others():
    assert "a[1-2]" in convert(*SLURM).text
    assert "a[1-2]" not in convert(*SLURM, hosts=False).text
    other = convert(*SLURM, anonymize=True).text
    assert "a[1-2]" not in other


def test_nodes_without_a_partition_are_named():
    nodes = node("a1") + node("a2", Partitions="")
    assert (
        "these nodes are in no partition and are left out: a2"
        in convert(CONFIG, nodes, partition_text("p", "a1")).remarks
    )
    assert convert(*SLURM).remarks == ()


# -- files -------------------------------------------------------------------------------------------------------


def test_the_one_facts_file_of_a_launchers_yaml(tmp_path):
    config = write_config(
        tmp_path, slurm=[{"facts": "cluster.yaml"}, slurm_entry("x", {"p": partition(cores=1)})], oar=[oar_entry("y")]
    )
    assert facts_path(config) == tmp_path / "cluster.yaml"
    assert facts_path(write_config(tmp_path, oar=[{"facts": "/abs/grid.yaml"}])).as_posix() == "/abs/grid.yaml"
    config = write_config(tmp_path, oar=[{"facts": "~nobody-of-that-name/grid.yaml"}])
    assert facts_path(config) == tmp_path / "~nobody-of-that-name" / "grid.yaml"


@pytest.mark.parametrize(("facts", "count"), [([], 0), (["a.yaml", "b.yaml"], 2)])
def test_a_launchers_yaml_without_its_one_facts_file(tmp_path, facts, count):
    config = write_config(tmp_path, slurm=[{"facts": path} for path in facts])
    with pytest.raises(ConfigError, match=f"exactly one slurm: or oar: entry must name a facts: file; {count} do"):
        facts_path(config)


def test_what_differs_in_a_facts_file_is_all_but_its_seal(tmp_path):
    path = tmp_path / "facts.yaml"
    new = [line.rstrip() for line in facts_diff(path, seal("a\n", YAML))]
    assert (new[0], new[1], new[3:]) == (f"--- {path} (before)", f"+++ {path} (now)", ["+a"])
    path.write_text(seal("a\n", YAML))
    assert facts_diff(path, seal("a\n", YAML)) == []
    assert [line.rstrip() for line in facts_diff(path, seal("b\n", YAML))][-2:] == ["-a", "+b"]
