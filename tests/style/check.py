#!/usr/bin/python3
"""Runs the style rules on the tree.
usage: check.py [RULE…]    without a name: all of them. Exit code 1 with one `file:line: rule: text` per violation.
"""
import sys
from pathlib import Path

import rules

ROOT = Path(__file__).resolve().parents[2]


def main(names):
    known = {rule.__name__: rule for rule in rules.RULES}
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"check.py: no rule {unknown[0]}; there are: {' '.join(known)}", file=sys.stderr)
        return 2
    found = [finding for name in names or known for finding in known[name](ROOT)]
    for finding in found:
        print(finding)
    if not names or "length" in names:
        print("\n".join(rules.notes(ROOT)))
    print(f"{len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
