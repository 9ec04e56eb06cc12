"""What stands around Slurm's output where people paste it: prompts, colours, quotes, the numbers of lines, dates."""

from __future__ import annotations

import html
import re

_TERMINAL = re.compile(
    r"\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # OSC: the title of the window, a link
    r"|\x1b[PX^_][^\x1b\n]*(?:\x1b\\)?"
    r"|\x1b\[(?P<right>\d{0,3})C"  # the cursor goes right, in place of blanks
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours
    r"|\x1b[ -/]*[0-~]?"
    r"|\^\[\[[0-9;]*[A-Za-z]"  # as cat -v shows them
    r"|\[\d{1,2}(?:;\d{1,3})*m"  # without the ESC, which some programs drop
)
_TAG = re.compile(r"<br ?/?>(?=\n)|</?(?:pre|code|p|div|span|samp|tt|b|i)(?: [^<>\n]{0,200})?>", re.I)
_ENTITY = re.compile(r"&(?:lt|gt|amp|nbsp|quot|apos|#x?[0-9a-f]{1,5});", re.I)
"""What a web page has in place of a character."""
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x1e\x1f\x7f\x85]")
_WITHOUT_SHAPE = {
    **dict.fromkeys(map(ord, "\u00a0\u2007\u202f\u3000\0"), " "),
    **dict.fromkeys(map(ord, "\u2028\u2029\x85\x1e"), "\n"),
    **dict.fromkeys(map(ord, "\u2502\u2503\x1f"), "|"),
    **dict.fromkeys([*range(1, 9), *range(0x0E, 0x1C), 0x7F, 0xAD, 0xFEFF]),
    **dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)]),
}  # fmt: skip
"""Characters that stand for a blank, a newline or a bar, and those that show nothing and are removed (None)."""

_LONGEST = 500
"""Characters of the longest line that may be a prompt or other noise."""
_COMMAND = r"(?:sinfo|scontrol|sacctmgr|squeue|slurmd|slurmrestd|sbatch|srun|oarnodes)"
_NOISE = re.compile(
    r"\s*(?:\$.*|#.*|[-=\s]+|```.*|~~~+.*|\{: .*\}|rc=-?\d+|[\]\[{},;]+"
    r"|[|+][-|+:=\s]+"  # the rule under the header of a table in Markdown
    r"|Configuration data as of .*|[\w/ ]+ Configuration:|Slurmctld\(.*"
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\.?,? +(?:\d|[A-Z][a-z][a-z]\b).*\d:\d\d.*|\d{4}-\d\d-\d\d[T ]\d\d:\d\d\S*"
    r"|Every \d.*s: .*|Script (?:started|done).*|Last login: .*|Connection to .* closed\."
    r"|HTTP/[\d.]+ \d+.*|(?:[A-Z][a-z]*-)*(?:Content|Date|Server|Connection|Length|Type)[\w-]*: .*"
    r"|(?:slurmrestd|slurmctld|slurmd): (?!error|fatal).*|\.\.\.|\[\.\.\.\]|exit|logout"
    r"|--More--.*|lines \d+-\d+.*|\(END\)|:"  # a pager
    r")$"
)
_PROMPT = re.compile(
    r"\s*(?:"
    # user@host:~$, [user@host ~]#, (env) user@host%
    r"(?:\([^()\s]*\)[ -]*|\[[\d:]+\] *)*[\[(]?[\w.+-]+@[\w.-]+.*?[$#%>❯»›](?:\s.*)?"
    r"|(?:[a-z]{0,3}sh-[\d.]+[$#]|(?:PS +)?[A-Za-z]:\\[^>]*>)(?:\s.*)?"  # sh-4.2$, C:\Users\me>
    r"|(?:\([^()\s]*\) *)?[^\w\s]{0,3} *[$%>❯➜λ»›▶→+<*](?:\s.*)?"  # $ or % alone
    # anything, then a command
    rf"|\S{{0,60}}(?: \S{{1,60}}){{0,3}} ?[$#%>❯➜»›] *\\?(?:sudo +|ssh \S+ +)?(?:\S*/)?{_COMMAND}\b.*"
    rf"|\\?(?:sudo +|time +|watch +)?(?:\S*/)?{_COMMAND}(?: .*)?"  # the command alone
    r")$"
)
_BEGIN = (
    r"(?:(?:NodeName|PartitionName|ReservationName)=|(?:PARTITION|NODELIST|HOSTNAMES|AVAIL|NODES|REASON)[ |,;\t]"
    r"|(?:Name|Account|Cluster|User)\|| *(?:Name|Account|Cluster|User) +[A-Z]|\{ *(?:$|\"))"
)
"""What a line of Slurm's output begins with."""
_MARGINS = (
    r"(?:> ?)+",  # a quotation
    r" *\d+(?:[:\t -]|(?=$))",  # cat -n, grep -n, an editor
    r"[\w./~-]+[:-](?:\d+[:-])?",  # grep -H, grep -nH
    r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.,]*(?:Z|[+-]\d\d:?\d\d)?\]?[ :]?",  # a log
    rf"(?!{_BEGIN})[\w.-]+(?:: | *\| ?)",  # pdsh, docker compose; no column of a table
)
_MARGIN_SEEN = re.compile(rf"^(?:{'|'.join(f'({margin})' for margin in _MARGINS)}){_BEGIN}", re.M)


