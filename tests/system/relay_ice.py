#!/usr/bin/python3
"""Two ICE agents of aioice that may use relayed candidates alone (TransportPolicy.RELAY), both with fireline-relay: they
connect, and every datagram of both directions arrives. Over IPv4 and over IPv6. Topology: relay_lab.py; both agents run
in namespace client, so that each datagram crosses the relay twice.

usage: relay_ice.py
"""
import json

import lab
from relay_lab import PASSWORD, PORT, PUBLIC, USER, Relay, lost

MESSAGES = 500

AGENTS = """
import asyncio, json, sys
import aioice
from aioice.ice import TransportPolicy

server, port, user, password, messages = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])

got = {"a": set(), "b": set()}  # by sender

async def send(agent, name):
    for number in range(messages):
        await agent.send(f"{name} {number}".encode().ljust(1000, b"."))
        # No more on the way than a receive buffer of this process holds; what is lost is not waited for twice.
        for _ in range(100):
            if number - len(got[name]) < 40:
                break
            await asyncio.sleep(0.01)

async def receive(agent, sender):
    try:
        while len(got[sender]) < messages:
            got[sender].add(await asyncio.wait_for(agent.recv(), 5))
    except asyncio.TimeoutError:
        pass
    return len(got[sender])

async def main():
    agents = [aioice.Connection(ice_controlling=controlling, turn_server=(server, port), turn_username=user,
                                turn_password=password, transport_policy=TransportPolicy.RELAY)
              for controlling in (True, False)]
    for agent in agents:
        await agent.gather_candidates()
    types = sorted({candidate.type for agent in agents for candidate in agent.local_candidates})
    for agent, other in (agents, agents[::-1]):
        for candidate in other.local_candidates:
            await agent.add_remote_candidate(candidate)
        await agent.add_remote_candidate(None)
        agent.remote_username, agent.remote_password = other.local_username, other.local_password
    await asyncio.gather(*(agent.connect() for agent in agents))
    results = await asyncio.gather(*(receive(agent, sender) for agent, sender in zip(agents, "ba")),
                                   *(send(agent, name) for agent, name in zip(agents, "ab")))
    print(json.dumps({"types": types, "received": results[:2]}), flush=True)
    for agent in agents:
        await agent.close()

asyncio.run(main())
"""


def scenario(laboratory):
    probe = laboratory.run("/usr/bin/python3", "-c", "import aioice", must=False)
    if probe.returncode != 0:
        raise lab.Skip("aioice is not installed (package python3-aioice)")
    ends = Relay(laboratory)
    ends.start()
    for number, server in enumerate(PUBLIC):
        agents = ends.client.run("/usr/bin/python3", "-c", AGENTS, server, PORT, USER, PASSWORD, MESSAGES, must=False)
        lab.require(agents.returncode == 0, f"the agents ended well:\n{agents.stdout}{agents.stderr[-3000:]}")
        result = json.loads(agents.stdout.splitlines()[-1])
        lab.require(result["types"] == ["relay"], f"only relayed candidates: {result['types']}")
        lab.check(result["received"] == [MESSAGES, MESSAGES],
                  f"IPv{(4, 6)[number]}: of {MESSAGES} datagrams each way {result['received']} arrived")
    lab.wait_until(lambda: ends.gauge("allocations") == 0, 5, "closing the agents freed their allocations")
    lab.check(ends.gauge("sockets") == 2, "and their sockets")
    print(f"  drops: {lost(ends.counters()) or 'none'}")


if __name__ == "__main__":
    lab.run(scenario)
