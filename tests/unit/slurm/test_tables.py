"""The tables of sacctmgr, sinfo and `scontrol show config`."""

from launchers.slurm.read import read


def test_headings_of_the_config_are_no_problem():
    found = read("SLURM_VERSION           = 24.11.5\n\nMPI Plugins Configuration:\nPMIxTimeout             = 300\n")
    assert found.config["SLURM_VERSION"] == "24.11.5"
    assert not found.problems


def test_accounting(shared):
    found = read(
        *((shared / "slurm-22.05" / name).read_text() for name in ("sacctmgr-qos-P.txt", "sacctmgr-assoc-P.txt"))
    )
    qos = {one.name: one for one in found.qos}
    assert len(qos) == 8
    assert (qos["strict"].priority, qos["strict"].flags, qos["strict"].bounds.max_wall) == (20, ("DenyOnLimit",), 1800)
    assert dict(qos["strict"].bounds.max_tres) == {"cpu": 8, "gres/gpu": 1}
    assert dict(qos["gpu"].bounds.min_tres) == {"gres/gpu": 1}
    guest = next(one for one in found.associations if (one.account, one.user) == ("guest", "root"))
    assert (guest.bounds.max_wall, dict(guest.bounds.grp_tres), guest.bounds.max_jobs) == (7200, {"cpu": 8}, 1)
