#!/usr/bin/python3
"""How the program comes and goes: daemonising, the four ways to end it, kill -9, as a service, and each failure at start
in one sentence with exit code 1.

    namespace host
    ┌────────────────────────────┐
    │ device, its socket in      │
    │ /var/run/wireguard         │
    └────────────────────────────┘

usage: lifecycle.py [--program PROGRAM] [--without-sentences]
       --without-sentences: skips what fireline-wg promises beyond wireguard-go (to try the scenario with that)
"""
import argparse
import os
import re
import signal
import socket

import lab
from service_manager import ServiceManager
from tunnel import Keys, Tunnel, wg

END_SECONDS = 2
START_SECONDS = 30


def scenario(laboratory, name, sentences):
    host = laboratory.namespace("host")
    device = Tunnel(host, name)
    program = lab.program(name)
    ways_to_end(laboratory, host, device, program)
    closed_streams(host, device, program)
    kill(host, device)
    running_twice(host, device, program)
    configuration_errors(host, device)
    if sentences:
        without_node(host, device, program)
        service(laboratory, host, device, program)
        start_failures(laboratory, host, program)


def ways_to_end(laboratory, host, device, program):
    path = lab.SOCKETS / f"{device.interface}.sock"

    def daemon():
        """Starts the program without -f; the pid of what it leaves running."""
        before = set(laboratory.run("ip", "netns", "pids", host.name).stdout.split())
        begun = host.run(program, device.interface, environment={"LOG_LEVEL": ""})
        lab.check(begun.returncode == 0 and device.ready(), "the parent returns when interface and socket exist")
        left = set(laboratory.run("ip", "netns", "pids", host.name).stdout.split()) - before
        lab.check(len(left) == 1, "one daemon stays")
        return int(left.pop())

    def gone(pid):
        return not lab.process_lives(pid) and not path.exists() and not host.has_link(device.interface)

    def delete_link(_):
        host.run("ip", "link", "delete", device.interface)

    ends = {
        "SIGTERM": lambda pid: os.kill(pid, signal.SIGTERM),
        "SIGINT": lambda pid: os.kill(pid, signal.SIGINT),
        "removal of the interface": delete_link,
        "removal of the socket": lambda _: path.unlink(),
    }
    for title, end in ends.items():
        pid = daemon()
        host.run("ip", "link", "set", device.interface, "up")
        wg_set = host.run("wg", "set", device.interface, "listen-port", "51830", "private-key", "/dev/stdin",
                          text=device.keys.private)
        lab.check(wg_set.returncode == 0 and device.show("listen-port") == "51830", "the daemon answers wg")
        end(pid)
        lab.wait_until(lambda: gone(pid), END_SECONDS, f"{title} ends process, interface and socket")
        lab.check(True, f"{title} ends process, interface and socket within {END_SECONDS} s")


def unit_command(setting):
    """The shell's words of a command of the unit."""
    text = (lab.ROOT / "tools/wg/fireline-wg@.service").read_text()
    return re.search(rf"^{setting}=/bin/bash -c '(.*)' %i$", text, re.M)[1]


def service(laboratory, host, device, program):
    """As fireline-wg@.service starts it: systemd hears when the device can be configured, and when it ends."""
    manager = ServiceManager(laboratory.folder / "notify")
    process = host.start(program, "-f", device.interface, environment={"NOTIFY_SOCKET": str(manager.path)})
    manager.check("READY=1")
    lab.check(device.ready() and device.show("listen-port") == "0", "it is configurable then")
    peers = [Keys().public for _ in range(3)]
    for setting, some in (("ExecStartPost", peers[:2]), ("ExecReload", peers[1:])):
        file = laboratory.folder / f"{device.interface}.conf"
        file.write_text(f"[Interface]\nAddress = 10.99.0.1/24\nPrivateKey = {device.keys.private}\n"
                        + "".join(f"[Peer]\nPublicKey = {key}\n" for key in some))
        file.chmod(0o600)
        command = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/wireguard && exec bash -c "$1" "$2"',
                   laboratory.folder, unit_command(setting), device.interface)
        host.run(*command)
        lab.check(set(device.show("peers").split()) == set(some), f"the unit's {setting} gives it the file's peers")
        file.unlink()
        lab.check(host.run(*command, must=False).returncode != 0, f"{setting} fails without the file")
        lab.check(set(device.show("peers").split()) == set(some) and device.show("private-key") == device.keys.private,
                  "which changes neither peers nor key")
    process.signal(signal.SIGTERM)
    manager.check("STOPPING=1")
    lab.check(process.wait(END_SECONDS) == 0, "and ends with 0")


