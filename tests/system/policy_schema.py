#!/usr/bin/env python3
"""docs/policy.schema.json and the portal's own reader agree, document by document.

Editors check a policy file by the schema, the portal by `fireline-portal check`. What the reader refuses and the schema
takes is in the table `READER_ALONE`: what no schema can say. Nothing is the other way round.
"""
import copy
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema

ROOT = Path(__file__).resolve().parents[2]
PORTAL = os.environ.get("FIRELINE_PORTAL", str(ROOT / "build/bin/fireline-portal"))
EXAMPLE = ROOT / "docs/examples/policy.json"
SCHEMA = json.loads((ROOT / "docs/policy.schema.json").read_text())
ABSENT = object()

BASE = {
    "account": {"name": "A", "slug": "a"},
    "dns": {"servers": ["192.0.2.53"], "search_domain": "corp.example"},
    "sites": [{"name": "lab"}],
    "resources": [{"name": "net", "type": "cidr", "address": "10.0.0.0/8", "sites": ["lab"], "filters": ["tcp/22"]},
                  {"name": "name", "type": "dns", "address": "*.git.example", "sites": ["lab"]},
                  {"name": "host", "type": "ip", "address": "10.0.0.1", "sites": ["lab"]},
                  {"name": "all", "type": "internet", "sites": ["lab"]}],
    "groups": [{"name": "staff"}],
    "actors": [{"name": "alice", "groups": ["staff"]}],
    "policies": [{"name": "p", "groups": ["staff"], "resources": ["net"], "conditions": {
        "time": [{"days": ["monday"], "from": "08:00", "to": "18:00"}], "source": ["192.0.2.0/24"],
        "expires": "2030-12-31T23:00:00Z"}}],
}
WINDOW = "policies.0.conditions.time.0"
UUID = "0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e11"

# Where, and the values there: those that both take, and those that both refuse.
AGREED = [
    ("$schema", ["https://fireline.example/policy.schema.json", "", ABSENT], [None, 1, {}]),
    ("acount", [], [{}]),
    ("account", [], [ABSENT, None, [], "a"]),
    ("account.name", ["x", "ü" * 100], [ABSENT, "", 1, None, "a\nb", "x" * 256]),
    ("account.slug", ["a-b_9"], [ABSENT, "", "A", "a b", "a.b", 1]),
    ("account.id", [UUID, UUID.upper(), UUID.replace("-", ""), "{" + UUID + "}", "urn:uuid:" + UUID, ABSENT],
     ["", "x", UUID[1:], UUID + "0", "{" + UUID, "00000000-0000-0000-0000-000000000000", "0" * 32, 1, None]),
    ("account.owner", [], ["x"]),
    ("dns", [{}, ABSENT], [None, [], "x"]),
    ("dns.servers", [[], ABSENT, ["2001:db8::53"], ["192.0.2.1"] * 16],
     [["192.0.2.1"] * 17, ["x"], ["192.0.2.1/32"], ["256.0.0.1"], ["1.2.3"], [1], {}, None]),
    ("dns.search_domain", ["corp", "CORP.example", ABSENT], ["", "a..b", ".a", "a.", "a b", "*.a", "x" * 64, 1, None]),
    ("sites.0.name", ["lab"], [ABSENT, None, "", 7]),
    ("sites.1", [{"name": "x", "id": UUID}], [{"name": "x", "gateways": []}, "x", None]),
    ("sites", [], [{}, None, "lab"]),
    ("resources.0.type", [], [ABSENT, "net", None, 1, "dns", "ip"]),
    ("resources.0.address", ["10.0.0.0/08", "192.0.2.1/32", "2001:db8::/32", "::ffff:0:0/96"],
     [ABSENT, None, "", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "0.0.0.0/0", "1.2.3/8", "x/8",
      "010.0.0.0/8", "2001:db8::/129", 10]),
    ("resources.0.sites", [["lab"]], [ABSENT, [], None, "lab", [1], [""], ["lab", "lab"]]),
    ("resources.0.filters", [["tcp"], ["udp"], ["icmp"], ["tcp/1", "tcp/65535", "udp/1-65535", "tcp/080"], ABSENT],
     [[], None, "tcp", ["tcp/0"], ["tcp/65536"], ["tcp/"], ["tcp/1-"], ["tcp/-1"], ["tcp/a"], ["icmp/1"], ["sctp"],
      ["TCP"], [" tcp"], [1]]),
    ("resources.0.ip_stack", [], ["dual", None]),
    ("resources.0.description", ["x", ABSENT], ["", None, 1]),
    ("resources.0.port", [], [1]),
    ("resources.1.address", ["a", "a.example", "**.a.example", "a?b.c", "_x.Y-z.example", "1.2.3"],
     [ABSENT, "", "*", "a.*", "a..b", "a.", ".a", "a b", "ü.example", "10.0.0.1", "x" * 64, "a." * 127 + "a", None]),
    ("resources.1.ip_stack", ["dual", "ipv4_only", "ipv6_only", ABSENT], ["both", None, 4]),
    ("resources.2.address", ["192.0.2.1", "2001:db8::1"], [ABSENT, "10.0.0.1/32", "a.example", "", None]),
    ("resources.2.ip_stack", [], ["dual"]),
    ("resources.3.address", [], ["10.0.0.0/8", None]),
    ("resources.3.filters", [], [["tcp"], []]),
    ("resources.3.ip_stack", [], ["dual"]),
    ("resources.4", [], [{"name": "all too", "type": "internet", "sites": ["lab"]}]),
    ("resources", [], [{}, None]),
    ("groups.0.name", ["staff"], ["everyone", "", None, ABSENT]),
    ("groups.1", [{"name": "more", "id": UUID}], [{"name": "more", "actors": []}]),
    ("actors.0.type", ["user", "service_account", ABSENT], ["admin", None, 1]),
    ("actors.0.email", ["a@b", ABSENT], ["", None, 1]),
    ("actors.0.groups", [[], ["everyone"], ["staff", "everyone"], ABSENT], [None, "staff", [1], ["staff", "staff"]]),
    ("actors.0.name", ["bob"], [ABSENT, "", None]),
    ("policies.0.groups", [["everyone"]], [ABSENT, [], None, "staff", [None]]),
    ("policies.0.resources", [["net", "all"]], [ABSENT, [], None, ["net", "net"]]),
    ("policies.0.conditions", [{}, ABSENT], [None, [], {"when": 1}]),
    ("policies.0.conditions.time", [ABSENT], [[], {}, None]),
    (WINDOW + ".days", [["monday", "sunday"]], [ABSENT, [], ["Monday"], ["mon"], ["monday"] * 8, None]),
    (WINDOW + ".from", ["00:00", ABSENT], ["24:01", "8:00", "08:60", "0800", "", 8, None]),
    (WINDOW + ".to", ["24:00", "23:59", ABSENT], ["24:01", "25:00", "18", "", 18, None]),
    (WINDOW + ".until", [], ["x"]),
    ("policies.0.conditions.source", [["192.0.2.1", "2001:db8::/32", "0.0.0.0/0"], ABSENT],
     [[], ["x"], ["192.0.2.0/33"], [1], None]),
    ("policies.0.conditions.expires", ["2028-02-29T00:00:00Z", ABSENT],
     ["2030-12-31", "2030-13-01T00:00:00Z", "2030-12-32T00:00:00Z", "2030-12-31T24:00:00Z", "2030-12-31T23:00:00+01:00",
      "2030-12-31t23:00:00z", "", 1, None]),
]

