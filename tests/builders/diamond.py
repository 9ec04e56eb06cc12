"""A recorded run that has everything, for its report."""

from recorded import Recorder

NASTY = "</pre><script>document.title='broken'</script><img src=http://example.org/x.png onerror=alert(1)> \x1b[31mred\x1b[0m\x00\n"


def diamond(root):
    """A recorded run that has everything: a failure, a cancelled step, edges of two kinds, nasty logs."""
    recorder = Recorder(root)
    recorder.step("data", jobs=[(10, 300)])
    recorder.step("train", [("data", "ok")], jobs=[(400, 2000)], gpus=2, need="cuda(mem=24G)*2 & duration=1h")
    bad = {"state": "FAILED", "exit": 1, "reason": "exit status 1 <b>"}
    recorder.step("sweep", [("data", "ok")], jobs=[(400, 900), (410, 700, bad), (420, 1200)])
    recorder.step("evaluate", [("train", "ok"), ("sweep", "any")], jobs=[(2050, 2100)])
    recorder.step("publish", [("sweep", "ok")], jobs=[(None, 1200, {"state": "CANCELLED", "reason": "never"})])
    recorder.logs = {"sweep.1": f"reading\n{NASTY * 2}", "data": "10%\r50%\r100% done\n"}
    return recorder.run()