def closed_streams(host, device, program):
    """Whoever starts it may have closed its standard streams: what it opens must not take their numbers."""
    for closed in ("<&-", "<&- >&-", "<&- >&- 2>&-"):
        begun = host.run("timeout", START_SECONDS, "sh", "-c", f'exec "$0" "$@" {closed}', program, device.interface,
                         environment={"LOG_LEVEL": ""}, must=False)
        lab.check(begun.returncode == 0 and device.ready(), f"started with {closed}")
        host.run("ip", "link", "delete", device.interface)
        lab.wait_until(lambda: not device.ready(), END_SECONDS, "it ends")


def without_node(host, device, program):
    """A container may have the driver and nobody who makes the device's node."""
    device_folder = 'mount -t tmpfs -o dev none /dev/net && exec "$0" "$@"'
    begun = host.run("unshare", "--mount", "sh", "-c", device_folder, program, device.interface,
                     environment={"LOG_LEVEL": ""}, must=False)
    lab.check(begun.returncode == 0 and device.ready(), f"started without /dev/net/tun {begun.stderr.strip()}")
    host.run("ip", "link", "delete", device.interface)
    lab.wait_until(lambda: not device.ready(), END_SECONDS, "it ends")


def kill(host, device):
    device.start()
    device.process.kill()
    lab.wait_until(lambda: not host.has_link(device.interface), END_SECONDS, "the kernel takes the interface")
    device.start()
    lab.check(device.show("listen-port") != "", "kill -9 leaves nothing that stops the next start")


def running_twice(host, device, program):
    second = host.run(program, "-f", device.interface, must=False)
    lab.check(second.returncode == 1, "a second program with the same name ends with 1")
    lab.check(device.process.alive() and device.ready() and device.show("private-key") == "(none)",
              "and the first one still answers")


def configuration_errors(host, device):
    taken = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("0.0.0.0", 51999))
    host.run("ip", "link", "set", device.interface, "up")
    result = host.run("wg", "set", device.interface, "listen-port", "51999", must=False)
    lab.check(result.returncode == 1 and "in use" in result.stderr, f"port taken: wg says '{result.stderr.strip()}'")
    taken.close()
    host.run("wg", "set", device.interface, "listen-port", "51999")
    lab.check(device.show("listen-port") == "51999", "the same port when it is free again")
    result = host.run("wg", "set", device.interface, "peer", wg("genkey"), "allowed-ips", "10.0.0.0/33", must=False)
    lab.check(result.returncode == 1 and device.process.alive(), "a bad prefix is refused, the program stays")
    lab.check(device.process.stop(END_SECONDS) == 0, "SIGTERM in the foreground: exit code 0")


def start_failures(laboratory, host, program):
    host.run("ip", "link", "add", "taken0", "type", "bridge")
    listener = host.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 9999))
    listener.listen()
    free = laboratory.interface_name()
    hide_tun = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o ro none /dev/net; exec "$@"', "sh"]
    powerless = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    rows = [
        # what is wrong, what stands before the program, arguments, what the sentence names
        ("name taken", [], ["taken0"], "taken0"),
        ("name too long", [], ["a-name-of-17-char"], "name"),
        ("name with a slash", [], ["a/b"], "name"),
        ("no interface named", [], [], "interface"),
        ("unknown option", [], ["--nonsense", free], "nonsense"),
        ("unknown thread mode", ["env", "FIRELINE_WG_THREADS=many"], [free], "split"),
        ("no permission", powerless, [free], "CAP_NET_ADMIN"),
        ("no TUN device", hide_tun, [free], "/dev/net/tun"),
        ("metrics port taken", [], ["--metrics", "127.0.0.1:9999", free], "9999"),
        ("metrics address unusable", [], ["--metrics", "nonsense", free], "nonsense"),
        ("status of nobody", [], ["--status", free], free),
    ]
    for title, before, arguments, names in rows:
        for way, flags in (("in the foreground", ["-f"]), ("as a daemon", [])):
            result = host.run(*before, program, *flags, *arguments, must=False,
                              environment={"LOG_LEVEL": "error"})
            said = [text for text in (result.stdout + result.stderr).splitlines() if text.strip()]
            lab.check(result.returncode == 1 and len(said) == 1 and names in said[0],
                      f"{title}, {way}: exit code {result.returncode}, {said}")
            lab.require(not host.has_link(free) and not (lab.SOCKETS / f"{free}.sock").exists(), "nothing is left")
    for option in ("--version", "--help"):
        result = host.run(program, option)
        lab.check(result.stdout.strip() != "", f"{option} answers with exit code 0")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--program", default="fireline")
    options.add_argument("--without-sentences", action="store_true")
    chosen = options.parse_args()
    lab.run(scenario, chosen.program, not chosen.without_sentences)