def clean(text: str) -> str:
    """The text without what a terminal obeys and what nobody sees, and with Unix's ends of lines."""
    if "\r" in text:
        text = re.sub(r"\r+\n|\r", "\n", text)
    if "\x1b" in text or "^[[" in text or re.search(r"\[\d[\d;]{0,9}m", text):
        text = _TERMINAL.sub(lambda found: " " * int(found["right"] or 1) if found["right"] is not None else "", text)
    if "\b" in text:
        text = "\n".join(map(_without_backspaces, text.split("\n")))
    if "<" in text:
        text = re.sub(r"<br ?/?>", "\n", _TAG.sub("", text), flags=re.I)
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    if not text.isascii() or _CONTROLS.search(text):
        text = text.translate(_WITHOUT_SHAPE)
    return _without_margins(text)


def is_noise(line: str) -> bool:
    """Whether a line is around Slurm's output and says nothing of a cluster: a comment, a fence, a rule, a date."""
    return not line.strip() or (len(line) < _LONGEST and bool(_NOISE.match(line))) or is_prompt(line)


def is_prompt(line: str) -> bool:
    """Whether this is a shell's prompt, or a command: what follows is another output."""
    return len(line) < _LONGEST and bool(_PROMPT.match(line))


def is_fence(line: str) -> bool:
    """Whether this begins or ends a block of code."""
    return line.lstrip()[:3] in ("```", "~~~")


def _without_backspaces(line: str) -> str:
    """A line in which a backspace takes back the character before it."""
    kept: list[str] = []
    for letter in line:
        if letter != "\b":
            kept.append(letter)
        elif kept:
            kept.pop()
    return "".join(kept)


def _without_margins(text: str) -> str:
    """The text without what stands before each of its lines: ``> `` of a quotation, the line's number, a date."""
    if text.lstrip()[:1] == "{" or _MARGIN_SEEN.search(text) is None:
        return text
    lines = text.split("\n")
    for number, margin in enumerate(_MARGINS, 1):
        if any(seen[number] for seen in _MARGIN_SEEN.finditer(text)):
            _take_off(re.compile(f"^(?:{margin})"), lines)
    return "\n".join(lines)


def _take_off(margin: re.Pattern[str], lines: list[str]) -> None:
    """Take a margin off the lines of each block that has it and begins with something that Slurm prints."""
    begin = re.compile(f"(?:{margin.pattern}){_BEGIN}")
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and (margin.match(lines[end]) or not lines[end].strip()):
            end += 1
        if any(begin.match(lines[at]) for at in range(start, end)):
            lines[start:end] = [margin.sub("", line, count=1) for line in lines[start:end]]
        start = end + 1
