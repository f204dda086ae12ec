#!/usr/bin/python3
"""fireline-wg against the kernel's own WireGuard, in an emulated guest with Debian's kernel: IPv4 and IPv6 outside and
inside, with and without preshared key, either side initiating; roaming of either end; restart of either side.

    namespace near                          guest (qemu, emulated)
    ┌────────────────────────────┐         ┌────────────────────────────┐
    │ device  10.77.0.1 fd77::1  │         │ wg0     10.77.0.2 fd77::2  │
    │ tap0    10.76.0.1 fd76::1  ├── tap ──┤ eth0    10.76.0.2 fd76::2  │
    └────────────────────────────┘         └────────────────────────────┘

usage: guest.py [--near PROGRAM] [--cache FOLDER]      the cache keeps kernel and initramfs between runs
"""
import argparse
import shutil
import socket
import subprocess
import time
from pathlib import Path

import lab
from tunnel import OVERLAY, PORT, UNDERLAY, Keys, Tunnel, endpoint, peer, wg

HERE = Path(__file__).resolve().parent
BOOT_SECONDS = 120    # takes 3 to 10 s; emulation on a busy machine
ANSWER_SECONDS = 60
SILENCE_SECONDS = 5     # then a command is sent again
CONSOLE_LINES = 25      # of a guest that ended
FOLLOW_SECONDS = 10
RETURN_SECONDS = 40   # 15 s until the end that stayed notices, retransmissions 5 s apart, and the emulation's pace


def made(laboratory, cache, programs=()):
    """The folder of a guest: the cache, or one of the laboratory where the guest has further programs."""
    cache = Path(cache).resolve()
    built = subprocess.run([HERE / "guest/build", cache], capture_output=True, text=True)
    if built.returncode == 77:
        raise lab.Skip(built.stdout.strip().removeprefix("skipped: "))
    lab.require(built.returncode == 0, f"guest/build: {built.stdout}{built.stderr}")
    if not programs:
        return cache
    folder = laboratory.folder / "guest"
    shutil.copytree(cache / "root", folder / "root", symlinks=True)
    laboratory.run(HERE / "guest/pack", folder / "root", folder / "initrd.gz", *programs)
    (folder / "kernel").symlink_to(cache / "kernel")
    return folder


class Guest:
    """The guest in a folder of made(), and its command line."""

    def __init__(self, laboratory, namespace, folder):
        namespace.run("ip", "tuntap", "add", "tap0", "mode", "tap")
        for address in (f"{UNDERLAY['near'][0]}/24", f"{UNDERLAY['near'][1]}/64"):
            namespace.run("ip", "address", "add", address, "dev", "tap0", *(["nodad"] if ":" in address else []))
        namespace.run("ip", "link", "set", "tap0", "up")
        path = str(laboratory.folder / f"serial-{namespace.label}")
        self.process = namespace.start(HERE / "guest/boot", folder, "tap0", path, name="guest")
        lab.wait_until(lambda: Path(path).exists() or not self.process.alive(), 10, "qemu opens its socket")
        self.serial = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.serial.connect(path)
        self.pending, self.number = b"", 0
        first = self.line(BOOT_SECONDS)
        lab.require(first.startswith("READY "), f"the guest says {first}")
        self.kernel = first.split()[1]

    def line(self, seconds, must=True):
        deadline = time.monotonic() + seconds
        while b"\n" not in self.pending:
            self.serial.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                part = self.serial.recv(4096)
            except TimeoutError:
                if not must:
                    return None
                raise lab.Failure(f"no answer from the guest within {seconds} s")
            lab.require(part, "the guest ended: " + " | ".join(self.process.text().splitlines()[-CONSOLE_LINES:]))
            self.pending += part
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")

    def run(self, command, must=True, seconds=ANSWER_SECONDS):
        """(exit code, output) of one line of shell in the guest; `seconds` until the next line of what it says."""
        self.number, command = self.number + 1, command.strip()  # as the guest reads it
        self._send(f"{self.number} {len(command)} {command}\n".encode())
        lines = []
        while not (line := self.line(seconds)).startswith("EXIT "):
            lines += [line] if line != "AGAIN" else []
        code = int(line.split()[1])
        lab.require(code == 0 or not must, f"in the guest, exit code {code}: {command}\n" + "\n".join(lines))
        return code, "\n".join(lines)

    def _send(self, line):
        """Until the guest says that it has the whole line (guest/build)."""
        self.serial.sendall(line)
        deadline = time.monotonic() + ANSWER_SECONDS
        while (said := self.line(SILENCE_SECONDS, must=False)) != "GOT":
            lab.require(time.monotonic() < deadline, f"the guest takes no command: {line}")
            # Where the line's end was lost, the guest waits for one.
            self.serial.sendall(line if said == "AGAIN" else b"\n" + line)

    def output(self, command, **options):
        return self.run(command, **options)[1].strip()

    def reaches(self, address):
        return self.run(f"ping -n -c 1 -W 1 {address}", must=False)[0] == 0

    def ping(self, address):
        self.run(f"ping -n -c 3 -i 0.2 -W 3 {address}")


