"""The limits of QoS and associations, as far as the cluster enforces them."""

import pytest
from slurm_texts import CONFIG, NODES, PARTITIONS, associations, config, entry, group, qos, table

from launchers.matching import match
from launchers.requirement import parse
from launchers.slurm.accounts import Person
from launchers.slurm.facts import SlurmFacts
from launchers.slurm.limits import Enforcement, enforcement_of

ME = Person("me")


@pytest.mark.parametrize(
    ("setting", "enforced", "limits"),
    [
        (None, True, True), ("all", True, True), ("ALL", True, True), ("safe", True, True), ("limits", True, True),
        ("qos", True, False), ("associations", True, False), ("none", False, False), ("wckeys", False, False),
        ("associations,limits", True, True),
    ],
)  # fmt: skip
def test_what_is_enforced(setting, enforced, limits):
    settings = {} if setting is None else {"AccountingStorageEnforce": setting}
    assert enforcement_of(SlurmFacts(config=settings)) == Enforcement(
        enforced, limits, memory=True, safe=setting in (None, "all", "ALL", "safe")
    )


def test_what_accounting_does_not_enforce_is_no_limit():
    texts = (
        NODES,
        PARTITIONS,
        table(qos(MaxWall="00:01:00")),
        associations({"Account": "a", "User": "me", "MaxWall": "00:01:00"}),
    )
    relaxed = entry(config(AccountingStorageEnforce="associations"), *texts, person=ME)
    assert (relaxed.accounts["a"].limits, relaxed.qos["normal"].limits) == (None, None)
    strict = entry(config(AccountingStorageEnforce="limits"), *texts, person=ME)
    assert strict.qos["normal"].limits.max_duration == strict.accounts["a"].limits.max_duration == 60
    nothing = entry(config(AccountingStorageEnforce="none"), *texts, person=ME)
    assert (nothing.accounts, nothing.qos) == (None, None)


@pytest.mark.parametrize(
    ("allocated", "flags", "kept"),
    [("CR_Core_Memory", "", True), ("CR_Core", "", False), ("CR_Core", "DenyOnLimit", True)],
)
def test_maximums_of_memory_where_memory_is_not_allocated(allocated, flags, kept):
    """slurmctld 22.05 starts such a job over every maximum of memory but those of a QoS with DenyOnLimit."""
    q = table(qos("q", Flags=flags, MinTRES="mem=1G", MaxTRES="mem=4G,cpu=8", GrpTRES="mem=8G"))
    limits = entry(config(SelectTypeParameters=allocated), NODES, PARTITIONS, q).qos["q"].limits
    assert ("mem" in limits.max_tres, limits.grp_tres is not None) == (kept, kept)
    assert (limits.max_tres["cpu"], limits.min_tres["mem"]) == (8, 2**30)


def test_numbers_of_jobs_are_kept_by_what_they_are_counted_for():
    numbers = {"MaxJobsPU": 0, "MaxJobsPA": 1, "GrpJobs": 2, "MaxSubmitPU": 3, "MaxSubmitPA": 4, "GrpSubmit": 5}
    limits = entry(CONFIG, NODES, PARTITIONS, table(qos("q", **numbers))).qos["q"].limits
    assert (limits.max_jobs, limits.max_jobs_per_account, limits.grp_jobs) == (0, 1, 2)
    assert (limits.max_submit, limits.max_submit_per_account, limits.grp_submit) == (3, 4, 5)


@pytest.mark.parametrize(
    ("enforced", "kept"),
    [("all", (3600, None, 1)), ("limits", (None, 3600, 1)), ("limits,safe", (3600, None, 1))],
)
def test_the_time_of_all_jobs_bounds_a_job_where_limits_are_safe(enforced, kept):
    listed = table(qos("q", GrpWall="01:00:00"), qos("none", GrpWall="00:00:00"))
    specs = entry(config(AccountingStorageEnforce=enforced), NODES, PARTITIONS, listed).qos
    limits = specs["q"].limits
    assert (limits.grp_wall, limits.default_time, specs["none"].limits.grp_wall) == kept


def test_a_qos_has_its_priority_and_flags():
    spec = entry(CONFIG, NODES, PARTITIONS, table(qos("q", Priority=5, Flags="DenyOnLimit,NoDecay"), qos("r"))).qos
    assert (spec["q"].priority, spec["q"].flags) == (5, ("DenyOnLimit", "NoDecay"))
    assert (spec["r"].priority, spec["r"].flags, spec["r"].limits) == (None, None, None)


def test_running_minutes_of_a_user_bound_a_job():
    minutes = table(qos(MaxTRESRunMinsPU="cpu=60", MaxTRESRunMinsPA="cpu=50"))
    cluster = group(CONFIG, NODES, PARTITIONS, associations({"Account": "a", "User": "me"}), minutes, person=ME)
    assert match(parse("cpu(cores=2) & duration=25min"), [cluster]).selection is not None
    assert match(parse("cpu(cores=2) & duration=26min"), [cluster]).selection is None
