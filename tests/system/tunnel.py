"""WireGuard devices of the system tests, configured with Debian's wg, and the two-ended lab most scenarios start from.

    namespace near                                   namespace far
    ┌──────────────────────────┐                    ┌──────────────────────────┐
    │ device  10.77.0.1 fd77::1│                    │ device  10.77.0.2 fd77::2│
    │ eth0    10.76.0.1 fd76::1├────── veth ────────┤ eth0    10.76.0.2 fd76::2│
    └──────────────────────────┘                    └──────────────────────────┘
"""
import json
import os
import socket
import subprocess

import kernel
from lab import SOCKETS, TCP_BYTES, Failure, check, goodput, iperf, program, wait_until

OVERLAY = {"near": ("10.77.0.1", "fd77::1"), "far": ("10.77.0.2", "fd77::2")}
UNDERLAY = {"near": ("10.76.0.1", "fd76::1"), "far": ("10.76.0.2", "fd76::2")}
PORT = 51820


def wg(*arguments, text=None):
    return subprocess.run(["wg", *arguments], input=text, capture_output=True, text=True, check=True).stdout.strip()


class Keys:
    def __init__(self):
        self.private = wg("genkey")
        self.public = wg("pubkey", text=self.private)


def endpoint(address, port=PORT):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class Tunnel:
    """One device: its namespace, the program behind it, its keys, and its peers as last configured."""

    def __init__(self, namespace, program_name, mtu=1420, port=PORT, environment=None, keys=None):
        self.namespace, self.program_name, self.mtu, self.port = namespace, program_name, mtu, port
        self.environment = {"LOG_LEVEL": "verbose", **(environment or {})}
        self.interface = namespace.lab.interface_name()
        self.keys = keys or Keys()
        self.process = None
        self.configuration = ""

    def start(self, addresses=()):
        """Starts the program in the foreground and brings the interface up with its addresses."""
        self.process = self.namespace.start(program(self.program_name), "-f", self.interface,
                                            name=f"{self.namespace.label}-{self.program_name.split('/')[-1]}",
                                            environment=self.environment)
        wait_until(lambda: self.ready() or not self.process.alive(), 10, f"{self.program_name} makes its device")
        check(self.process.alive(), f"{self.program_name} runs in {self.namespace.label}")
        self.namespace.run("ip", "link", "set", self.interface, "mtu", self.mtu, "up")
        self.addresses = list(addresses)
        for address in self.addresses:
            self.namespace.run("ip", "address", "add", address, "dev", self.interface,
                               *(["nodad"] if ":" in address else []))
        self.check_backend()
        return self

    def check_backend(self):
        """The UDP backend that the environment asks for is in use: the program goes on without one that fails."""
        wanted = {**os.environ, **self.environment}.get("FIRELINE_WG_UDP_IO")
        if wanted is None or self.program_name != "fireline":
            return
        if wanted == "io_uring":
            kernel.require_io_uring()
        asked = (program(self.program_name), "--status", self.interface, "--json")
        wait_until(lambda: json.loads(self.namespace.output(*asked))["udp_io"] == wanted, 5, f"its sockets' backend is {wanted}")

    def ready(self):
        """It answers: a killed program leaves its socket's file, and the interface comes before the new socket."""
        try:
            with socket.socket(socket.AF_UNIX) as asked:
                asked.connect(str(SOCKETS / f"{self.interface}.sock"))
        except OSError:
            return False
        return self.namespace.has_link(self.interface)

    def configure(self, *peers, port=None, fwmark=None):
        """`wg setconf` with these peers: peer(...) results."""
        lines = ["[Interface]", f"PrivateKey = {self.keys.private}"]
        lines += [f"ListenPort = {self.port if port is None else port}"]
        lines += [f"FwMark = {fwmark}"] if fwmark else []
        self.configuration = "\n".join(lines + list(peers)) + "\n"
        return self.load(self.configuration)

    def load(self, text, verb="setconf"):
        path = self.namespace.lab.folder / f"{self.interface}.conf"
        path.write_text(text)
        return self.namespace.run("wg", verb, self.interface, path)

    def restart(self, how="stop"):
        """Ends the program (stop or kill), starts it anew, and gives it addresses and configuration again."""
        getattr(self.process, how)()
        wait_until(lambda: not self.namespace.has_link(self.interface), 5, "the interface goes with its program")
        self.start(self.addresses)
        self.load(self.configuration)

    def set(self, *arguments):
        return self.namespace.run("wg", "set", self.interface, *arguments)

    def show(self, what):
        return self.namespace.output("wg", "show", self.interface, what)

    def column(self, what, peer):
        """One peer's entry of `wg show INTERFACE what`."""
        for line in self.show(what).splitlines():
            fields = line.split("\t")
            if fields[0] == peer.keys.public:
                return fields[1] if len(fields) == 2 else fields[1:]
        raise Failure(f"no peer {peer.keys.public} in wg show {what}")

    def handshake_time(self, peer):
        return int(self.column("latest-handshakes", peer))

    def transfer(self, peer):
        received, sent = self.column("transfer", peer)
        return int(received), int(sent)