class KernelDevice:
    """wg0 in the guest, with the part of Tunnel that a peer needs."""

    def __init__(self, guest):
        self.guest, self.keys, self.configuration = guest, Keys(), ""

    def create(self):
        self.guest.run("ip link add wg0 type wireguard")

    def start(self):
        self.create()
        for address in (f"{OVERLAY['far'][0]}/24", f"{OVERLAY['far'][1]}/64 nodad"):
            self.guest.run(f"ip address add {address} dev wg0")
        self.guest.run("ip link set wg0 up")

    def stop(self):
        self.guest.run("ip link delete wg0")

    def configure(self, section):
        self.configuration = f"[Interface]\nPrivateKey = {self.keys.private}\nListenPort = {PORT}\n{section}\n"
        self.load()

    def load(self):
        quoted = self.configuration.replace("\n", "\\n")
        self.guest.run(f"printf '{quoted}' > /tmp/wg0.conf && wg setconf wg0 /tmp/wg0.conf")

    def column(self, what):
        return self.guest.output(f"wg show wg0 {what}").split("\t")[1]


def scenario(laboratory, near, cache):
    host = laboratory.namespace("near")
    guest = Guest(laboratory, host, made(laboratory, cache))
    lab.check(guest.kernel.startswith("6."), f"the guest runs Linux {guest.kernel}")
    join(host, guest)

    for underlay in (0, 1):
        for psk in (None, wg("genpsk")):
            for initiator in ("near", "guest"):
                device, kernel = Tunnel(host, near), KernelDevice(guest)
                tunnel(device, kernel, underlay, psk, initiator)
                title = f"IPv{(4, 6)[underlay]} outside, {'with' if psk else 'no'} preshared key, {initiator} initiates"
                traffic(host, guest, title, initiator)
                if psk:
                    roam(host, guest, device, kernel, underlay)
                if initiator == "near" and not psk and not underlay:
                    restart(host, guest, device, kernel)
                    lab.check(bulk(host, guest), "TCP both ways through the tunnel")
                kernel.stop()
                device.process.stop()


def join(host, guest):
    for address in (f"{UNDERLAY['far'][0]}/24", f"{UNDERLAY['far'][1]}/64 nodad"):
        guest.run(f"ip address add {address} dev eth0")
    lab.wait_until(lambda: host.reaches(UNDERLAY["far"][0]) and host.reaches(UNDERLAY["far"][1]), 20, "underlay works")


def tunnel(device, kernel, underlay, psk, initiator):
    device.start([f"{OVERLAY['near'][0]}/24", f"{OVERLAY['near'][1]}/64"])
    kernel.start()
    to = {side: endpoint(UNDERLAY[side][underlay]) for side in ("near", "far")}
    device.configure(peer(kernel, [f"{a}/{n}" for a, n in zip(OVERLAY["far"], (32, 128))],
                          to["far"] if initiator == "near" else None, psk))
    kernel.configure(peer(device, [f"{a}/{n}" for a, n in zip(OVERLAY["near"], (32, 128))],
                          to["near"] if initiator == "guest" else None, psk))


