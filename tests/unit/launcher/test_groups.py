"""The groups of the launchers.yaml in force, with what clusters and this machine say of themselves."""

import pytest
from attrs import evolve
from config_files import local_entry, partition, slurm_entry, write_config

from launchers import LauncherNotFoundError
from launchers.config.reading import ClusterReading
from launchers.config.schema import OarGroup, SlurmGroup
from launchers.files.problems import ConfigError
from launchers.launcher import groups as groups_module
from launchers.launcher.groups import add_signals, ask_cluster, ask_oar, check_commands, load_groups
from launchers.offer.model import Signal
from launchers.slurm.backend import SlurmBackend


def names(*paths, **keys):
    return [group.name for group in load_groups(*paths, **keys)[0]]


def test_the_groups_of_a_file_in_their_order(tmp_path):
    config = write_config(
        tmp_path,
        local=[local_entry("one"), local_entry("two", disabled=True)],
        slurm=[slurm_entry("three", {"p": partition(cores=2)})],
    )
    groups, located = load_groups(config)
    assert sorted(group.name for group in groups) == ["one", "three"]
    assert located.used == config


def test_the_file_that_the_environment_names(tmp_path):
    config = write_config(tmp_path, name="mine.yaml", local=[local_entry("mine")])
    assert names(environ={"LAUNCHERS_CONFIG": str(config)}) == ["mine"]


def test_without_a_file_it_is_this_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (group,), located = load_groups()
    assert (group.scheduler, located.used) == ("local", None)


def test_a_file_that_cannot_be_used(tmp_path):
    with pytest.raises(ConfigError):
        load_groups(write_config(tmp_path, slrum=[]))


def test_only_what_is_to_be_probed_is_filled_in(tmp_path):
    config = write_config(tmp_path, local=[{"id": "probed", "probe": True}, local_entry("by hand", cores=77)])
    probed, by_hand = load_groups(config)[0]
    assert probed.partitions[0].shapes[0].cores >= 1
    assert by_hand.partitions[0].shapes[0].cores == 77


def test_a_cluster_is_asked_where_the_file_says_so(tmp_path, monkeypatch):
    asked = []
    live = SlurmGroup(partitions=None)
    monkeypatch.setattr(groups_module, "ask_cluster", lambda *, refresh: asked.append(refresh) or (live, ("how old",)))
    entries = [
        {"id": "live", "query_slurm": True}, {"query_slurm": True}, slurm_entry("hand", {"p": partition(cores=2)}),
        {"id": "off", "query_slurm": True, "disabled": True},
    ]  # fmt: skip
    config = write_config(tmp_path, slurm=entries)
    notes = {group.name: group.notes for group in load_groups(config, refresh=True)[0]}
    assert notes == {"live": ("how old",), "slurm[1]": ("how old",), "hand": ()}
    assert asked == [True, True]
    load_groups(config)
    assert asked[2:] == [False, False]


def test_clusters_whose_commands_are_not_here(no_slurm):
    assert ask_cluster() == ("query_slurm: there is no scontrol on PATH, so its cluster cannot be read from here", ())
    assert ask_oar() == ("query_oar: there is no oarnodes on PATH, so its cluster cannot be read from here", ())


@pytest.mark.parametrize(
    ("ask", "command", "entry"), [(ask_cluster, "scontrol", SlurmGroup()), (ask_oar, "oarnodes", OarGroup())]
)
def test_jobs_of_a_live_cluster_are_submitted_here(monkeypatch, ask, command, entry):
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr("platform.machine", lambda: "AMD64")
    room = "slurm" if command == "scontrol" else "oar"
    monkeypatch.setattr(f"launchers.{room}.query.query", lambda *, refresh: ClusterReading(entry, 0.0))
    assert ask()[0].login_arch == "x86_64"


def test_what_is_not_here_is_unreachable(tmp_path, no_slurm):
    entries = [{"id": "grid", "query_oar": True}]
    (group,) = load_groups(write_config(tmp_path, oar=entries))[0]
    assert "no oarnodes on PATH" in group.unreachable


@pytest.fixture
def two(tmp_path):
    """A group that is to be watched, and one that is not."""
    parts = {"p": partition(cores=2), "q": partition(cores=2)}
    config = write_config(tmp_path, slurm=[slurm_entry("watched", parts), slurm_entry("other", parts)])
    watched, other = load_groups(config)[0]
    return evolve(watched, live=True), other


def test_signals_of_the_partitions_that_are_watched(two, monkeypatch):
    signal = Signal(3, 4, 5)
    monkeypatch.setattr(SlurmBackend, "signals", lambda _: {"p": signal})

    def signals(groups):
        return [[partition.signal for partition in group.partitions] for group in groups]

    assert signals(add_signals(two, live=False)) == [[signal, None], [None, None]]
    assert signals(add_signals(two, live=True)) == [[signal, None], [signal, None]]


def test_a_cluster_that_cannot_say_what_it_does_is_noted(two, monkeypatch):
    monkeypatch.setattr(SlurmBackend, "signals", lambda _: "no sinfo")
    watched, other = add_signals(two, live=False)
    assert (watched.notes, other.notes) == (("no live signal: no sinfo",), ())


def test_nobody_is_asked_where_nobody_is_watched(two, monkeypatch):
    monkeypatch.setattr(SlurmBackend, "signals", None)
    assert add_signals(two[1:], live=False) == two[1:]


def test_commands_have_to_be_here(two, no_slurm):
    with pytest.raises(LauncherNotFoundError) as caught:
        check_commands(two[0])
    assert (caught.value.kind, caught.value.answer) == ("unreachable", None)
    assert str(caught.value) == (
        "watched matches but cannot be reached: no sbatch and no srun on PATH. "
        "Run this where Slurm's commands are, or load the module that brings them."
    )
    for name in ("sbatch", "srun"):
        (no_slurm / name).touch(mode=0o755)
    check_commands(two[0])
