#!/usr/bin/python3
"""What gateway and client hold once they are set up: docs/privileges.md, read from /proc; and their ends.

    one namespace: fireline-gateway, fireline-client, and no portal at the address that they are given

Without a portal they go on trying, which is a running program in every respect that counts here: all threads are there,
privileges are dropped, the filter of system calls is on.
"""
import contextlib
import os
import signal
import time

import lab

CAP_NET_BIND_SERVICE = 1 << 10
CAP_NET_ADMIN = 1 << 12
DATA_PLANE_NICE = -7
PORTAL = "ws://127.0.0.1:9"  # nobody listens on the discard port
CONNECTED_SECONDS = 20
THREADS_SECONDS = 5


def fields_of(text):
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def threads_of(process):
    """Status of each thread by its name and number; a thread may end while they are read."""
    found = {}
    for task in sorted(os.listdir(f"/proc/{process.pid}/task")):
        try:
            with open(f"/proc/{process.pid}/task/{task}/status") as file:
                fields = fields_of(file.read())
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[f"{fields['Name']} {task}"] = fields
    return found


def check_nice(process, wanted=DATA_PLANE_NICE):
    values = set()
    for task in os.listdir(f"/proc/{process.pid}/task"):
        with contextlib.suppress(ProcessLookupError):  # a thread may end meanwhile
            values.add(os.getpriority(os.PRIO_PROCESS, int(task)))
    lab.check(values == {wanted}, f"{process.name}: every thread's nice value is {wanted}: {values}")


def check_privileges(process, seccomp, allowed=CAP_NET_ADMIN, least=4):
    """Each thread holds none but the allowed capabilities; the statuses by thread."""
    def all_threads():
        found = threads_of(process)
        return found if len(found) >= least else None

    # A session that is reset has its data plane stopped and started.
    threads = lab.wait_until(all_threads, THREADS_SECONDS, f"{process.name} has {least} threads")
    lab.check(len(threads) >= least, f"{process.name} has its threads: {', '.join(threads)}")
    for thread, fields in threads.items():
        for name in ("CapPrm", "CapEff"):
            lab.require(int(fields[name], 16) & ~allowed == 0, f"{thread}: {name} {fields[name]}")
        for name in ("CapInh", "CapAmb"):
            lab.require(int(fields[name], 16) == 0, f"{thread}: {name} {fields[name]}")
        lab.require(fields["NoNewPrivs"] == "1", f"{thread} may gain privileges")
        lab.require(fields["Seccomp"] == seccomp, f"{thread}: Seccomp {fields['Seccomp']}")
    lab.check(True, f"{process.name}: capabilities {allowed:x} at most, no_new_privs, Seccomp {seccomp} in every thread")
    return threads


def start(world, namespace, name, *flags):
    socket = world.folder / f"{name}{len(world.processes)}.sock"
    environment = {"FIREZONE_TOKEN": "t", "FIREZONE_ID": "1" * 64}
    command = [lab.built(f"fireline-{name}"), "--api-url", PORTAL, "--tun-name", f"t-{name}", "--status-socket", socket, *flags]
    process = namespace.start(*command, name=name, environment=environment)
    lab.wait_until(lambda: "the portal is away" in process.text(), CONNECTED_SECONDS, f"{name} tries its portal")
    return process, socket


def check_status(namespace, name, socket):
    answer = namespace.run(lab.built(f"fireline-{name}"), "status", "--json", "--status-socket", socket).stdout
    lab.check('"portal_error"' in answer and '"counters"' in answer, f"{name} says that its portal is away")


def check_end(process, socket):
    begun = time.monotonic()
    code = process.stop(10)
    lab.check(code == 0, f"{process.name} ends with 0 after SIGTERM, in {time.monotonic() - begun:.2f} s")
    lab.require(not os.path.exists(socket), "the status socket is gone")
    lab.require("not everything could be sent" not in process.text(), "nothing was left to be sent")


def scenario(world):
    namespace = world.namespace("host")
    for name in ("gateway", "client"):
        process, socket = start(world, namespace, name)
        check_privileges(process, "2")
        check_nice(process)
        check_status(namespace, name, socket)
        check_end(process, socket)
    process, socket = start(world, namespace, "client", "--no-seccomp", "--nice", "0", "--log-dir", world.folder / "logs")
    check_privileges(process, "0")
    check_nice(process, 0)
    check_end(process, socket)
    process, socket = start(world, namespace, "client", "--log-dir", world.folder / "logs")
    latest = world.folder / "logs/latest"
    lab.wait_until(lambda: "the portal is away" in latest.read_text(), 10, "the log is in its folder as well")
    os.unlink(latest.resolve())
    process.signal(signal.SIGHUP)
    lab.wait_until(lambda: latest.exists() and "session reset: SIGHUP" in latest.read_text(), 10,
                   "a file that somebody removed is made again, behind the filter")
    check_privileges(process, "2")
    check_end(process, socket)


if __name__ == "__main__":
    lab.run(scenario)
