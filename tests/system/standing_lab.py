"""Labs that stand until they are taken down: what tools/lab does.

Each has a name, namespaces flab-NAME-HOST and a folder of its own in /run/fireline-lab. One whose building was killed
is taken down by the next command.
"""
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import internet
import lab
import nat
import relay_lab

FOLDER = Path("/run/fireline-lab")
ETH_P_ALL = 3
FRAME_BYTES_MAX = 70000  # a super-packet crosses a veth whole
PCAP_HEADER = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, FRAME_BYTES_MAX, 1)


class StandingLab(lab.Lab):
    outlives_us = True

    def __init__(self, name):
        self.name, self.prefix, self.folder = name, f"flab-{name}", FOLDER / name
        self._begin()

    @property
    def state_file(self):
        return self.folder / "state.json"

    def write(self, state):
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.state_file.with_suffix(".new")
        partial.write_text(json.dumps(state, indent=1))
        partial.rename(self.state_file)

    def read(self):
        return json.loads(self.state_file.read_text())

    def exists(self):
        return self.state_file.exists()

    def world(self):
        state = self.read()
        return internet.Internet.built(self, state["kinds"], state["families"], state["hosts"])

    def remove(self):
        for name in lab.namespace_names():
            if name.startswith(f"{self.prefix}-"):
                lab.remove_namespace(name)
        shutil.rmtree(self.folder, ignore_errors=True)


def names():
    return sorted(path.parent.name for path in FOLDER.glob("*/state.json"))


def sweep():
    """Takes down what a killed `up` left half built."""
    for name in names():
        candidate = StandingLab(name)
        try:
            state = candidate.read()
        except FileNotFoundError:  # taken down just now
            continue
        if state["state"] == "building" and not lab.process_lives(state["pid"]):
            candidate.remove()


def find(name):
    """The lab of this name, or the only one."""
    standing = names()
    if name is None:
        lab.require(standing, "no lab stands: tools/lab up")
        lab.require(len(standing) == 1, f"several labs stand: choose one with --name: {' '.join(standing)}")
        name = standing[0]
    lab.require(name in standing, f"no lab {name}; standing: {' '.join(standing) or 'none'}")
    return StandingLab(name)


def end_of(word):
    """(NAT kind, families) of one end of a scenario: cone, cone4, symmetric6."""
    match = re.fullmatch(rf"({'|'.join(nat.KINDS)})([46]?)", word)
    lab.require(match, f"\"{word}\" is no NAT kind: use {', '.join(nat.KINDS)}, with 4 or 6 for one family alone")
    return match[1], (int(match[2]),) if match[2] else internet.FAMILIES


def up(name, scenario, relays, wires):
    ends = scenario.split("-")
    lab.require(len(ends) == 2, f"\"{scenario}\" is no scenario: use CLIENT-GATEWAY, for example cone-symmetric")
    kinds, families = {}, {}
    for host, word in zip(("client", "gateway"), ends):
        kinds[host], families[host] = end_of(word)

    def make(made):
        world = internet.Internet(made, kinds, families, resources=True,
                                  wires=internet.REFERENCE_WIRES if wires else None)
        if relays:
            secret = made.folder / "relay-secret"
            relay_lab.write_secret(secret)
            for host in ("relay-1", "relay-2"):
                relay_lab.start_stamped(world[host], internet.SITES[host].public, secret)
        return world

    made = build(name, scenario, make)
    print(f"lab {made.name}: client {ends[0]}, gateway {ends[1]}; {' '.join(made.read()['hosts'])}")
    return 0


