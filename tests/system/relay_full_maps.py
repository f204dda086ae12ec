#!/usr/bin/python3
"""XDP's maps are full when a channel's permission comes back (--auth static): its frames pass, and user space forwards
them; a new channel is answered 508. With --ebpf-debug the log tells each frame. Topology: relay_xdp_lab.py.

usage: relay_full_maps.py
"""
import ctypes
import json
import platform
import struct

import lab
from relay_lab import PASSWORD, REALM, USER
from relay_reload import NamedClient, refusal
from relay_xdp_lab import CHANNELS, PEER, PEER_PORT, RELAY, Peers, World, both_ways
from turn_client import CHANNEL_BIND, REFRESH, attribute, xor_address

SYSCALL_BPF = {"x86_64": 321, "aarch64": 280}.get(platform.machine())
BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM, BPF_MAP_GET_FD_BY_ID = 2, 3, 14
PERMISSION_SECONDS = 300
_libc = ctypes.CDLL(None, use_errno=True)


class Map:
    """A BPF map of the relay, by its id: keys that no client has fill it."""

    def __init__(self, number, key_bytes, value_bytes):
        attributes = ctypes.create_string_buffer(struct.pack("=III", number, 0, 0), 120)
        self.fd = _libc.syscall(SYSCALL_BPF, BPF_MAP_GET_FD_BY_ID, attributes, 120)
        lab.require(self.fd >= 0, f"map {number} is reached")
        self.key = ctypes.create_string_buffer(key_bytes)
        self.value = ctypes.create_string_buffer(b"\xff" * value_bytes, value_bytes)
        self.attributes = ctypes.create_string_buffer(120)

    def call(self, command, number):
        struct.pack_into("=I", self.key, 0, number)
        # What a command does not take must be zero.
        value = ctypes.addressof(self.value) if command == BPF_MAP_UPDATE_ELEM else 0
        struct.pack_into("=IIQQQ", self.attributes, 0, self.fd, 0, ctypes.addressof(self.key), value, 0)
        return _libc.syscall(SYSCALL_BPF, command, self.attributes, 120) == 0

    def fill(self):
        """How many more fitted."""
        added = 0
        while self.call(BPF_MAP_UPDATE_ELEM, added):
            added += 1
        return added

    def empty(self, count):
        lab.require(all([self.call(BPF_MAP_DELETE_ELEM, number) for number in range(count)]), "all of them are removed")


def map_of(world, name):
    """By the descriptors of the relay's process: other relays have maps of that name, too."""
    for path in world.lab.run("find", f"/proc/{world.process.pid}/fdinfo", "-type", "f").stdout.split():
        with open(path) as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
        if "map_id" in fields:
            shown = json.loads(world.lab.run("bpftool", "-j", "map", "show", "id", fields["map_id"].strip()).stdout)
            if shown.get("name") == name:
                return Map(int(fields["map_id"]), shown["bytes_key"], shown["bytes_value"])
    raise lab.Failure(f"the relay has no map {name}")


def bind(client, number, address):
    client.request(CHANNEL_BIND, attribute(0xC, struct.pack("!HH", number, 0)),
                   lambda transaction: attribute(0x12, xor_address(address, PEER_PORT, transaction)))


def permit(client, address):
    client.request(8, lambda transaction: attribute(0x12, xor_address(address, 0, transaction)))


def scenario(laboratory):
    world = World(laboratory)
    peers = Peers(world.peer)
    listed = laboratory.folder / "users"
    listed.write_text(f"{USER}:{PASSWORD}\n")
    world.start("--auth", "static", "--users", listed, "--realm", REALM, "--ebpf-offloading", "eth0", "--ebpf-debug",
                "--log-level", "warn,eBPF=trace")
    client = NamedClient(world.client, USER, PASSWORD)
    client.allocate(4)
    client.relayed = [(RELAY[0], client.relayed_port)]
    bind(client, CHANNELS[0], PEER[0])
    both_ways(world, client, peers, True, "with room", families=(0,))
    lab.wait_until(lambda: all(f"outcome=relayed.{way}" in world.process.text() for way in ("channel4_to_udp4", "udp4_to_channel4")),
                   5, "the log tells the frames")
    lab.check(True, "--ebpf-debug: the log tells each frame with its outcome")

    world.advance(PERMISSION_SECONDS + 1)
    client.request(REFRESH, attribute(0xD, struct.pack("!I", 600)))  # the program looks at its clock
    lab.require(world.counters()["permissions.expired"] == 1, "the permission has expired")
    full = map_of(world, "chan_to_udp_44")
    added = full.fill()
    lab.check(added > 60_000, f"the map is full with {added} entries of others")
    permit(client, PEER[0])
    lab.check(world.counters()["offload.full"] == 1, "the permission comes back, the entry does not fit")
    both_ways(world, client, peers, False, "its frames pass", families=(0,))
    lab.check(refusal(lambda: bind(client, CHANNELS[1], PEER[0].replace(".33", ".34"))) == 508, "a new channel is answered 508")
    client.request(REFRESH, attribute(0xD, struct.pack("!I", 600)))
    both_ways(world, client, peers, False, "refreshed in full maps", families=(0,))
    full.empty(added)
    client.request(REFRESH, attribute(0xD, struct.pack("!I", 900)))
    both_ways(world, client, peers, True, "refreshed with room again", families=(0,))
    peers.close()
    lab.require(world.process.stop() == 0, "the relay ends with code 0")


if __name__ == "__main__":
    lab.run(scenario)