# Where, and what the reader alone can refuse.
READER_ALONE = [
    ("account.name", ["ü" * 200]),                               # 400 bytes; a schema counts characters
    ("sites.1", [{"name": "lab"}]),                              # a name comes twice
    ("groups.0.id", ["urn:uuid:" + UUID]),                       # with sites.0.id of SAME_ID: an id comes twice
    ("dns.servers", [["0.0.0.0"], ["100.64.0.1"], [":::"]]),     # nobody's, the tunnels', no address
    ("resources.0.address", ["10.0.0.1/8", "100.64.0.0/16", "fd00:2021:1111::/64", "::/0", ":::/8"]),
    ("resources.2.address", ["100.100.111.1", "1:2"]),
    ("resources.0.sites", [["lap"]]),
    ("resources.0.filters", [["tcp/2-1"]]),
    ("actors.0.groups", [["stuff"]]),
    ("policies.0.groups", [["stuff"]]),
    ("policies.0.resources", [["nett"]]),
    (WINDOW + ".from", ["18:00", "24:00"]),                      # not before `to`
    ("policies.0.conditions.source", [["192.0.2.1/24"]]),
    ("policies.0.conditions.expires", ["2030-02-30T00:00:00Z"]),
]


def changed(where, value):
    document = copy.deepcopy(BASE)
    if where == "groups.0.id":
        document["sites"][0]["id"] = UUID
    node = document
    *path, last = where.split(".")
    for key in path:
        node = node[int(key)] if isinstance(node, list) else node[key]
    if value is ABSENT:
        node.pop(last, None)
    elif isinstance(node, list):
        node[int(last):int(last) + 1] = [value]
    else:
        node[last] = value
    return document


def read_by_portal(path):
    """Whether the portal takes the file, and what it says."""
    result = subprocess.run([PORTAL, "check", path], capture_output=True, text=True, timeout=120)
    if result.returncode not in (0, 1):
        sys.exit(f"fireline-portal check ended with {result.returncode}: {result.stderr}")
    return result.returncode == 0, result.stderr


def main():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    rows = [("the base", BASE, True, True),
            ("docs/examples/policy.json", json.loads(re.sub(r"(^|\s)//[^\n]*", "", EXAMPLE.read_text())), True, True)]
    for where, good, bad in AGREED:
        rows += [(f"{where} = {value!r:.60}", changed(where, value), True, True) for value in good]
        rows += [(f"{where} = {value!r:.60}", changed(where, value), False, False) for value in bad]
    for where, values in READER_ALONE:
        rows += [(f"{where} = {value!r:.60}", changed(where, value), False, True) for value in values]

    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.json"
        for what, document, reader_expected, schema_expected in rows:
            path.write_text(json.dumps(document))
            reader, said = read_by_portal(path)
            schema = validator.is_valid(document)
            if (reader, schema) != (reader_expected, schema_expected):
                wrong += 1
                print(f"{what}: the reader {'takes' if reader else 'refuses'} it, the schema "
                      f"{'takes' if schema else 'refuses'} it\n  {said}")
            if not reader and not re.match(re.escape(str(path)) + r":\d+:\d+: ", said):
                wrong += 1
                print(f"{what}: no line and column: {said}")
    print(f"{len(rows)} documents, {wrong} mistakes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