def peer(tunnel, allowed, to=None, psk=None, keepalive=None):
    """A [Peer] section for the other end."""
    lines = ["[Peer]", f"PublicKey = {tunnel.keys.public}", f"AllowedIPs = {', '.join(allowed)}"]
    lines += [f"Endpoint = {to}"] if to else []
    lines += [f"PresharedKey = {psk}"] if psk else []
    lines += [f"PersistentKeepalive = {keepalive}"] if keepalive else []
    return "\n".join(lines)


def underlay_of(side):
    """With prefix lengths, as an interface gets them."""
    return [f"{address}/{bits}" for address, bits in zip(UNDERLAY[side], (24, 64))]


class Ends:
    """Two namespaces with a link; devices come with tunnels()."""

    def __init__(self, lab, mtu=1500):
        self.lab = lab
        self.near, self.far = lab.namespace("near"), lab.namespace("far")
        lab.link(self.near, underlay_of("near"), self.far, underlay_of("far"), mtu=mtu)

    def tunnels(self, near, far, underlay=4, psk=False, initiator="both", mtu=1420, keepalive=None):
        """Both devices, configured. Only the initiator (near, far or both) knows where the other end is."""
        left, right = Tunnel(self.near, near, mtu), Tunnel(self.far, far, mtu)
        self.left, self.right = left, right
        family = 0 if underlay == 4 else 1
        psk = wg("genpsk") if psk else None
        for tunnel, other, side, other_side in ((left, right, "near", "far"), (right, left, "far", "near")):
            addresses = [f"{OVERLAY[side][0]}/24"] + ([f"{OVERLAY[side][1]}/64"] if mtu >= 1280 else [])
            tunnel.start(addresses)
            allowed = [f"{OVERLAY[other_side][0]}/32", f"{OVERLAY[other_side][1]}/128"]
            to = endpoint(UNDERLAY[other_side][family]) if initiator in (side, "both") else None
            tunnel.configure(peer(other, allowed, to, psk, keepalive))
        return left, right

    def ping_both_ways(self, first="near", families=(0, 1)):
        sides = {"near": self.near, "far": self.far}
        for side in (first, "far" if first == "near" else "near"):
            other = "far" if side == "near" else "near"
            for family in families:
                sides[side].ping(OVERLAY[other][family])
        check(True, f"ping both ways, {first} first, IPv4 and IPv6 inside" if len(families) == 2 else "ping both ways")

    def tcp_both_ways(self, families=(0, 1)):
        for family in families:
            for reverse in (False, True):
                rate = goodput(iperf(self.far, self.near, OVERLAY["far"][family], reverse=reverse, amount=TCP_BYTES))
                check(rate > 1e6, f"TCP {'far to near' if reverse else 'near to far'} over IPv{(4, 6)[family]}: "
                                  f"{rate / 1e6:.0f} Mbit/s")