def traffic(host, guest, title, initiator):
    first, second = (host, guest) if initiator == "near" else (guest, host)
    for end, side in ((first, "far" if initiator == "near" else "near"), (second, "near" if initiator == "near" else "far")):
        for family in (0, 1):
            end.ping(OVERLAY[side][family])
    lab.check(True, f"{title}: ping both ways, IPv4 and IPv6 inside")


def bulk(host, guest):
    for reverse in ([], ["-R"]):
        # One server for each run: it opens its port anew between two.
        guest.run("iperf3 -s -1 -D; until grep -q ':1451 0*:0000 0A' /proc/net/tcp6; do sleep 0.2; done")  # port 5201
        host.run("iperf3", "-c", OVERLAY["far"][0], "-t", "2", *reverse)
        guest.run("while pidof iperf3; do sleep 0.2; done")
    return True


def roam(host, guest, device, kernel, family):
    length = (24, 64)[family]
    old, new = UNDERLAY["near"][family], ("10.76.0.11", "fd76::11")[family]
    host.run("ip", "address", "add", f"{new}/{length}", "dev", "tap0", *(["nodad"] if family else []))
    host.run("ip", "address", "delete", f"{old}/{length}", "dev", "tap0")
    if device.program_name == "wireguard-go" and not family:
        device.set("listen-port", PORT)  # see roaming.py
    lab.wait_until(lambda: host.reaches(OVERLAY["far"][0]) and kernel.column("endpoints") == endpoint(new),
                   FOLLOW_SECONDS, f"the kernel follows us to {new}")
    lab.wait_until(lambda: guest.reaches(OVERLAY["near"][0]), FOLLOW_SECONDS, f"the kernel follows us to {new}, both ways")
    lab.check(True, f"the kernel follows us to {new}")
    host.run("ip", "address", "add", f"{old}/{length}", "dev", "tap0", *(["nodad"] if family else []))

    old, new = UNDERLAY["far"][family], ("10.76.0.12", "fd76::12")[family]
    guest.run(f"ip address add {new}/{length} dev eth0 {'nodad' if family else ''}")
    guest.run(f"ip address delete {old}/{length} dev eth0")
    lab.wait_until(lambda: guest.reaches(OVERLAY["near"][0]) and device.column("endpoints", kernel) == endpoint(new),
                   FOLLOW_SECONDS, f"we follow the kernel to {new}")
    host.check_reaches(OVERLAY["far"][0], f"we follow the kernel to {new}")
    guest.run(f"ip address add {old}/{length} dev eth0 {'nodad' if family else ''}")
    guest.run(f"ip address delete {new}/{length} dev eth0")
    host.run("ip", "address", "delete", f"{('10.76.0.11', 'fd76::11')[family]}/{length}", "dev", "tap0")


def restart(host, guest, device, kernel):
    device.restart("kill")
    lab.wait_until(lambda: host.reaches(OVERLAY["far"][0]), RETURN_SECONDS, "we are back")
    lab.wait_until(lambda: guest.reaches(OVERLAY["near"][0]), FOLLOW_SECONDS, "the tunnel works both ways")
    lab.check(True, "our restart: the tunnel comes back")
    pinging = host.start("ping", "-n", "-i", "0.5", OVERLAY["far"][0], name="near-traffic")
    kernel.stop()
    kernel.start()
    kernel.load()
    lab.wait_until(lambda: guest.reaches(OVERLAY["near"][0]), RETURN_SECONDS, "the kernel's device is back")
    pinging.kill()
    lab.check(True, "the kernel's restart: our unanswered traffic starts a handshake")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--near", default="fireline")
    options.add_argument("--cache", default=str(lab.ROOT / "build/guest"))
    chosen = options.parse_args()
    lab.run(scenario, chosen.near, chosen.cache)
