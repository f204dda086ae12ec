"""Small library of the system tests: namespaces, links, processes, tunnels, and an end that leaves nothing behind.

A scenario is a function that takes a Lab; run(scenario) gives it one, and turns the result into an exit code: 0, 1 with
every process's log, or 77 with the reason. Names carry the process id, so that runs do not collide. Every process is
known by its pid and dies with this one; namespaces that a killed run left are removed by the next.
"""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from strain import Strain

ROOT = Path(__file__).resolve().parents[2]
SOCKETS = Path("/var/run/wireguard")
STATUS_SOCKETS = Path("/var/run/fireline")  # what a killed program leaves there
LOG_LINES_SHOWN = 40
TCP_BYTES = 30_000_000  # of an iperf3 run that shows that TCP passes
COMMAND_SECONDS = 180  # one command of a scenario; longer ones say so
REACHED_SECONDS = 5
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Failure(Exception):
    """The scenario does not hold."""


class Skip(Exception):
    """This machine cannot run the scenario; the text is the proof."""


def program(name):
    """Path of a tunnel program: `fireline` is fireline-wg, anything else a path or command."""
    if name == "fireline":
        return built("fireline-wg")
    path = shutil.which(name)
    if not path:
        raise Failure(f"no program {name}")
    return os.path.abspath(path)


def built(name):
    """Path of one of our programs: the release build's, or what the environment names: FIRELINE_WG for fireline-wg,
    FIRELINE_TREE for another folder of the repository that programs are built in (those that it lacks: the release
    build's)."""
    variable = name.upper().replace("-", "_")
    trees = (ROOT / tree / "bin" / name for tree in (os.environ.get("FIRELINE_TREE", "build"), "build"))
    path = os.environ.get(variable) or str(next(filter(Path.exists, trees), ROOT / "build/bin" / name))
    if not os.access(path, os.X_OK):
        raise Failure(f"no program {path}: build it, or name it in {variable}")
    return os.path.abspath(path)


def require(condition, sentence):
    if not condition:
        raise Failure(sentence)


def check(condition, sentence):
    require(condition, sentence)
    print(f"  ok: {sentence}", flush=True)


