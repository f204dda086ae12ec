#!/usr/bin/python3
"""An interface of fireline-wg in a container's network namespace: made in one, moved into the other and configured
there, while its datagrams and its configuration socket stay where they were; and the ends that such a device can have.

    namespace near ── veth ── namespace far            tunnel.py
    namespace box                                      nothing but the interface that near's program made
"""
import json
import os

import lab
from tunnel import OVERLAY, UNDERLAY, Ends, Tunnel, endpoint, peer

MTU = 1380
OWN_ID = 77
SECONDS = 10


def status(tunnel):
    return json.loads(tunnel.namespace.output(lab.program("fireline"), "--status", tunnel.interface, "--json"))


def move(tunnel, source, target, name=None):
    """With an address and up, as who starts a container does it; it is called `name` where it is taken from."""
    renamed = ("name", tunnel.interface) if name else ()
    source.run("ip", "link", "set", name or tunnel.interface, "netns", target.name, *renamed)
    target.run("ip", "address", "replace", f"{OVERLAY['near'][0]}/24", "dev", tunnel.interface)
    target.run("ip", "link", "set", tunnel.interface, "up")


def check_pings(namespace, what):
    lab.wait_until(lambda: namespace.reaches(OVERLAY["far"][0]), SECONDS, f"far answers {what}")
    lab.check(True, f"far answers {what}")


def make(ends, right):
    left = Tunnel(ends.near, "fireline").start()
    left.namespace.run("ip", "link", "set", left.interface, "down")  # it never was up when it is moved, as is usual
    left.configure(peer(right, [f"{OVERLAY['far'][0]}/32"], endpoint(UNDERLAY["far"][0])))
    right.configure(peer(left, [f"{OVERLAY['near'][0]}/32"]))
    return left


def check_end(tunnel, code, what):
    lab.check(tunnel.process.wait(SECONDS) == code, f"the program ends with {code}: {what}")
    lab.check(not (lab.SOCKETS / f"{tunnel.interface}.sock").exists(), "and takes its socket along")


def live(ends, right, box):
    left = make(ends, right)
    move(left, ends.near, box)
    check_pings(box, "in the container")
    lab.check(not box.output("ip", "-o", "link", "show", "type", "veth"), "there is nothing else to send by")
    left.set("peer", right.keys.public, "persistent-keepalive", "5")
    lab.check(left.column("persistent-keepalive", right) == "5", "wg is answered where the program is")
    box.run("ip", "link", "set", left.interface, "mtu", MTU)
    lab.wait_until(lambda: status(left)["mtu"] == MTU, SECONDS, "the MTU set there is known")
    box.run("ip", "link", "set", left.interface, "down")
    lab.wait_until(lambda: not status(left)["up"], SECONDS, "so is that it is down")
    box.run("ip", "link", "set", left.interface, "up")
    check_pings(box, "behind down and up")
    move(left, box, ends.near)
    check_pings(ends.near, "where it began")
    # From here on the kernel names the namespace of the program in what it tells it.
    ends.lab.run("ip", "-n", ends.near.name, "netns", "set", ends.near.name, OWN_ID, must=False)
    lab.check(f"(id: {OWN_ID})" in ends.near.output("ip", "netns", "list"), "the first namespace has an id of its own")
    ends.near.run("ip", "link", "set", left.interface, "mtu", MTU + 10)
    lab.wait_until(lambda: status(left)["mtu"] == MTU + 10, SECONDS, "the MTU set here is known")
    ends.near.run("ip", "link", "set", left.interface, "netns", box.name, "name", "eth0")
    move(left, box, ends.near, "eth0")
    check_pings(ends.near, "behind a move under another name, and back under its own")
    move(left, ends.near, box)
    check_pings(box, "in the container again")
    return left


def scenario(laboratory):
    ends = Ends(laboratory)
    right = Tunnel(ends.far, "fireline").start([f"{OVERLAY['far'][0]}/24"])
    for udp_io in ("syscall", "io_uring"):
        os.environ["FIRELINE_WG_UDP_IO"] = udp_io
        box = laboratory.namespace(f"box-{udp_io[:2]}")
        left = live(ends, right, box)
        box.run("ip", "link", "delete", left.interface)
        check_end(left, 0, "the interface is deleted there")
    del os.environ["FIRELINE_WG_UDP_IO"]

    left = make(ends, right)
    move(left, ends.near, box)
    check_pings(box, "once more")
    lab.remove_namespace(box.name)
    check_end(left, 0, "the container is gone")

    third, script = laboratory.namespace("third"), laboratory.folder / "without-broadcast"
    script.write_text(f'#!/bin/sh\nexec setpriv --bounding-set=-net_broadcast {lab.program("fireline")} "$@"\n')
    script.chmod(0o755)
    left = Tunnel(ends.near, str(script)).start()
    ends.near.run("ip", "link", "set", left.interface, "netns", third.name)
    check_end(left, 1, "it may not follow")
    lab.check("start fireline-wg with CAP_NET_BROADCAST" in left.process.text(), "and says what to grant")


if __name__ == "__main__":
    lab.run(scenario)
