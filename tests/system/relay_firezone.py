#!/usr/bin/python3
"""A Firezone client after relay specification 1.10 against the real program, over thirty minutes, once in user space and
once with XDP attached: first request signed without nonce, stale nonce, dual-stack allocation, refresh and channel
rebinding, revival in the cool-down. Counters say which path carried the data. Topology: relay_xdp_lab.py.

usage: relay_firezone.py [--minutes N] [--real-time]
    --real-time   waits instead of letting the program's clocks jump, and only for the cool-down: ten minutes a path
"""
import argparse

import lab
from firezone_client import FirezoneClient, write_secret
from relay_xdp_lab import CHANNELS, PEER, PEER_PORT, RELAY, SILENCE_SECONDS, Peers, World, both_ways, carried, passed

NONCE_USES = 10_000
STEP_SECONDS = 25  # between two Binding requests


def thirty_minutes(world, client, peers, xdp, minutes):
    before, sent, came = world.counters(), 0, 0
    for seconds in range(STEP_SECONDS, minutes * 60 + 1, STEP_SECONDS):
        world.advance(STEP_SECONDS)
        client.binding()
        if seconds % 300 == 0:
            client.refresh()
        if seconds % 500 == 0:
            for channel, address in zip(CHANNELS, PEER):
                lab.require(client.bind(channel, address, PEER_PORT) == 0, f"channel {channel:#x} is bound again after {seconds} s")
        sent += 4
        came += passed(client, peers, count=1)
    user_space, fast = carried(before, world.counters())
    lab.check(came == sent and (user_space, fast) == ((0, came) if xdp else (came, 0)),
              f"{minutes} minutes: {came} of {sent} datagrams came, {user_space} by user space, {fast} by XDP")


def cool_down(world, client, peers, xdp, allocated_for):
    """From a fresh binding: 600 s of use, and then the cool-down."""
    for channel, address in zip(CHANNELS, PEER):
        lab.require(client.bind(channel, address, PEER_PORT) == 0, "bound before the cool-down")
    for _ in range(2):
        world.advance(allocated_for)
        client.refresh()
    client.binding()
    before = world.counters()
    came = passed(client, peers, count=1, wait=SILENCE_SECONDS)
    after = world.counters()
    by_name = {name: after[name] - before[name] for name in after
               if ".drop." in f".{name}" and after[name] != before[name]}
    lab.check(came == 0 and sum(carried(before, after)) == 0 and after["channels.expired"] >= 2,
              f"in the cool-down nothing passes, and it is dropped by name: {by_name}")
    lab.check(sum(by_name.values()) == 4, "each of the four datagrams counts once")
    lab.check(client.bind(CHANNELS[1] + 1, PEER[0], PEER_PORT) == 400, "another number for the same peer is refused")
    for channel, address in zip(CHANNELS, PEER):
        lab.require(client.bind(channel, address, PEER_PORT) == 0, f"channel {channel:#x} is revived")
    lab.check(world.counters()["channels.revived"] == 2, "the same pairs are revived")
    both_ways(world, client, peers, xdp, "after the revival")


def stale_nonce(client):
    """The nonce's uses run out while the client is busy; it continues with the next one."""
    client.refusals.clear()
    requests = 0
    while not client.refusals and requests <= NONCE_USES:
        lab.require(client.create_permission() == 0, "CreatePermission succeeds")
        requests += 1
    lab.check(client.refusals == [438], f"after {requests} more requests the nonce is stale: 438, and the retry succeeds")


def one_path(world, peers, family, arguments, options):
    xdp = bool(arguments)
    name = "XDP" if xdp else "user space"
    print(f"{name}, client over {('IPv4', 'IPv6')[family]}", flush=True)
    world.start("--secret-file", write_secret(world.lab.folder), "--log-level", "warn", *arguments)
    for either in (0, 1):  # as they choose the family that answers first
        probe = FirezoneClient(world.client, either, "probe")
        probe.binding()
        probe.close()
    client = FirezoneClient(world.client, family, "n23JJ2wKKtt30oXi")
    client.binding()
    client.allocate()
    lab.check(client.refusals == [401], "the first request is signed without nonce and answered 401, signed")
    lab.check([address for address, _ in client.relayed] == list(RELAY) and len({port for _, port in client.relayed}) == 1,
              f"dual-stack allocation: {client.relayed}")
    for channel, address in zip(CHANNELS, PEER):
        lab.require(client.bind(channel, address, PEER_PORT) == 0, f"channel {channel:#x} is bound")
    both_ways(world, client, peers, xdp, "bound")
    client.refusals.clear()
    if options.real_time:
        cool_down(world, client, peers, xdp, 303)
    else:
        thirty_minutes(world, client, peers, xdp, options.minutes)
        lab.check(not client.refusals, "and nothing was refused meanwhile")
        cool_down(world, client, peers, xdp, 350)
        if family == 0:
            stale_nonce(client)
    client.nonce = None
    client.relayed = []
    client.refusals.clear()
    client.allocate()
    lab.check(client.refusals == [401, 437], "a client that forgot everything gets 437, refreshes to 0 and allocates again")
    lab.check(world.status()["gauges"]["allocations"] == 1, "and there is one allocation")
    client.close()
    lab.require(world.process.stop() == 0, "the relay ends with code 0")


def scenario(laboratory, options):
    world = World(laboratory, options.real_time)
    peers = Peers(world.peer)
    for arguments in ([], ["--ebpf-offloading", "eth0"]):
        for family in (0,) if options.real_time else (0, 1):
            one_path(world, peers, family, arguments, options)
    peers.close()


if __name__ == "__main__":
    given = argparse.ArgumentParser()
    given.add_argument("--minutes", type=int, default=30)
    given.add_argument("--real-time", action="store_true")
    lab.run(scenario, given.parse_args())
