"""A small internet of namespaces, after the reference's integration tests (platform spec 8.1).

                              203.0.113.0/24, 203:0:113::/64 (namespace internet: .1, .2, a bridge)
        ┌──────────────┬──────────────┬────────────┴─┬──────────────┬──────────────┐
       .10            .101           .102           .20            .30            .40
    router-portal  router-relay-1 router-relay-2 router-client  router-gateway  router-client-2
        │ TCP 8081     │ UDP 3478, 49152-65535      │ a NAT kind   │ a NAT kind   │
     portal         relay-1        relay-2        client         gateway        client-2 (on demand; also gateway-2,
     172.28.0.100   172.29.1.100   172.29.2.100   172.30.0.100   172.31.0.100   172.32.0.100   with its own way to dns-resources)
                                                                   │ .254
                                     resources 172.20.0.0/24 (.100, .110), dns-resources 172.21.0.0/24 (.100, .101)

IPv6 has the same groups: 172:30:0::100 and so on. Every host has one route, to the internet through its router (.254).
Behind NAT kind none a host has a public address as well, .120 for .20, and its router answers for it.
"""
import socket
import struct
from dataclasses import dataclass

import lab
import nat
import slow_wire
from slow_wire import Wire

NETWORK = ("203.0.113.0/24", "203:0:113::/64")
FAMILIES = (4, 6)
RELAY_PORTS = "{ 3478, 49152-65535 }"  # platform spec 8.1
PORTAL_PORT = "8081"


@dataclass(frozen=True)
class Site:
    """One host behind one router."""
    host: str
    number: int  # last part of the router's public addresses
    groups: tuple  # inner network: IPv4 and IPv6 without the host part
    forward: tuple = ()  # protocol, ports

    @property
    def router(self):
        return f"router-{self.host}"

    @property
    def public(self):
        return address(self.number)

    @property
    def subnets(self):
        return f"{self.groups[0]}.0/24", f"{self.groups[1]}::/64"

    @property
    def inner(self):
        return self.inside(100)

    def inside(self, number):
        return f"{self.groups[0]}.{number}", f"{self.groups[1]}::{number}"

    @property
    def own_public(self):
        """The host's public addresses behind NAT kind none."""
        return address(self.number + 100)


def address(number):
    """Of the public network: IPv4, IPv6."""
    return f"203.0.113.{number}", f"203:0:113::{number}"


SITES = {site.host: site for site in (
    Site("portal", 10, ("172.28.0", "172:28:0"), ("tcp", PORTAL_PORT)),
    Site("relay-1", 101, ("172.29.1", "172:29:1"), ("udp", RELAY_PORTS)),
    Site("relay-2", 102, ("172.29.2", "172:29:2"), ("udp", RELAY_PORTS)),
    Site("client", 20, ("172.30.0", "172:30:0")),
    Site("gateway", 30, ("172.31.0", "172:31:0")),
    Site("client-2", 40, ("172.32.0", "172:32:0")),
    Site("gateway-2", 50, ("172.33.0", "172:33:0")),
)}
RESOURCES = {"resources": (("172.20.0", "172:20:0"), (100, 110)),
             "dns-resources": (("172.21.0", "172:21:0"), (100, 101))}
DEFAULT_SITES = ("portal", "relay-1", "relay-2", "client", "gateway")


# Half of what the reference's routers have on each of their two interfaces is passed on each way (platform spec 8.1):
# client to gateway 10 ms, through a relay 40 ms, client to portal 30 ms.
REFERENCE_WIRES = {"client": Wire(5), "client-2": Wire(5), "gateway": Wire(5), "relay-1": Wire(15), "relay-2": Wire(15),
                   "portal": Wire(25)}


