#!/usr/bin/python3
"""SIGHUP: fireline-relay reads --peer-rules and --users again while it forwards by XDP. A peer that is refused loses its
channels and XDP entries at once, a broken file changes nothing and says why. Topology: relay_xdp_lab.py.

usage: relay_reload.py
"""
import signal
import socket
import struct

import lab
from firezone_client import FirezoneClient, write_secret
from relay_lab import REALM
from relay_xdp_lab import CHANNELS, PEER, PEER_PORT, RELAY, SILENCE_SECONDS, Peers, World, both_ways, passed
from turn_client import REFRESH, Client, Refused, attribute

RELOAD_SECONDS = 5


def scenario(laboratory):
    world = World(laboratory)
    peers = Peers(world.peer)
    peer_rules(world, peers)
    users(world)
    peers.close()


def reload(world, says):
    before = world.process.text().count(says)
    world.process.signal(signal.SIGHUP)
    lab.wait_until(lambda: world.process.text().count(says) > before, RELOAD_SECONDS, f"the log says: {says}")
    lab.check(world.process.alive(), f"SIGHUP: {says}")


def refused_silently(world, client, peers, families, sentence):
    before = world.counters()
    came = passed(client, peers, count=1, wait=SILENCE_SECONDS, families=families)
    after = world.counters()
    dropped = {name: after[name] - before[name] for name in after if name.startswith("xdp.drop.") and after[name] != before[name]}
    lab.check(came == 0 and dropped == {"xdp.drop.unknown_peer": 1, "xdp.drop.unknown_channel": 1},
              f"{sentence}: {dropped}, so the entries are gone")


def peer_rules(world, peers):
    rules = world.lab.folder / "peer-rules"
    rules.write_text("# nobody is refused\n")
    world.start("--secret-file", write_secret(world.lab.folder), "--peer-rules", rules, "--ebpf-offloading", "eth0")
    client = FirezoneClient(world.client, 0, "reload")
    other = FirezoneClient(world.client, 1, "neighbour")
    for each in (client, other):
        each.binding()
        each.allocate()
    for channel, address in zip(CHANNELS, PEER):
        lab.require(client.bind(channel, address, PEER_PORT) == 0, "bound")
    both_ways(world, client, peers, True, "with an empty file")

    rules.write_text(f"# one is\ndeny {PEER[0]}/32\n")
    reload(world, "SIGHUP: 0 users, 0 prefixes allowed, 1 denied")
    refused_silently(world, client, peers, (0,), "the channel of the denied peer")
    both_ways(world, client, peers, True, "the other channel goes on", families=(1,))
    lab.check(client.bind(CHANNELS[0], PEER[0], PEER_PORT) == 403, "binding it again is answered 403")
    lab.check(world.status()["gauges"]["channels.bound"] == 1, "one channel is left")

    for broken, sentence in (("deny 300.1.2.3/8\n", 'line 1: "300.1.2.3/8" is no prefix'),
                             (f"deny {PEER[1]}/128\nforbid 10.0.0.0/8\n", "line 2: write allow PREFIX or deny PREFIX"),
                             ("allow 10.0.0.0/8\n", "line 1: allow belongs to --auth static")):
        rules.write_text(broken)
        reload(world, f"SIGHUP changes nothing: {rules}: {sentence}")
        lab.require(client.bind(CHANNELS[0], PEER[0], PEER_PORT) == 403, "the old list still holds")
        both_ways(world, client, peers, True, "nothing changed", families=(1,))
    rules.unlink()
    reload(world, f"SIGHUP changes nothing: cannot read the peer rules of {rules}: No such file or directory")
    both_ways(world, client, peers, True, "nothing changed", families=(1,))

    rules.write_text("")
    reload(world, "SIGHUP: 0 users, 0 prefixes allowed, 0 denied")
    lab.require(client.bind(CHANNELS[0], PEER[0], PEER_PORT) == 0, "bound again")
    both_ways(world, client, peers, True, "lifted")
    for each in (client, other):
        each.close()
    lab.require(world.process.stop() == 0, "the relay ends with code 0")


def users(world):
    listed = world.lab.folder / "users"
    listed.write_text("old:one\n")
    world.start("--auth", "static", "--users", listed, "--realm", REALM)
    old, new = (NamedClient(world.client, *pair) for pair in (("old", "one"), ("new", "two")))
    old.allocate(4)
    lab.check(refusal(lambda: new.allocate(4)) == 401, "a user that is not listed is refused")
    listed.write_text("new:two\n")
    reload(world, "SIGHUP: 1 users")
    new.allocate(4)
    lab.check(refusal(lambda: old.request(REFRESH, attribute(0xD, struct.pack("!I", 600)))) == 401,
              "the new user allocates, the removed one cannot refresh")
    listed.write_text("no colon\n")
    reload(world, "SIGHUP changes nothing: ")
    new.request(REFRESH, attribute(0xD, struct.pack("!I", 600)))
    lab.check(True, "a broken list leaves the users that were there")
    lab.require(world.process.stop() == 0, "the relay ends with code 0")


class NamedClient(Client):
    """A long-term credential client in a namespace."""

    def __init__(self, namespace, user, password):
        self.user, self.password = user, password
        self.realm = self.nonce = self.key = None
        self.socket = namespace.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((RELAY[0], 3478))


def refusal(action):
    try:
        action()
    except (Refused, RuntimeError) as error:
        return getattr(error, "code", 401)
    return 0


if __name__ == "__main__":
    lab.run(scenario)