def wait_until(predicate, seconds, what):
    """The predicate's first true value; Failure when there is none in so many seconds of an idle machine (strain.py)."""
    strain = Strain()
    while True:
        in_time = strain.allows(seconds)
        value = predicate()
        if value:
            return value
        if not in_time:
            raise Failure(f"not within {seconds} s ({strain}): {what}")
        time.sleep(0.02)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A process of the lab; its output goes to a log that a failure prints."""

    def __init__(self, lab, arguments, name, environment=None, stdin=None):
        self.log = lab.folder / f"{len(lab.processes):02d}-{name}.log"
        self.name = name
        with open(self.log, "wb") as output:
            self.popen = subprocess.Popen(
                arguments, stdin=stdin or subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})}, start_new_session=True,
                preexec_fn=None if lab.outlives_us else _die_with_parent)
        self.pid = self.popen.pid
        lab.processes.append(self)

    def alive(self):
        return self.popen.poll() is None

    def text(self):
        return self.log.read_text(errors="replace")

    def whole_lines(self):
        """The text without a last line that is still being written: for who takes lines apart."""
        text = self.text()
        return text[:text.rfind("\n") + 1]

    def wait(self, seconds):
        """The exit code; Failure when it still runs after so many seconds of an idle machine."""
        wait_until(lambda: not self.alive(), seconds, f"{self.name} ends")
        return self.popen.returncode

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self, seconds=5):
        self.signal(signal.SIGTERM)
        return self.wait(seconds)


# `ip netns exec` has made a mount namespace already. /run comes last: the lab's own folder may be in it.
_WITH_OWN_FILES = 'mount --bind "$0/lib" /var/lib && mount --bind "$0/run" /run && exec "$@"'


class Namespace:
    def __init__(self, lab, label):
        self.lab, self.label = lab, label
        self.name = f"{lab.prefix}-{label}"

    @property
    def files(self):
        return self.lab.folder / self.label

    def own_files(self):
        """From here on every command sees a /run and a /var/lib of this host alone: what programs leave there is in
        files/run and files/lib, also for who looks from outside."""
        for name in ("run", "lib"):
            (self.files / name).mkdir(parents=True, exist_ok=True)

    def command(self, *arguments):
        inside = ["sh", "-c", _WITH_OWN_FILES, str(self.files)] if (self.files / "run").is_dir() else []
        return ["ip", "netns", "exec", self.name, *inside, *map(str, arguments)]

    def run(self, *arguments, must=True, seconds=COMMAND_SECONDS, environment=None, text=None):
        """Runs to the end; Failure with its output unless it succeeds or must is False."""
        return self.lab.run(*self.command(*arguments), must=must, seconds=seconds, environment=environment, text=text)

    def output(self, *arguments, **options):
        return self.run(*arguments, **options).stdout.strip()

    def start(self, *arguments, name=None, environment=None, stdin=None):
        return Process(self.lab, self.command(*arguments), name or f"{self.label}-{Path(str(arguments[0])).name}",
                       environment, stdin)

    def python(self, code, *arguments, name="python"):
        """A helper program of a few lines in this namespace."""
        return self.start("/usr/bin/python3", "-B", "-c", code, *arguments, name=f"{self.label}-{name}")

    def has_link(self, interface):
        return self.run("ip", "link", "show", interface, must=False).returncode == 0

    def socket(self, *arguments):
        """A socket that lives in this namespace, used from here."""
        own = os.open("/proc/self/ns/net", os.O_RDONLY)
        theirs = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            if _libc.setns(theirs, 0) != 0:
                raise Failure(f"cannot enter {self.name}")
            try:
                return socket.socket(*arguments)
            finally:
                if _libc.setns(own, 0) != 0:
                    raise Failure("cannot return to the own namespace")
        finally:
            os.close(own)
            os.close(theirs)

    def ping(self, address, *arguments, count=3, must=True):
        result = self.run("ping", "-n", "-i", "0.05", "-c", count, "-W", "2", *arguments, address, must=False)
        if must and result.returncode != 0:
            raise Failure(f"no answer in {self.label} from {address}:\n{result.stdout}{result.stderr}")
        return result

    def check_reaches(self, address, sentence):
        """One of some pings is answered, for a second is little on a busy machine."""
        wait_until(lambda: self.reaches(address), REACHED_SECONDS, sentence)
        check(True, sentence)

    def reaches(self, address, *arguments):
        """Whether one ping is answered within a second."""
        return self.run("ping", "-n", "-c", "1", "-W", "1", *arguments, address, must=False).returncode == 0


class Lab:
    outlives_us = False  # processes go on after this one

    def __init__(self, name):
        self.name = name
        self.prefix = f"fl{os.getpid()}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.prefix}-{name}-"))
        self._begin()

    def _begin(self):
        self.namespaces, self.processes, self.interfaces, self.at_end = [], [], [], []
        _sweep()

    def run(self, *arguments, must=True, seconds=COMMAND_SECONDS, environment=None, text=None):
        command = [str(argument) for argument in arguments]
        try:
            result = subprocess.run(command, input=text, stdin=None if text is not None else subprocess.DEVNULL,
                                    capture_output=True, text=True, errors="replace", timeout=seconds,
                                    env={**os.environ, **(environment or {})}, preexec_fn=_die_with_parent)
        except subprocess.TimeoutExpired:
            raise Failure(f"no end after {seconds} s: {' '.join(command)}")
        if must and result.returncode != 0:
            raise Failure(f"exit code {result.returncode}: {' '.join(command)}\n{result.stdout}{result.stderr}")
        return result

    def namespace(self, label):
        made = Namespace(self, label)
        self.run("ip", "netns", "add", made.name)
        self.namespaces.append(made)
        made.run("ip", "link", "set", "lo", "up")
        # Addresses are usable at once: duplicate detection would cost a second each.
        made.run("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
                 "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0",
                 "net.ipv4.conf.all.promote_secondaries=1", "net.ipv4.conf.default.promote_secondaries=1")
        return made

    def link(self, left, left_addresses, right, right_addresses, name="eth0", right_name=None, mtu=1500):
        """A veth pair between two namespaces, both ends up, with their addresses."""
        right_name = right_name or name
        self.run("ip", "link", "add", name, "netns", left.name, "mtu", mtu, "type", "veth", "peer", "name", right_name,
                 "netns", right.name, "mtu", mtu)
        for end, interface, addresses in ((left, name, left_addresses), (right, right_name, right_addresses)):
            for address in addresses:
                end.run("ip", "address", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))
            end.run("ip", "link", "set", interface, "up")

    def interface_name(self):
        """A name for a tunnel device, unique on the host because the configuration sockets share one folder."""
        name = f"{self.prefix}{chr(ord('a') + len(self.interfaces))}"
        self.interfaces.append(name)
        return name

    def close(self):
        for undo in reversed(self.at_end):
            undo()
        for process in reversed(self.processes):
            process.kill()
        for namespace in self.namespaces:
            remove_namespace(namespace.name)
        for interface in self.interfaces:
            for folder in (SOCKETS, STATUS_SOCKETS):
                (folder / f"{interface}.sock").unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def print_logs(self):
        for process in self.processes:
            state = "runs" if process.alive() else f"ended with {process.popen.returncode}"
            lines = process.text().splitlines()
            print(f"--- {process.name} (pid {process.pid}, {state})")
            print("\n".join(lines[-LOG_LINES_SHOWN:]))


def remove_namespace(name):
    """Ends what runs inside (daemons that the scenario started) and removes it."""
    pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split()
    for pid in pids:
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def process_lives(pid):
    """One that ended and whose parent has not looked yet is gone: for a daemon that is init, which looks when it likes,
    on some machines every two seconds."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def namespace_names():
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.splitlines()
    return [line.split()[0] for line in listed if line]