def build(name, scenario, make):
    """A lab that stands: `make` builds in it and returns its internet.Internet. What fails leaves nothing."""
    name = name or str(os.getpid())
    lab.require(re.fullmatch(r"[A-Za-z0-9]{1,20}", name), f"a lab's name is 1 to 20 letters and digits, not \"{name}\"")
    made = StandingLab(name)
    lab.require(not made.exists(), f"lab {name} stands already: tools/lab down --name {name}")

    def stop(number, _):
        raise lab.Failure(f"ended by signal {number}")

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    state = {"state": "building", "pid": os.getpid(), "scenario": scenario}
    made.write(state)
    try:
        world = make(made)
        made.write({**state, "state": "up", "kinds": world.kinds, "families": world.families,
                    "hosts": list(world.hosts)})
    except BaseException:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        made.remove()
        raise
    return made


def status(name):
    for one in [find(name).name] if name else names():
        try:
            show(StandingLab(one))
        except (FileNotFoundError, lab.Failure):
            # Another command may take it down meanwhile.
            if name or StandingLab(one).exists():
                raise
    return 0


def show(standing):
    state = standing.read()
    print(f"lab {standing.name}: {state['state']}, scenario {state['scenario']}")
    if state["state"] == "up":
        world = standing.world()
        for label, host in world.hosts.items():
            links = json.loads(host.output("ip", "-json", "address"))
            addresses = [info["local"] for link in links for info in link["addr_info"]
                         if info["scope"] == "global"]
            unplugged = any("NO-CARRIER" in link["flags"] for link in links if link["ifname"] in ("eth0", "internet"))
            pids = subprocess.run(["ip", "netns", "pids", host.name], capture_output=True, text=True).stdout.split()
            kind = state["kinds"].get(label.removeprefix("router-"), "") if label.startswith("router-") else ""
            print(f"  {label:16}{kind:11}{'unplugged ' if unplugged else ''}{' '.join(addresses)}"
                  f"{'  pids ' + ' '.join(pids) if pids else ''}")


def down(name, everything):
    for one in names() if everything else [find(name).name]:
        StandingLab(one).remove()
        print(f"lab {one} is gone")
    return 0


def host_of(standing, label):
    hosts = standing.read().get("hosts", [])
    lab.require(label in hosts, f"no host {label} in lab {standing.name}: {' '.join(hosts)}")
    return lab.Namespace(standing, label)


def execute(name, label, command):
    host = host_of(find(name), label)
    sys.stdout.flush()
    os.execvp("ip", host.command(*command))


def plug(name, label, plugged):
    standing = find(name)
    host_of(standing, label)
    world = standing.world()
    lab.require(label != "internet", "the internet has no cable of its own: name a host or a router")
    (world.plug if plugged else world.unplug)(label)
    return 0


def set_nat(name, label, kind):
    standing = find(name)
    lab.require(label in ("client", "gateway"), "client and gateway are behind NATs of a chosen kind")
    lab.require(kind in nat.KINDS, f"\"{kind}\" is no NAT kind: use {', '.join(nat.KINDS)}")
    world = standing.world()
    world.set_nat(label, kind)
    standing.write({**standing.read(), "kinds": world.kinds})
    return 0


def capture(name, label, path, interface):
    """Every frame of an interface as a pcap file, until a signal."""
    host = host_of(find(name), label)
    interface = interface or ("internet" if label.startswith("router-") else "net" if label == "internet" else "eth0")
    lab.require(host.has_link(interface), f"{label} has no interface {interface}")
    try:
        out = open(path, "wb", buffering=0)
    except OSError as error:
        raise lab.Failure(f"cannot write {path}: {error.strerror}")
    source = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    frames = 0
    # Ends by the signal's exception, so that what was received is written.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with source, out:
        out.write(PCAP_HEADER)
        print(f"captures {interface} of {label} to {path}; Ctrl-C ends", flush=True)
        try:
            while True:
                frame, sender = source.recvfrom(FRAME_BYTES_MAX)
                if sender[0] != interface:
                    continue
                stamp = time.time()
                out.write(struct.pack("=IIII", int(stamp), int(stamp % 1 * 1e6), len(frame), len(frame)) + frame)
                frames += 1
        except KeyboardInterrupt:
            print(f"{frames} frames")
    return 0
