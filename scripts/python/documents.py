"""Checks the documents, as `make lint` does, and gives out their commands, as docs-test.sh runs them.

    documents.py            dead links and anchors, unknown commands, diagrams that can't be drawn, languages that differ
    documents.py commands FILE HTTP_ADDRESS     a bash program of the commands in FILE, for a system at that address

A fence with the language `sh` is run as it stands; lines in it that begin with `# ` are what it prints. A word behind `sh` says why a fence isn't
run by docs-test.sh: see NOT_RUN.
"""

import re
import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What documents call the API of a system here.
ADDRESS = "http://127.0.0.1:8080"
NOT_RUN = {
    "minutes": "it takes minutes; what it starts has tests of its own",
    "runbook": "scripts/runbook-test.sh runs it",
    "docker": "it needs Docker",
    "kubernetes": "it needs a cluster",
}
# Parts of documents that say the same in two languages: file, heading (None: all of it), file, heading.
PAIRS = [
    ("README.md", None, "README.zh-CN.md", None),
    ("dal/README.md", "The questions of the original design", "dal/README.zh-CN.md", "原设计提出的问题"),
]


@dataclass
class Fence:
    line: int
    info: list[str]
    text: str


def fences(text):
    """The fenced blocks of a document."""
    opened = None
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if opened is None and stripped.startswith("```"):
            indent = len(line) - len(line.lstrip())
            opened = (number, stripped[3:].split(), indent, [])
        elif opened is not None and stripped == "```":
            yield Fence(opened[0], opened[1], "".join(f"{one}\n" for one in opened[3]))
            opened = None
        elif opened is not None:
            opened[3].append(line[opened[2]:])


def without_fences(text):
    """The same lines, those in fences and comments empty."""
    text = re.sub(r"<!--.*?-->", lambda comment: "\n" * comment.group().count("\n"), text, flags=re.DOTALL)
    lines, inside = [], False
    for line in text.splitlines():
        fence = line.strip().startswith("```")
        lines.append("" if inside or fence else line)
        inside ^= fence
    return "\n".join(lines)


