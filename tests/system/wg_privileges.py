#!/usr/bin/python3
"""What fireline-wg holds once it is set up: docs/privileges.md, read from /proc for every thread, in the foreground, in
the background and with io_uring; and that all that `wg` and `ip` ask of a running device works behind the filter.

    namespace near ── veth ── namespace far            tunnel.py; link-local addresses on the veth, too
"""
import os
import pathlib
import pwd
import signal

import lab
from program_privileges import (CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, DATA_PLANE_NICE, check_nice, check_privileges,
                                threads_of)
from tunnel import OVERLAY, UNDERLAY, Ends, Tunnel, peer

WG_CAPABILITIES = CAP_NET_ADMIN | CAP_NET_BIND_SERVICE
LOW_PORT = 443
LEAST_THREADS = 3       # main, log, data plane
ANSWER_SECONDS = 20  # a lost handshake message is repeated after five


def check_held(process):
    threads = check_privileges(process, "2", WG_CAPABILITIES, LEAST_THREADS)
    held = [int(fields["CapEff"], 16) for fields in threads.values()]
    lab.check(held.count(0) == 1, "one thread, the log's, holds nothing at all")
    lab.check(all(int(fields["CapBnd"], 16) & ~WG_CAPABILITIES == 0 for fields in threads.values()),
              "nothing else can be gained")
    check_nice(process)


def check_answers(ends, what):
    lab.wait_until(lambda: ends.near.reaches(OVERLAY["far"][0]), ANSWER_SECONDS, f"ping is answered: {what}")
    lab.check(True, f"ping is answered: {what}")


def change_everything(ends, left, right):
    """Whatever a running device may be asked for, with a ping behind each."""
    check_answers(ends, "as configured")
    right.set("listen-port", LOW_PORT)
    left.set("peer", right.keys.public, "endpoint", f"{UNDERLAY['far'][0]}:{LOW_PORT}")
    check_answers(ends, f"far listens on port {LOW_PORT}")
    left.set("fwmark", "0x1234")
    check_answers(ends, "near's packets are marked")
    left.set("listen-port", 0)
    check_answers(ends, "near listens on a port of the kernel's choice")
    left.namespace.run("ip", "link", "set", left.interface, "down")
    left.namespace.run("ip", "link", "set", left.interface, "up")
    check_answers(ends, "near was down and up")
    left.namespace.run("ip", "link", "set", left.interface, "mtu", 1280)
    check_answers(ends, "near's MTU is another")
    lines = ends.far.output("ip", "-o", "-6", "address", "show", "dev", "eth0", "scope", "link").split()
    address = lines[lines.index("inet6") + 1].split("/")[0]
    left.set("peer", right.keys.public, "endpoint", f"[{address}%eth0]:{LOW_PORT}")
    check_answers(ends, "far's endpoint is link-local, on a named interface")
    status = ends.near.run(lab.program("fireline"), "--status", left.interface).stdout
    lab.check(left.interface in status, "status is told")
    for tunnel in (left, right):
        check_held(tunnel.process)


def check_end(tunnel):
    lab.check(tunnel.process.stop(10) == 0, f"{tunnel.process.name} ends with 0")
    lab.check(not (lab.SOCKETS / f"{tunnel.interface}.sock").exists(), "its socket is gone")


def background(laboratory, ends):
    """The daemon, with a log file in a folder where only its owner may write."""
    folder = laboratory.folder / "of-nobody"
    folder.mkdir(mode=0o755)
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    interface = laboratory.interface_name()
    pids = lambda: set(laboratory.run("ip", "netns", "pids", ends.near.name).stdout.split())
    before = pids()
    ends.near.run(lab.program("fireline"), "--log-file", folder / "log", interface)
    [pid] = pids() - before

    class Daemon:
        name = "fireline-wg in the background"

    Daemon.pid = int(pid)
    check_held(Daemon)
    autogroup = pathlib.Path(f"/proc/{pid}/autogroup")
    if autogroup.exists():  # in this kernel
        lab.check(autogroup.read_text().endswith(f" nice {DATA_PLANE_NICE}\n"), f"so is its session's: {autogroup.read_text().strip()}")
    ends.near.run("ip", "link", "set", interface, "up")
    os.kill(Daemon.pid, signal.SIGTERM)
    lab.wait_until(lambda: not lab.process_lives(pid), 10, "the daemon ends")
    lab.check("ending: SIGTERM" in (folder / "log").read_text(), "its log is in another user's folder")
    lab.check(not (lab.SOCKETS / f"{interface}.sock").exists() and not ends.near.has_link(interface),
              "socket and interface are gone")


def without_low_ports(laboratory, ends, right):
    """Started without CAP_NET_BIND_SERVICE: a port below 1024 is refused in words, and the device goes on as it was."""
    script = laboratory.folder / "without-low-ports"
    script.write_text(f'#!/bin/sh\nexec nice -n 3 setpriv --bounding-set=-net_bind_service {lab.program("fireline")} "$@"\n')
    script.chmod(0o755)
    left = Tunnel(ends.near, str(script)).start([f"{OVERLAY['near'][0]}/24"])
    left.configure(peer(right, [f"{OVERLAY['far'][0]}/32"], f"{UNDERLAY['far'][0]}:{LOW_PORT}"))
    right.configure(peer(left, [f"{OVERLAY['near'][0]}/32"]), port=LOW_PORT)
    check_privileges(left.process, "2", CAP_NET_ADMIN, LEAST_THREADS)
    check_nice(left.process, 3)
    refused = left.namespace.run("wg", "set", left.interface, "listen-port", LOW_PORT, must=False)
    lab.check(refused.returncode != 0 and "Permission denied" in refused.stderr, "a low port is refused: " + refused.stderr.strip())
    lab.wait_until(lambda: "grant CAP_NET_BIND_SERVICE" in left.process.text(), 10, "the log says what to grant")
    lab.check(left.show("listen-port") == str(left.port), "the port is the one before")
    check_answers(ends, "the device goes on")
    check_end(left)


def scenario(laboratory):
    ends = Ends(laboratory)
    for udp_io in ("syscall", "io_uring"):
        os.environ["FIRELINE_WG_UDP_IO"] = udp_io
        left, right = ends.tunnels("fireline", "fireline")
        for tunnel in (left, right):
            check_held(tunnel.process)
        change_everything(ends, left, right)
        check_end(left)
        if udp_io == "syscall":
            without_low_ports(laboratory, ends, right)
        check_end(right)
    del os.environ["FIRELINE_WG_UDP_IO"]
    background(laboratory, ends)
    free = Tunnel(ends.near, "fireline", environment={"FIRELINE_WG_NO_SECCOMP": "1"}).start()
    lab.check({fields["Seccomp"] for fields in threads_of(free.process).values()} == {"0"}, "--no-seccomp does without")
    lab.wait_until(lambda: "every system call is allowed" in free.process.text(), 10, "and the log says so")
    check_end(free)


if __name__ == "__main__":
    lab.run(scenario)
