#!/usr/bin/python3
"""Our ICE agent against aioice, a foreign one, in both roles: they agree on a path, data goes both ways over it, and it
stays while aioice asks for consent every five seconds.

       system_ice_peer                         aioice
    +-------------------+               +-------------------+
    | ours              |     veth      | theirs            |
    | 10.77.0.1         |===============| 10.77.0.2         |
    | fd77::1           |               | fd77::2           |
    +-------------------+               +-------------------+

usage: ice_aioice.py [--role controlling|controlled] [--underlay 4|6|46]     the role is ours
"""
import argparse
import os
import re
import subprocess

import lab

ADDRESSES = {"ours": {"4": "10.77.0.1", "6": "fd77::1"}, "theirs": {"4": "10.77.0.2", "6": "fd77::2"}}
CREDENTIALS = {"ours": ("llqe", "jio6xwffz6i3ixgub3h4n5"), "theirs": ("nk46", "yiuijlligg2km2kweghata")}
CONNECT_SECONDS = 10  # both check at once; the rest is a loaded machine that starts Python
CONSENT_SECONDS = 15  # two questions at 4 to 6 s

# Its arguments: controlling, families, own fragment and password, ours. Its lines are those of system_ice_peer.
THEIRS = """
import asyncio, sys
import aioice

async def lines():
    reader = asyncio.StreamReader()
    await asyncio.get_event_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode().strip():
        yield line

async def receive(connection):
    while True:
        print("data", (await connection.recv()).decode(), flush=True)

async def main(role, families, ufrag, password, peer_ufrag, peer_password):
    connection = aioice.Connection(role == "controlling", use_ipv4="4" in families, use_ipv6="6" in families)
    connection.local_username, connection.local_password = ufrag, password
    connection.remote_username, connection.remote_password = peer_ufrag, peer_password
    await connection.gather_candidates()
    for candidate in connection.local_candidates:
        print("local candidate:" + candidate.to_sdp(), flush=True)
    receiver = None
    async for line in lines():
        if line.startswith("data "):
            await connection.send(line[5:].encode())
        elif line == "connect":
            await connection.connect()
            pair = connection._nominated[1]
            print("path", pair.local_addr[0], pair.remote_addr[0], flush=True)
            receiver = asyncio.ensure_future(receive(connection))
        else:
            await connection.add_remote_candidate(aioice.Candidate.from_sdp(line.removeprefix("candidate:")))
    if receiver.done():
        raise receiver.exception()
    receiver.cancel()
    await connection.close()

asyncio.run(main(*sys.argv[1:]))
"""


class End:
    """One of the two programs: lines in, lines out."""

    def __init__(self, process):
        self.process = process

    def say(self, line):
        self.process.popen.stdin.write(line.encode() + b"\n")
        self.process.popen.stdin.flush()

    def heard(self, pattern):
        return re.findall(pattern, self.process.whole_lines(), re.MULTILINE)

    def wait_for(self, pattern, seconds=CONNECT_SECONDS, count=1):
        def enough():
            found = self.heard(pattern)
            return found if len(found) >= count else None
        return lab.wait_until(enough, seconds, f"{self.process.name} says {pattern!r}")


def scenario(laboratory, role, families):
    probe = subprocess.run(["/usr/bin/python3", "-c", "import aioice"], capture_output=True, text=True)
    if probe.returncode != 0:
        raise lab.Skip(f"no aioice: {probe.stderr.strip().splitlines()[-1]}")
    program = os.environ.get("FIRELINE_ICE_PEER", str(lab.ROOT / "build/tests/system_ice_peer"))
    near, far = laboratory.namespace("ours"), laboratory.namespace("theirs")
    laboratory.link(near, [f"{ADDRESSES['ours']['4']}/24", f"{ADDRESSES['ours']['6']}/64"],
                    far, [f"{ADDRESSES['theirs']['4']}/24", f"{ADDRESSES['theirs']['6']}/64"])
    other_role = "controlled" if role == "controlling" else "controlling"
    ours = End(near.start(program, role, *CREDENTIALS["ours"], *CREDENTIALS["theirs"],
                          *(ADDRESSES["ours"][family] for family in families), name="ours", stdin=subprocess.PIPE))
    theirs = End(far.start("/usr/bin/python3", "-B", "-c", THEIRS, other_role, families, *CREDENTIALS["theirs"],
                           *CREDENTIALS["ours"], name="aioice", stdin=subprocess.PIPE))

    for one, other in ((ours, theirs), (theirs, ours)):
        # aioice also finds a link-local address, which it leaves out by itself.
        for candidate in one.wait_for(r"^local (candidate:.*)$", count=len(families)):
            other.say(candidate)
    theirs.say("connect")
    path = ours.wait_for(r"^path (\S+) (\S+)$")[-1]
    theirs.wait_for(r"^path ")
    lab.check(ours.heard(r"^state (connected|completed)$"), f"as {role} we use {path[0]} to {path[1]}")

    ours.say("data from us")
    theirs.wait_for(r"^data from us$")
    theirs.say("data from them")
    ours.wait_for(r"^data from them$")
    lab.check(True, "data goes both ways")

    # aioice sends no other requests by now.
    asked = counters(ours)["ice.requests_received"]
    lab.wait_until(lambda: counters(ours)["ice.requests_received"] >= asked + 2, CONSENT_SECONDS, "two consents")
    ours.say("data still here")
    theirs.wait_for(r"^data still here$")
    lab.check("disconnected" not in ours.process.text(), "the path stays while consent is asked for")

    for end in (ours, theirs):
        end.process.popen.stdin.close()
        lab.check(end.process.wait(5) == 0, f"{end.process.name} ends well")
    total = counters(ours, running=False)
    drops = {name: count for name, count in total.items() if name.startswith("ice.drop.")}
    lab.check(not drops, f"{total['ice.requests_received']} requests, all answered; {total['ice.responses_received']} answers "
              f"to our {total['ice.requests_sent']}; dropped: {drops or 'nothing'}")


def counters(end, running=True):
    """What system_ice_peer counted so far."""
    if running:
        before = len(end.heard(r"^counters "))
        end.say("counters")
        end.wait_for(r"^counters ", count=before + 1)
    items = (item.split("=") for item in end.heard(r"^counters (.*)$")[-1].split())
    return {name: int(count) for name, count in items}


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--role", choices=("controlling", "controlled"), default="controlling")
    options.add_argument("--underlay", choices=("4", "6", "46"), default="46")
    chosen = options.parse_args()
    lab.run(scenario, chosen.role, chosen.underlay)
