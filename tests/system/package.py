#!/usr/bin/python3
"""The Debian package: made of the built programs, installed and removed by dpkg on an overlay of this machine's root,
which goes with the test. What it depends on comes from Debian 12 and is installed here; every unit finds its program.

usage: package.py    Exit code 77 where the kernel has no overlay.
"""
import re
from pathlib import Path

import lab

PACKAGE_SECONDS = 240
PROGRAMS = ("wg", "portal", "gateway", "client", "relay", "bench", "forwarder", "xdp-pass")
UNITS = ("client", "gateway", "portal", "relay", "wg")

# Everything in one mount namespace, which the shell takes along: $1 folder, $2 package.
INSIDE = r"""
set -e
mount -t tmpfs none "$1/over"; mkdir "$1/over/upper" "$1/over/work"
mount -t overlay none -o "lowerdir=/,upperdir=$1/over/upper,workdir=$1/over/work" "$1/root"
mount -t proc none "$1/root/proc"; mount --rbind /dev "$1/root/dev"
cp "$2" "$1/root/fireline.deb"
in_root() { chroot "$1/root" "${@:2}"; }
named() { in_root "$1" find /usr /etc /var/lib -name "fireline*"; }
echo "== before"; named "$1"
echo "== install"; in_root "$1" dpkg -i /fireline.deb
echo "== files"; in_root "$1" dpkg -L fireline
echo "== versions"; for program in $3; do in_root "$1" /usr/bin/fireline-$program --version; done
echo "== units"; in_root "$1" sh -c 'grep -h ^ExecStart= /usr/lib/systemd/system/fireline-*.service' | sed 's/ExecStart=//; s/ .*//'
echo "== policy"; in_root "$1" /usr/bin/fireline-portal check /usr/share/doc/fireline/docs/examples/policy.json
echo "== enabled"; in_root "$1" sh -c 'find /etc/systemd -name "fireline*"'
echo "== there"; named "$1"
echo "== remove"; in_root "$1" dpkg -P fireline
echo "== left"; named "$1"
"""


def sections(text):
    parts = re.split(r"^== (\w+)\n", text, flags=re.M)
    return {name: body.splitlines() for name, body in zip(parts[1::2], parts[2::2])}


def scenario(laboratory):
    if "\toverlay\n" not in Path("/proc/filesystems").read_text():
        raise lab.Skip("no overlay file system in this kernel: /proc/filesystems")
    build = Path(lab.built("fireline-wg")).parents[1]
    folder = laboratory.folder
    for name in ("over", "root"):
        (folder / name).mkdir()
    laboratory.run("cpack", "--config", build / "CPackConfig.cmake", "-G", "DEB", "-B", folder / "made", seconds=PACKAGE_SECONDS)
    [package] = (folder / "made").glob("fireline_*.deb")
    fields = laboratory.run("dpkg-deb", "-f", package).stdout
    version = re.search(r"^Version: (\S+)$", fields, re.M)[1]
    depends = re.search(r"^Depends: (.*)$", fields, re.M)[1]
    lab.check(all(name in depends for name in ("libc6", "libsodium23", "liburing2", "libssl3")), f"it depends on {depends}")
    lab.check(package.stat().st_size < 20 << 20, f"{package.name} has {package.stat().st_size >> 20} MiB: no symbols in it")
    result = laboratory.run("unshare", "--mount", "bash", "-c", INSIDE, "inside", folder, package, " ".join(PROGRAMS),
                            seconds=PACKAGE_SECONDS)
    said = sections(result.stdout)
    lab.check(said["versions"] == [f"fireline-{name} {version}" for name in PROGRAMS], "each program runs: " + ", ".join(said["versions"]))
    lab.check(sorted(said["units"]) == [f"/usr/bin/fireline-{name}" for name in UNITS]
              and all(path in said["files"] for path in said["units"]), "each unit's program is in the package")
    lab.check(all("/usr/share/doc/fireline/" + name in said["files"] for name in ("README.md", "copyright", "docs/relay.md")),
              "so are licence and documentation")
    lab.check(not said["enabled"], "nothing is started by being installed")
    lab.check(len(said["there"]) > len(said["before"]) == len(said["left"]), "of what was there nothing is left behind its removal")
    lab.check(said["left"] == said["before"], f"no file has its name: {said['left']}")


if __name__ == "__main__":
    lab.run(scenario)
