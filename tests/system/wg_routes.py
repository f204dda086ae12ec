#!/usr/bin/python3
"""A host with two uplinks whose default route moves from one to the other while both keep their addresses: fireline-wg
answers from where the packets leave then, at once, for a provider drops what comes from another one's address. While
there is no route at all it keeps the address that the peer speaks to.

    near  eth0 ── first  router  ── far            the router drops what does not come from the link's own addresses
          eth1 ── second

usage: wg_routes.py [--underlay 4|6]
"""
import argparse

import lab
from tunnel import OVERLAY, Tunnel, endpoint, peer

FOLLOW_SECONDS = 5  # a tenth of a second in truth; a new handshake, which helps as well, begins 15 s behind the last answer
GAP_PACKETS = 5  # one in 0.1 s: the program looks at the routes 0.1 s behind a change of them
MARK, TABLE = 7, 99
LINKS = {4: (("10.81.0.1", "10.81.0.254", 24), ("10.82.0.1", "10.82.0.254", 24), ("10.83.0.1", "10.83.0.254", 24)),
         6: (("fd81::1", "fd81::fe", 64), ("fd82::1", "fd82::fe", 64), ("fd83::1", "fd83::fe", 64))}
SECOND = {4: "10.81.0.2", 6: "fd81::2"}  # near's other address on its first uplink: no source that the kernel would choose
SAID = "by another interface now"


def make_network(laboratory, underlay):
    near, router, far = (laboratory.namespace(label) for label in ("near", "router", "far"))
    protocol, nexthops = ("ip" if underlay == 4 else "ip6"), []
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    router.run("nft", "add table inet provider; add chain inet provider forward { type filter hook forward priority 0; }")
    for (own, next_hop, bits), end, name, router_name in zip(LINKS[underlay], (near, near, far), ("eth0", "eth1", "eth0"),
                                                             ("first", "second", "third")):
        laboratory.link(end, [f"{own}/{bits}"], router, [f"{next_hop}/{bits}"], name=name, right_name=router_name)
        owned = f"{{ {own}, {SECOND[underlay]} }}"
        router.run("nft", f"add rule inet provider forward iifname {router_name} {protocol} saddr != {owned} counter drop")
        nexthops.append(next_hop)
    far.run("ip", "route", "add", "default", "via", nexthops[2])
    near.run("ip", "route", "add", "default", "via", nexthops[0])
    return near, far, nexthops


def gap(near, left, right, nexthop, underlay):
    """A default route goes away and comes back, as with a router that starts anew."""
    family = f"-{underlay}"
    near.run("ip", "address", "add", f"{SECOND[underlay]}/{LINKS[underlay][0][2]}", "dev", "eth0", "preferred_lft", 0,
             *(["nodad"] if underlay == 6 else []))
    right.set("peer", left.keys.public, "endpoint", endpoint(SECOND[underlay]))
    right.namespace.ping(OVERLAY["near"][0])
    asked = near.start("ping", "-n", "-O", "-i", "0.1", OVERLAY["far"][0], name="asked")
    near.run("ip", family, "route", "del", "default")
    lab.wait_until(lambda: asked.text().count("no answer yet") >= GAP_PACKETS, FOLLOW_SECONDS, "packets find no route")
    near.run("ip", family, "route", "add", "default", "via", nexthop)
    near.check_reaches(OVERLAY["far"][0], "the route is back")
    asked.kill()
    lab.check(right.column("endpoints", left) == endpoint(SECOND[underlay]), "far hears near from where it speaks to")
    lab.check(SAID not in left.process.text(), "and the program did not take it for another interface")


def scenario(laboratory, underlay):
    near, far, nexthops = make_network(laboratory, underlay)
    first, second, third = (own for own, _, _ in LINKS[underlay])
    left, right = Tunnel(near, "fireline"), Tunnel(far, "wireguard-go")
    left.start([f"{OVERLAY['near'][0]}/24"]), right.start([f"{OVERLAY['far'][0]}/24"])
    right.configure(peer(left, [f"{OVERLAY['near'][0]}/32"]))
    left.configure(peer(right, [f"{OVERLAY['far'][0]}/32"], endpoint(third)))
    near.ping(OVERLAY["far"][0])
    lab.check(right.column("endpoints", left) == endpoint(first), "far hears near from its first uplink")
    gap(near, left, right, nexthops[0], underlay)
    handshake = right.handshake_time(left)

    traffic = near.start("ping", "-n", "-i", "0.1", OVERLAY["far"][0], name="traffic")
    near.run("ip", "route", "replace", "default", "via", nexthops[1])
    lab.wait_until(lambda: right.column("endpoints", left) == endpoint(second), FOLLOW_SECONDS,
                   f"far hears near from its second uplink; it has {right.column('endpoints', left)}")
    near.check_reaches(OVERLAY["far"][0], "answers come back behind a change of the default route")
    lab.check(right.handshake_time(left) == handshake, "without a new handshake")
    lab.check(traffic.alive(), "the traffic never ended")

    lab.wait_until(lambda: left.process.text().count(SAID) == 1, FOLLOW_SECONDS, "the program says so once")
    near.run("ip", "-4" if underlay == 4 else "-6", "rule", "add", "fwmark", MARK, "table", TABLE)
    near.run("ip", "route", "add", "default", "via", nexthops[1], "table", TABLE)
    left.set("fwmark", MARK)
    near.check_reaches(OVERLAY["far"][0], "the device's packets have a table of their own")
    near.run("ip", "route", "replace", "default", "via", nexthops[0])
    near.check_reaches(OVERLAY["far"][0], "where others are routed changes nothing")
    lab.check(right.column("endpoints", left) == endpoint(second), "far still hears near from its second uplink")
    near.run("ip", "route", "replace", "default", "via", nexthops[0], "table", TABLE)
    lab.wait_until(lambda: right.column("endpoints", left) == endpoint(first), FOLLOW_SECONDS,
                   "the route of the mark is the one that counts")
    lab.wait_until(lambda: left.process.text().count(SAID) == 2, FOLLOW_SECONDS, "the program said nothing in between")
    near.check_reaches(OVERLAY["far"][0], "and answers come back")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--underlay", type=int, choices=(4, 6), default=4)
    lab.run(scenario, options.parse_args().underlay)