def anchors(text):
    """The anchors that GitHub gives to the headings."""
    found = {}
    for heading in re.findall(r"^#+ (.*)$", without_fences(text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        kept = "".join(one for one in plain if one in " -_" or unicodedata.category(one)[0] in "LNM")
        anchor = kept.replace(" ", "-")
        found[anchor] = found.get(anchor, -1) + 1
    return {name if n == 0 else f"{name}-{n}" for name, last in found.items() for n in range(last + 1)}


def links(text):
    """Line and target of each link; code isn't one."""
    for number, line in enumerate(without_fences(text).splitlines(), 1):
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            yield number, target


def dead_links(path, text):
    for number, target in links(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists():
            yield f"{number}: no such file: {target}"
        elif anchor and anchor not in anchors(file.read_text()):
            yield f"{number}: no such heading: {target}"


def targets():
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def unknown_commands(text):
    """`make …` and `scripts/…`, in fences and in the text, that aren't there."""
    code = re.findall(r"`([^`\n]+)`", without_fences(text)) + [one.text for one in fences(text) if one.info[:1] == ["sh"]]
    for piece in code:
        for target in re.findall(r"(?:^|[\s(])make ([a-z][a-z-]*)", piece):
            if target not in targets():
                yield f"no such target: make {target}"
        for script in re.findall(r"(?:^|[\s(])(scripts/[\w/-]+\.sh)", piece):
            if not (ROOT / script).is_file():
                yield f"no such script: {script}"


def odd_fences(text):
    runbook = (ROOT / "scripts/runbook-test.sh").read_text().replace('"', "")
    for fence in fences(text):
        language, *words = fence.info or [""]
        if language == "sh":
            for word in set(words) - set(NOT_RUN):
                yield f"{fence.line}: sh {word}: one of {', '.join(NOT_RUN)}, or none"
        elif words:
            yield f"{fence.line}: only sh takes more words"
        if language == "mermaid" and "sequenceDiagram" in fence.text and ";" in fence.text:
            yield f"{fence.line}: in a sequence diagram a semicolon ends the line"
        if words == ["runbook"]:
            for line in fence.text.splitlines():
                program, *arguments = line.split("#")[0].split()
                known = "dousheng.sh roll" if (program, *arguments) == ("make", "roll") else Path(program).name
                verb = "" if arguments[:1] == [] or arguments[0].startswith("/") else f" {arguments[0]}"
                if known + ("" if program == "make" else verb) not in runbook:
                    yield f"{fence.line}: scripts/runbook-test.sh doesn't run {line.split('#')[0].strip()}"


def part(name, heading):
    """A document, or the part under a heading."""
    text = (ROOT / name).read_text()
    if heading is None:
        return text
    found = re.search(rf"^(#+) {re.escape(heading)}$\n(.*?)(?=^#{{1,2}} |\Z)", text, re.MULTILINE | re.DOTALL)
    if not found:
        raise SystemExit(f"{name}: no heading {heading}")
    return found.group(2)


def tables(text):
    """Of each table the rows, of each row what no language changes: code, files, figures."""
    found, rows = [], []
    for line in [*without_fences(text).splitlines(), ""]:
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            code = re.findall(r"`([^`]+)`", line)
            figures = re.findall(r"\d[\d,.]*", re.sub(r"`[^`]*`|\]\([^)]*\)", "", line))
            rows.append((len(cells), sorted(code), sorted(one.strip(",.") for one in figures)))
        elif rows:
            found.append(rows)
            rows = []
    return found


def commands_alone(text):
    return [re.sub(r"\s*(^|\s)#.*", "", line) for one in fences(text) if one.info[:1] == ["sh"] for line in one.text.splitlines()]


def differences(english, chinese):
    """What one language has and the other lacks. A link may lead to the Chinese document where there is one."""
    same = lambda target: re.sub(r"\.zh-CN\.md$", ".md", target.split("#")[0])
    left, right = ([same(target) for _, target in links(text)] for text in (english, chinese))
    for target in sorted(set(left) ^ set(right)):
        if target not in ("", "README.md"):
            yield f"only one of them links to {target}"
    if commands_alone(english) != commands_alone(chinese):
        yield "their commands differ"
    if [one.text for one in fences(english) if one.info == ["mermaid"]] and "mermaid" not in chinese:
        yield "only one of them has a diagram"
    left, right = tables(english), tables(chinese)
    if len(left) != len(right):
        yield f"{len(left)} and {len(right)} tables"
    for number, (ours, theirs) in enumerate(zip(left, right), 1):
        if len(ours) != len(theirs):
            yield f"table {number} has {len(ours)} and {len(theirs)} lines"
        for row, (one, other) in enumerate(zip(ours, theirs), 1):
            if one != other:
                yield f"table {number}, line {row}: {one} and {other}"


def check():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = [name for name in listed.stdout.split() if (ROOT / name).exists()]
    found = []
    for name in names:
        path = ROOT / name
        text = path.read_text()
        for complaint in [*dead_links(path, text), *unknown_commands(text), *odd_fences(text)]:
            found.append(f"{name}:{complaint}")
    for english, its_part, chinese, their_part in PAIRS:
        for complaint in differences(part(english, its_part), part(chinese, their_part)):
            found.append(f"{english}, {chinese}: {complaint}")
    print("\n".join(found) or f"{len(names)} documents")
    return 1 if found else 0


def program(name, address):
    """Runs the fences of a document one after the other in one shell; what each prints must be what it says."""
    text = (ROOT / name).read_text()
    lines = ["set -euo pipefail", 'printed=$(mktemp)', "trap 'rm -f \"$printed\"' EXIT"]
    for fence in fences(text):
        if fence.info != ["sh"]:
            continue
        said = [line[2:] for line in fence.text.splitlines() if line.startswith("# ")]
        block = fence.text.replace(ADDRESS, address).rstrip("\n")
        lines += [f'at="{name}:{fence.line}"; echo "$at" >&2', "{", block, '} >"$printed"']
        if said:
            # The lines of HTTP end in CR LF.
            lines += ["sed -i 's/\\r$//' \"$printed\"", "diff -u --label \"$at says\" --label printed - \"$printed\" >&2 <<'SAID'", *said, "SAID"]
    print("\n".join(lines))


def main(arguments):
    if arguments[:1] == ["commands"]:
        return program(*arguments[1:])
    return check()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