def _sweep():
    """Removes what runs that were killed left behind: namespaces, sockets and folders whose process id is gone."""

    def orphaned(name):
        match = re.match(r"fl(\d+)[-a-z]", name)
        return match is not None and not process_lives(match[1])

    for name in filter(orphaned, namespace_names()):
        remove_namespace(name)
    for path in (*SOCKETS.glob("fl*.sock"), *STATUS_SOCKETS.glob("fl*.sock")):
        if orphaned(path.name):
            path.unlink(missing_ok=True)
    for folder in (Path(tempfile.gettempdir()), Path("/etc/netns")):
        for path in folder.glob("fl*-*"):
            if orphaned(path.name):
                shutil.rmtree(path, ignore_errors=True)


def run(scenario, *arguments):
    """Runs one scenario in a lab of its own and ends the program with its exit code."""
    name = Path(sys.argv[0]).stem
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        print(f"skipped: needs root (uid is {os.geteuid()}) and /dev/net/tun (there: {os.path.exists('/dev/net/tun')})")
        sys.exit(77)

    def stop(number, _):
        raise Failure(f"ended by signal {number}")

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    lab, code = Lab(name), 0
    begin = time.monotonic()
    try:
        scenario(lab, *arguments)
        print(f"passed in {time.monotonic() - begin:.1f} s")
    except Skip as reason:
        print(f"skipped: {reason}")
        code = 77
    except BaseException as error:
        print(f"FAILED: {error}" if isinstance(error, Failure) else "FAILED:", flush=True)
        if not isinstance(error, Failure):
            import traceback
            traceback.print_exc(file=sys.stdout)
        lab.print_logs()
        code = 1
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if code == 1 and os.environ.get("FIRELINE_KEEP"):
            print(f"kept: namespaces {[n.name for n in lab.namespaces]}, logs in {lab.folder}; Enter removes them")
            sys.stdin.readline()
        lab.close()
    sys.stdout.flush()
    sys.exit(code)


def iperf(server, client, address, seconds=1, reverse=False, streams=1, udp_rate=None, port=5201, amount=None, options=()):
    """One iperf3 run; its `end` part. `reverse`: the server sends. `amount` in bytes, instead of a time. `options`: more of
    iperf3's own."""
    family = "-6" if ":" in address else "-4"
    listener = server.start("iperf3", "-s", "-1", "-p", port, "--forceflush", name=f"{server.label}-iperf3-server")
    wait_until(lambda: "listening" in listener.text(), 10, "iperf3 server listens")
    command = ["iperf3", family, "-J", "-c", address, "-p", port, "-P", streams, "--connect-timeout", 20000]
    command += ["-n", amount] if amount else ["-t", seconds]
    command += ["-R"] if reverse else []
    command += ["-u", "-b", udp_rate] if udp_rate else []
    command += options
    result = client.run(*command, must=False, seconds=seconds + COMMAND_SECONDS)
    listener.kill()
    # iperf3 may print a warning line before the JSON.
    start = result.stdout.find("{")
    report = json.loads(result.stdout[start:]) if start >= 0 else {"error": result.stdout + result.stderr}
    if "error" in report:
        raise Failure(f"iperf3 to {address}: {report['error']}")
    return report["end"]


def goodput(end):
    """Received bits per second of iperf()'s result."""
    return end["sum_received"]["bits_per_second"] if "sum_received" in end else end["sum"]["bits_per_second"]
