"""The library prints nothing: only the command line, and `describe`, do."""

from pathlib import Path

from steps import double

from launchers import Chain, Map, Plan, Step, find_launcher
from launchers.report.page import page


def test_the_library_prints_nothing(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1] / "builders"))
    (tmp_path / "launchers.yaml").write_text("local: [{id: box, cpu: {cores: 2, memory: 2G}}]\n")
    assert find_launcher("cpu(cores=1)").group.name == "box"
    plan = Plan("p", Chain(Step("a", None, double, 1), Map("m", None, double, [1, 2])))
    run = plan.submit()
    run.wait(60)
    assert run["m"].result() == [2, 4]
    assert page(run)
    assert capfd.readouterr() == ("", "")
    assert plan.describe() + "\n" == capfd.readouterr().out