class Internet:
    """Builds it in a lab; afterwards changes it: NAT kinds, plugs, reboots, silence."""

    def __init__(self, laboratory, kinds=None, families=None, sites=DEFAULT_SITES, resources=False, wires=None):
        """kinds: host to NAT kind (nat.KINDS; port unless named); families: host to the families it has (4 and 6);
        wires: host to Wire, for its router."""
        self.lab, self.hosts = laboratory, {}
        self.kinds, self.families, self.wires = {}, families or {}, wires or {}
        self.core = self._namespace("internet")
        self.core.run("ip", "-batch", "-", text="\n".join([
            "link add net type bridge mcast_snooping 0", "link set net up",
            *(f"address add {one}/{length} dev net {option}" for number in (1, 2)
              for one, length, option in zip(address(number), (24, 64), ("", "nodad")))]))
        for name in sites:
            self.add_site(SITES[name], (kinds or {}).get(name, "port"))
        if resources:
            for name, (groups, numbers) in RESOURCES.items():
                self._add_resources(name, groups, numbers)

    @classmethod
    def built(cls, laboratory, kinds, families, hosts):
        """One that another process built in the same lab."""
        self = cls.__new__(cls)
        self.lab, self.kinds, self.families = laboratory, dict(kinds), dict(families)
        self.hosts = {label: lab.Namespace(laboratory, label) for label in hosts}
        self.core = self.hosts["internet"]
        return self

    def __getitem__(self, host):
        return self.hosts[host]

    def router(self, host):
        return self.hosts[SITES[host].router]

    def has(self, host):
        """The families of the host's own network."""
        return self.families.get(host, FAMILIES)

    def add_site(self, site, kind):
        host, router = self._namespace(site.host), self._namespace(site.router)
        # Whatever happens to a link, the addresses stay: a router forgets nothing because a cable was pulled.
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                   "net.ipv6.conf.all.keep_addr_on_down=1", "net.ipv6.conf.default.keep_addr_on_down=1",
                   "net.ipv6.conf.all.proxy_ndp=1")
        self._join(site.host, router)
        self._veth(router, nat.INSIDE, host, "eth0")
        self.core.run("ip", "link", "set", f"p-{site.host}", "master", "net")
        router.run("sysctl", "-qw", f"net.ipv4.neigh.{nat.OUTSIDE}.proxy_delay=0",
                   f"net.ipv6.neigh.{nat.OUTSIDE}.proxy_delay=0")
        router.run("ip", "-batch", "-", text="\n".join([
            *_addresses(nat.OUTSIDE, site.public, FAMILIES), *_addresses(nat.INSIDE, site.inside(254), FAMILIES)]))
        host.run("ip", "-batch", "-", text="\n".join(_addresses("eth0", site.inner, self.has(site.host))))
        self._set_routes(site, (None, None))
        self.set_nat(site.host, kind)

    def set_nat(self, name, kind):
        """Another NAT behaviour for the host's router, all its state forgotten."""
        site = SITES[name]
        host, router = self.hosts[name], self.router(name)
        before, self.kinds[name] = self.kinds.get(name), kind
        if "none" in (before, kind) and before != kind:
            # The host's own public addresses: its router passes them on and answers for them outside.
            verb = "add" if kind == "none" else "del"
            families = [family for family in FAMILIES if family in self.has(name)]
            for family in families:
                one = site.own_public[FAMILIES.index(family)]
                host.run("ip", "address", verb, f"{one}/{_bits(family)}", "dev", "eth0", *_nodad(family))
                router.run("ip", f"-{family}", "neigh", verb, "proxy", one, "dev", nat.OUTSIDE)
            self._set_routes(site, site.own_public if kind == "none" else (None, None))
        self.forget(name)

    def forget(self, name):
        """What a router that lost its power forgets: translations, maps and sets."""
        site = SITES[name]
        forwards = [nat.Forward(*site.forward, site.public, site.inner)] if site.forward else []
        self.router(name).run("nft", "-f", "-", text=nat.rules(self.kinds[name], site.subnets, forwards))
        flush_conntrack(self.router(name))

    def public_of(self, name):
        """The addresses that the internet sees a host with."""
        return SITES[name].own_public if self.kinds[name] == "none" else SITES[name].public

    def unplug(self, name):
        """Pulls the cable: a host's to its router, a router's to the internet. Who remains sees no carrier."""
        end, interface = self._far_end(name)
        end.run("ip", "link", "set", interface, "down")

    def plug(self, name):
        end, interface = self._far_end(name)
        end.run("ip", "link", "set", interface, "up")
        if not name.startswith("router-") and name in self.kinds:
            # Routes over a link vanish with it.
            self._set_routes(SITES[name], SITES[name].own_public if self.kinds[name] == "none" else (None, None))

    def silence(self, name, silent=True):
        """Whether the host is gone without a word: its router drops what comes and goes, ICMP included."""
        router = self.router(name)
        if silent:
            router.run("nft", "-f", "-", text="table inet silence {\n chain silence {\n"
                                              "  type filter hook forward priority -5; policy drop;\n }\n}\n")
        else:
            router.run("nft", "delete", "table", "inet", "silence")

    def part(self, one, other, apart=True):
        """Whether something on the path keeps two sites' packets from each other; relays still reach both."""
        for near, far in ((one, other), (other, one)):
            if not apart:
                self.router(near).run("nft", "delete", "table", "inet", "apart")
                continue
            drops = "\n".join(f'  iifname "{nat.OUTSIDE}" {family} saddr {address} drop'
                              for (family, _, _), address in zip(nat.FAMILIES, self.public_of(far)))
            self.router(near).run("nft", "-f", "-", text=f"table inet apart {{\n chain apart {{\n"
                                  f"  type filter hook prerouting priority raw;\n{drops}\n }}\n}}\n")

    def renumber(self, name, number, checked=False):
        """Another address for a host on its network: what moving to another access point does. `checked`: the kernel takes a
        second or two to find out whether somebody else has the IPv6 address, as it does outside of labs."""
        site, host = SITES[name], self.hosts[name]
        if checked:
            host.run("sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=1")
        self.clear_addresses(name)
        host.run("ip", "-batch", "-", text="\n".join(_addresses("eth0", site.inside(number), self.has(name), checked)))
        self._set_routes(site, (None, None))

    def clear_addresses(self, name):
        """What network managers do without a carrier."""
        self.hosts[name].run("ip", "address", "flush", "dev", "eth0", "scope", "global")

    def reboot(self, name, down):
        """The host's router loses its power; `down` runs meanwhile."""
        outside = f"p-{name}"
        self.core.run("ip", "link", "set", outside, "down")
        self.router(name).run("ip", "link", "set", nat.INSIDE, "down")
        down()
        self.forget(name)
        self.router(name).run("ip", "link", "set", nat.INSIDE, "up")
        self.core.run("ip", "link", "set", outside, "up")
        self.plug(name)

    def _namespace(self, label):
        self.hosts[label] = self.lab.namespace(label)
        return self.hosts[label]

    def _join(self, name, router):
        wire = self.wires.get(name)
        if not wire:
            return self._veth(self.core, f"p-{name}", router, nat.OUTSIDE)
        wire.join(self._namespace(f"wire-{name}"), self.core, f"p-{name}", router, nat.OUTSIDE)

    def _veth(self, left, left_name, right, right_name):
        slow_wire.link(self.lab, left, left_name, right, right_name)

    def _set_routes(self, site, sources):
        lines = []
        for family, network, via, source in zip(FAMILIES, NETWORK, site.inside(254), sources):
            if family in self.has(site.host):
                lines.append(f"route replace {network} via {via} dev eth0" + (f" src {source}" if source else ""))
                if source:  # the router finds its way to the host's public address
                    self.router(site.host).run("ip", "route", "replace", f"{source}/{_bits(family)}", "dev", nat.INSIDE)
        self.hosts[site.host].run("ip", "-batch", "-", text="\n".join(lines))

    def _far_end(self, name):
        if name.startswith("router-"):
            return self.core, f"p-{name.removeprefix('router-')}"
        if name in RESOURCES:
            return self.hosts["gateway"], name
        return self.router(name), nat.INSIDE

    def _add_resources(self, name, groups, numbers):
        host, gateway = self._namespace(name), self.hosts["gateway"]
        self._veth(gateway, name, host, "eth0")
        for end, interface, parts in ((gateway, name, (254,)), (host, "eth0", numbers)):
            end.run("ip", "-batch", "-", text="\n".join(
                line for part in parts
                for line in _addresses(interface, (f"{groups[0]}.{part}", f"{groups[1]}::{part}"), FAMILIES)))


    def add_way(self, gateway, name):
        """A second gateway's own link to a resource network, over which it reaches that network's hosts."""
        host, end, between = self.hosts[name], self.hosts[gateway], SITES[gateway].number
        self._veth(end, name, host, f"to-{gateway}")
        near, far = ((f"172.34.{between}.{part}", f"172:34:{between}::{part}") for part in (254, 100))
        end.run("ip", "-batch", "-", text="\n".join(_addresses(name, near, FAMILIES)))
        host.run("ip", "-batch", "-", text="\n".join(_addresses(f"to-{gateway}", far, FAMILIES)))
        groups = RESOURCES[name][0]
        end.run("ip", "-batch", "-", text=f"route add {groups[0]}.0/24 via {far[0]}\n"
                                          f"route add {groups[1]}::/64 via {far[1]}\n")


def flush_conntrack(namespace):
    """Forgets every translation (ctnetlink, IPCTNL_MSG_CT_DELETE without a filter)."""
    message_type, request_ack, subsystem = 2, 0x5, 1
    body = struct.pack("=BBH", socket.AF_UNSPEC, 0, 0)
    with namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netlink:  # NETLINK_NETFILTER
        netlink.settimeout(5)
        netlink.send(struct.pack("=IHHII", 16 + len(body), subsystem << 8 | message_type, request_ack, 1, 0) + body)
        answer = netlink.recv(4096)
    error = struct.unpack_from("=i", answer, 16)[0]
    if error:
        raise OSError(-error, "cannot forget the translations")


def _addresses(interface, addresses, families, checked=False):
    lengths = (24, 64)
    return [f"address add {one}/{length} dev {interface} {' '.join([] if checked else _nodad(family))}"
            for family, one, length in zip(FAMILIES, addresses, lengths) if family in families]


def _bits(family):
    return 32 if family == 4 else 128


def _nodad(family):
    return [] if family == 4 else ["nodad"]
