"""Every file of ../shared/data/real-clusters: what is in it, counted by hand (INDEX.md, grep), against what is read.

Per file: nodes, shapes of node, partitions, accelerators by model and memory in GiB (`?`: not known), and nodes whose
memory is not known.
"""

import re
from collections import Counter

import pytest

from launchers.cli import main
from launchers.config.check import check
from launchers.config.emit import to_yaml
from launchers.config.load import loads
from launchers.slurm.accelerators import accelerators_of
from launchers.slurm.convert import convert
from launchers.slurm.read import read

EXPECTED = {
    "OSC_ood_core/spec/fixtures/output/slurm/owens_partitions.txt": (0, 0, 15, {}, 0),
    "aws_aws-parallelcluster-node/scontrol_show_nodes_cloud.txt": (3, 2, 1, {}, 0),
    "carpentries-incubator_hpc-intro/_includes/snippets_library/Birmingham_Baskerville_slurm/cluster/queue-info.snip": (
        46,
        1,
        4,
        {},
        46,
    ),
    "carpentries-incubator_hpc-intro/_includes/snippets_library/ComputeCanada_Graham_slurm/cluster/queue-info.snip": (
        38,
        1,
        1,
        {},
        38,
    ),
    "carpentries-incubator_hpc-intro/_includes/snippets_library/HPCC_MagicCastle_slurm/cluster/queue-info.snip": (
        4,
        1,
        3,
        {},
        4,
    ),
    "carpentries-incubator_hpc-intro/_includes/snippets_library/Magic_Castle_EESSI_slurm/cluster/queue-info.snip": (
        12,
        1,
        1,
        {},
        12,
    ),
    "carpentries-incubator_hpc-intro/_includes/snippets_library/NIST_CTCMS_slurm/cluster/queue-info.snip": (
        73,
        1,
        9,
        {},
        73,
    ),
    "carpentries-incubator_hpc-intro/_includes/snippets_library/Norway_SIGMA2_SAGA_slurm/cluster/queue-info.snip": (
        46,
        1,
        4,
        {},
        46,
    ),
    "eth-cscs_firecrest-v2/tests/mocked_api_responses/slurm_get_nodes.json": (1, 1, 3, {}, 0),
    "eth-cscs_firecrest-v2/tests/mocked_api_responses/slurm_get_partitions.json": (0, 0, 3, {}, 0),
    "eth-cscs_firecrest-v2/tests/mocked_ssh_outputs/ssh_scontrol_partitions.json": (0, 0, 4, {}, 0),
    "facebookresearch_gcm/gcm/tests/data/sample-scontrol-output-large.txt": (0, 0, 8, {}, 0),
    "facebookresearch_gcm/gcm/tests/data/sample-scontrol-output.txt": (0, 0, 3, {}, 0),
    "facebookresearch_gcm/gcm/tests/data/sample-sinfo-output.txt": (3, 3, 1, {"None ?": 18}, 0),
    "idx_10936318524/nml-slurm_node1.txt": (1, 1, 1, {"None ?": 2}, 0),
    "idx_13580844849/gpudev002.txt": (1, 1, 1, {"V100 ?": 2}, 0),
    "idx_14455621754/pitt_crc_htc_scontrol_show_partition.txt": (0, 0, 2, {}, 0),
    "idx_18232515963/kcl_create_erc-hpc-vm013.txt": (1, 1, 1, {"A100 80": 1}, 0),
    "idx_21890184033/trinity_node001_scontrol_show_node.txt": (1, 1, 1, {}, 0),
    "idx_37763089947/gpu-001_billing.txt": (1, 1, 1, {"P100 ?": 2}, 0),
    "idx_40755891192/pawsey_scontrol_show_partition_o.txt": (0, 0, 2, {}, 0),
    "idx_41020061853/grasp_node-2080ti-3.txt": (1, 1, 2, {"RTX2080TI 11": 4}, 0),
    "idx_43390859184/osc_pitzer_p0685.txt": (1, 1, 7, {}, 0),
    "idx_55049176662/hpc2n_kebnekaise_b-cn1703.txt": (1, 1, 1, {}, 0),
    "idx_58001521655/aws_pcs_hpc7g.txt": (2, 1, 1, {}, 0),
    "idx_58957137319/hltcoe_scontrol_show_node_o.txt": (2, 2, 1, {"A100 40": 4, "V100 ?": 8}, 0),
    "idx_61412767165/cg14_scontrol_show_node_do.txt": (1, 1, 2, {"A40 48": 1}, 0),
    "idx_745765210/unibe_binfservas07.txt": (1, 1, 1, {}, 0),
    "idx_9016326212/gcp_slurm-demo_dotted.txt": (1, 1, 1, {"None ?": 2}, 0),
    "mila-iqia_clockwork/slurm_state_test/files/scontrol_node_2": (2, 2, 8, {"RTX8000 48": 16}, 0),
    "mila-iqia_clockwork/slurm_state_test/files/scontrol_node_3": (
        5,
        5,
        8,
        {"None 48": 8, "RTX8000 48": 8, "V100 32": 8, "None 32": 8},
        0,
    ),
    "mila-iqia_clockwork/slurm_state_test/files/sinfo_1": (2, 2, 1, {"None ?": 1}, 0),
    "mila-iqia_clockwork/slurm_state_test/files/sinfo_2": (2, 2, 1, {"None ?": 1}, 0),
    "mila-iqia_clockwork/slurm_state_test/files/small_scontrol_node": (1, 1, 8, {"RTX8000 48": 8}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/24.05/0.0.41/slurm-node-down.json": (1, 1, 1, {}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/24.05/0.0.41/slurm-node-drain.json": (1, 1, 1, {}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/24.05/0.0.41/slurm-node-draining.json": (1, 1, 1, {}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/24.05/0.0.41/slurm-node-with-gpus-model-idle.json": (
        1,
        1,
        1,
        {"H100 ?": 4},
        0,
    ),
    "rackslab_Slurm-web/tests/assets/slurmrestd/24.05/0.0.41/slurm-nodes.json": (100, 1, 3, {}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/24.05/0.0.41/slurm-partitions.json": (0, 0, 4, {}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/24.11/0.0.42/slurm-node-down.json": (1, 1, 1, {}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/24.11/0.0.42/slurm-node-drain.json": (1, 1, 1, {}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/24.11/0.0.42/slurm-node-planned.json": (
        1,
        1,
        1,
        {"H100 ?": 2, "H200 141": 4},
        0,
    ),
    "rackslab_Slurm-web/tests/assets/slurmrestd/24.11/0.0.42/slurm-node-with-gpus-model-idle.json": (
        1,
        1,
        1,
        {"H100 ?": 2, "H200 141": 4},
        0,
    ),
    "rackslab_Slurm-web/tests/assets/slurmrestd/24.11/0.0.42/slurm-nodes.json": (
        6,
        2,
        2,
        {"H100 ?": 4, "H200 141": 8},
        0,
    ),
    "rackslab_Slurm-web/tests/assets/slurmrestd/24.11/0.0.42/slurm-partitions.json": (0, 0, 2, {}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.05/0.0.43/slurm-node-down.json": (1, 1, 1, {}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.05/0.0.43/slurm-node-drain.json": (1, 1, 1, {}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.05/0.0.43/slurm-node-planned.json": (1, 1, 1, {"H100 ?": 4}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.05/0.0.43/slurm-node-with-gpus-model-idle.json": (
        1,
        1,
        1,
        {"H100 ?": 4},
        0,
    ),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.05/0.0.43/slurm-nodes.json": (6, 2, 2, {"H100 ?": 8}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.05/0.0.43/slurm-partitions.json": (0, 0, 2, {}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.11/0.0.44/slurm-node-down.json": (1, 1, 1, {}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.11/0.0.44/slurm-node-drain.json": (1, 1, 1, {}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.11/0.0.44/slurm-node-draining.json": (1, 1, 1, {}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.11/0.0.44/slurm-node-planned.json": (1, 1, 1, {"H100 ?": 4}, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.11/0.0.44/slurm-node-with-gpus-model-idle.json": (
        1,
        1,
        1,
        {"H100 ?": 4},
        0,
    ),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.11/0.0.44/slurm-nodes.json": (
        8,
        3,
        2,
        {"H100 ?": 8, "None ?": 8},
        0,
    ),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.11/0.0.44/slurm-partitions.json": (0, 0, 2, {}, 0),
    "rivosinc_prometheus-slurm-exporter/exporter/fixtures/sinfo_out.json": (4, 1, 1, {}, 0),
    "snakemake_snakemake-executor-plugin-slurm/mogon_like_scontrol_show_partition.txt": (0, 0, 3, {}, 0),
    "unige_hpc-community/baobab_sinfo_gres_used.txt": (3, 3, 0, {"None 12": 17}, 0),
}
NOTHING = {
    # tables without a header, licences, accounts alone: reported, and no fact is made of them
    "DataDog_integrations-core/sinfo_gres_multi_2505.txt",
    "OSC_ood_core/spec/fixtures/output/slurm/owens_nodes.txt",
    "OSC_ood_core/spec/fixtures/output/slurm/sacctmgr_show_accts_owens.txt",
    "OSC_ood_core/spec/fixtures/output/slurm/sinfo_fc.txt",
    "OSC_ood_core/spec/fixtures/output/slurm/sinfo_gres_long_hostnames.txt",
    "eth-cscs_firecrest-v2/tests/mocked_ssh_outputs/ssh_sinfo_command.json",
    "facebookresearch_gcm/gcm/tests/data/sample-sacctmgr-user.txt",
    "facebookresearch_gcm/gcm/tests/data/sinfo-output-for-structured.txt",
    "mila-iqia_cluv/mila_sinfo_f_G.txt",
    "mila-iqia_cluv/tamia_sinfo_f_G.txt",
    "rivosinc_prometheus-slurm-exporter/exporter/fixtures/license_out.json",
    "rivosinc_prometheus-slurm-exporter/exporter/fixtures/sacctmgr.txt",
    "rivosinc_prometheus-slurm-exporter/exporter/fixtures/sinfo_fallback.txt",
    "vpenso_prometheus-slurm-exporter/test_data/sinfo.txt",
    "vpenso_prometheus-slurm-exporter/test_data/sinfo_cpus.txt",
    "vpenso_prometheus-slurm-exporter/test_data/sinfo_mem.txt",
}
OTHER = {
    # QoS, associations, settings, reservations: (qos, associations, settings, reservations)
    "ULHPC_ulhpc-docs/sacctmgr_show_qos.txt": (14, 0, 0, 0),
    "eth-cscs_firecrest-v2/tests/mocked_ssh_outputs/ssh_scontrol_reservation_command.json": (0, 0, 0, 7),
    "facebookresearch_gcm/gcm/tests/data/sample-sacctmgr-qos.txt": (5, 0, 0, 0),
    "facebookresearch_gcm/gcm/tests/data/sample-sacctmgr-user-info.txt": (0, 4, 0, 0),
    "facebookresearch_gcm/gcm/tests/data/sample-scontrol-show-config-output.txt": (0, 0, 241, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/24.05/0.0.41/slurm-qos.json": (2, 0, 2, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/24.11/0.0.42/slurm-qos.json": (1, 0, 2, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.05/0.0.43/slurm-qos.json": (2, 0, 2, 0),
    "rackslab_Slurm-web/tests/assets/slurmrestd/25.11/0.0.44/slurm-qos.json": (2, 0, 2, 0),
}


@pytest.fixture
def clusters(shared):
    return shared / "real-clusters"


def text_of(clusters, name):
    return (clusters / name).read_text(encoding="utf-8", errors="replace")


def test_every_file_is_accounted_for(clusters):
    files = {str(path.relative_to(clusters)) for path in clusters.rglob("*") if path.is_file()} - {"INDEX.md"}
    assert files == set(EXPECTED) | NOTHING | set(OTHER)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_what_is_read(clusters, name):
    text = text_of(clusters, name)
    found = read(text)
    gpus = Counter()
    for node in found.nodes:
        for one in accelerators_of(node):
            gpus[f"{one.model} {one.memory // 1024**3 if one.memory else '?'}"] += one.count
    shapes = len({(node.cpus, node.memory, node.gres, node.features) for node in found.nodes})
    unknown = sum(node.memory is None for node in found.nodes)
    assert (len(found.nodes), shapes, len(found.partitions), dict(gpus), unknown) == EXPECTED[name]
    if "NodeName=" in text:
        assert len(found.nodes) == text.count("NodeName=")
    if "PartitionName=" in text and "NodeName=" not in text:
        assert len(found.partitions) == len(set(re.findall(r"PartitionName=(\S+)", text)))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_what_is_converted_is_accepted(clusters, name, tmp_path, capsys):
    """`launchers convert | launchers check -`, and once more: same input, same bytes; what is written is what is read."""
    converted = convert(read(text_of(clusters, name)))
    text = to_yaml(converted)
    assert to_yaml(convert(read(text_of(clusters, name)))) == text
    config = loads(text)
    assert config.document.slurm[0] == converted.group
    assert not [problem for problem in check(config) if problem.is_error]
    status = main(["convert", str(clusters / name), "-o", str(tmp_path / "c.yaml")])
    if not converted.group.partitions:  # nodes alone are no place to run
        assert status == 65
        return
    assert status == 0
    assert main(["check", str(tmp_path / "c.yaml")]) == 0
    capsys.readouterr()


@pytest.mark.parametrize("name", sorted(NOTHING))
def test_what_cannot_be_known_is_reported(clusters, name):
    found = read(text_of(clusters, name))
    assert not found.nodes + found.partitions + found.qos + found.associations
    assert found.problems


@pytest.mark.parametrize("name", sorted(OTHER))
def test_what_else_is_read(clusters, name):
    found = read(text_of(clusters, name))
    assert (len(found.qos), len(found.associations), len(found.config), len(found.reservations)) == OTHER[name]


# -- what INDEX.md says of single clusters ---------------------------------------------------------------------


def first_node(clusters, name):
    return read(text_of(clusters, name)).nodes[0]


def test_specialised_cores_and_memory_are_taken_off(clusters):
    node = first_node(clusters, "idx_18232515963/kcl_create_erc-hpc-vm013.txt")
    assert (node.cpus, node.memory) == (10, (117000 - 10240) * 1024**2)


def test_a_partition_without_nodes(clusters):
    partitions = {
        p.name: p
        for p in read(text_of(clusters, "OSC_ood_core/spec/fixtures/output/slurm/owens_partitions.txt")).partitions
    }
    dynamic = [p for p in partitions.values() if not p.nodes]
    assert len(dynamic) == 1
    assert sum(p.hidden for p in partitions.values()) > 0
    assert any(p.state == "INACTIVE" for p in partitions.values())


def test_limits_of_pawsey(clusters):
    work, gpu = read(text_of(clusters, "idx_40755891192/pawsey_scontrol_show_partition_o.txt")).partitions
    assert (work.def_mem_per_cpu, work.max_mem_per_cpu) == (920 << 20, 1840 << 20)
    assert gpu.def_mem_per_gpu == 29440 << 20
    assert work.max_time == 86400


def test_cloud_nodes(clusters):
    nodes = read(text_of(clusters, "aws_aws-parallelcluster-node/scontrol_show_nodes_cloud.txt")).nodes
    assert [node.state.usable for node in nodes] == [False, False, False]
    assert "REBOOT_ISSUED" in nodes[0].state.flags
    pcs = read(text_of(clusters, "idx_58001521655/aws_pcs_hpc7g.txt")).nodes
    assert all(node.state.usable for node in pcs)
    assert "InstanceType" in pcs[0].pairs


def test_dotted_names(clusters):
    assert "." in first_node(clusters, "idx_9016326212/gcp_slurm-demo_dotted.txt").name


def test_json_numbers_that_mean_nothing(clusters):
    node = first_node(clusters, "mila-iqia_clockwork/slurm_state_test/files/sinfo_1")
    assert (node.cpus, node.memory, node.state.usable) == (2, 1800 << 20, False)


def test_limits_of_qos_in_json(clusters):
    for version in ("24.05/0.0.41", "25.05/0.0.43", "25.11/0.0.44"):
        qos = read(text_of(clusters, f"rackslab_Slurm-web/tests/assets/slurmrestd/{version}/slurm-qos.json")).qos
        assert qos[0].name == "normal"
    meta = read(text_of(clusters, "facebookresearch_gcm/gcm/tests/data/sample-sacctmgr-qos.txt")).qos
    assert dict(meta[1].bounds.grp_tres)["mem"] == 1800 << 40
    assert dict(meta[1].bounds.max_tres_per_user)["gres/gpu"] == 1024
