#!/usr/bin/python3
"""The labs' NATs behave as their names say: RFC 5780's mapping and filtering tests through each, over IPv4 and IPv6.

    client ── router-client (the NAT) ── internet 203.0.113.1, .2: STUN responder on two addresses and two ports

usage: nat_kinds.py [KIND…]
"""
import json
import socket
import sys

import internet
import lab
import nat
from stun_behaviour import ADDRESS, ADDRESS_AND_PORT, ENDPOINT

PROBER = lab.ROOT / "tests/system/stun_behaviour.py"
EXPECTED = {  # mapping, filtering
    "none": (ENDPOINT, ENDPOINT),
    "cone": (ENDPOINT, ENDPOINT),
    "address": (ENDPOINT, ADDRESS),
    "port": (ENDPOINT, ADDRESS_AND_PORT),
    "symmetric": (ADDRESS_AND_PORT, ADDRESS_AND_PORT),
}


def scenario(laboratory, kinds):
    world = internet.Internet(laboratory, sites=("client",))
    servers = list(zip(internet.address(1), internet.address(2)))
    for pair in servers:
        responder = world.core.start("/usr/bin/python3", "-B", PROBER, "respond", *pair)
        lab.wait_until(lambda: "listens" in responder.text(), 10, "the STUN responder listens")
    for kind in kinds:
        world.set_nat("client", kind)
        for family, pair, public in zip(internet.FAMILIES, servers, world.public_of("client")):
            mapping = probe(world, "map", pair)
            filtering = probe(world, "filter", pair)
            lab.check((mapping["behaviour"], filtering["behaviour"]) == EXPECTED[kind],
                      f"IPv{family} {kind}: mapping {mapping['behaviour']}, filtering {filtering['behaviour']}; "
                      f"{EXPECTED[kind]} is right; mapped {mapping['mapped']}")
            lab.check(all(mapped[0] == public for mapped in mapping["mapped"]), f"seen as {public}")
            if kind == "symmetric":
                ports = {mapped[1] for mapped in mapping["mapped"]}
                lab.check(len(ports) == 3, f"three destinations, three ports: {sorted(ports)}")
            if kind in ("cone", "address"):
                unused_port_is_closed(world, family, pair, public)


def probe(world, what, pair):
    """One probe with nothing left of those before it."""
    world.forget("client")
    return json.loads(world["client"].output("/usr/bin/python3", "-B", PROBER, what, *pair))


def unused_port_is_closed(world, family, pair, public):
    """A NAT that let everything in would pass the filtering test of a cone as well."""
    receiver = world["client"].socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    sender = world.core.socket(receiver.family, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.bind(("" if family == 4 else "::", 0))
        receiver.settimeout(0.3)
        sender.sendto(b"unasked", (public, receiver.getsockname()[1]))
        try:
            receiver.recv(100)
        except TimeoutError:
            return lab.check(True, "a port that sent nothing gets nothing")
    lab.check(False, "a port that sent nothing gets nothing")


if __name__ == "__main__":
    chosen = sys.argv[1:] or nat.KINDS
    if not set(chosen) <= set(nat.KINDS):
        sys.exit(__doc__)
    lab.run(scenario, chosen)
