"""Reading sources for the style rules: the files of the tree, and C++ text with comments and literals blanked.

Blanking keeps every line and column, so that a rule can name the place it found.
"""
import re
from pathlib import Path

SOURCE_FOLDERS = ("core", "io", "platform", "relay", "bpf", "tools", "tests", "benchmarks")
CPP_SUFFIXES = (".h", ".cpp", ".c")
SKIPPED_FOLDERS = {"__pycache__", "corpus", ".git"}

_TOKEN = re.compile(
    r"""(?P<line>//[^\n]*)
      | (?P<block>/\*.*?\*/)
      | (?P<raw>R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)")
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<char>(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+')""",
    re.VERBOSE | re.DOTALL,
)


class Finding:
    """One violation. `str()` is `file:line: rule: what to do`."""

    def __init__(self, path, line, rule, text):
        self.path, self.line, self.rule, self.text = path, line, rule, text

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


def files(root, folders=SOURCE_FOLDERS, suffixes=CPP_SUFFIXES):
    """Relative paths below the folders, sorted; build folders and corpora left out."""
    found = []
    for folder in folders:
        for path in (Path(root) / folder).rglob("*"):
            relative = path.relative_to(root)
            if path.suffix in suffixes and path.is_file() and not SKIPPED_FOLDERS & set(relative.parts):
                found.append(relative)
    return sorted(found)


def read(root, path):
    return (Path(root) / path).read_text(encoding="utf-8", errors="replace")


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def code_only(text):
    """Comments and the insides of literals blanked; `#include "x"` lines keep their names."""

    def replace(match):
        if match.lastgroup in ("line", "block") or match.group("line") or match.group("block"):
            return _blank(match.group(0))
        start = text.rfind("\n", 0, match.start()) + 1
        if re.match(r"\s*#\s*include\b", text[start : match.start()]):
            return match.group(0)
        return _blank(match.group(0))

    return _TOKEN.sub(replace, text)


def numbered(text):
    return enumerate(text.split("\n"), start=1)
