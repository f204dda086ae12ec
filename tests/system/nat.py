"""The routers' packet filters: one NAT behaviour each, in the words of RFC 4787.

    kind             mapping                       filtering                     made with
    none             (the host's own address)      none                          plain forwarding
    cone             endpoint-independent          endpoint-independent          masquerade, and a map for inbound
    address          endpoint-independent          address-dependent             the same, gated by a set
    port             endpoint-independent          address- and port-dependent   masquerade alone
    symmetric        address- and port-dependent   address- and port-dependent   masquerade random

Linux keeps the source port unless somebody else has it, and the labs have one host behind each NAT: that is what makes
the mapping of masquerade endpoint-independent. nat_kinds.py proves every row by RFC 5780.
"""
from dataclasses import dataclass

KINDS = ("none", "cone", "address", "port", "symmetric")
MAPPING_SECONDS = 120  # RFC 4787 REQ-5: no mapping expires before two minutes; conntrack's own time for a UDP stream

INSIDE, OUTSIDE = "internal", "internet"  # the routers' interfaces
TABLE = "lab"

# What every router accepts itself (platform spec 8.1). A mapping is learned behind source translation: there the packet
# carries its public port, and conntrack knows the inner end.
RULES = """
table inet {table}
delete table inet {table}
table inet {table} {{
{sets}
  chain input {{
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ct state established,related accept
    meta l4proto {{ icmp, ipv6-icmp }} accept
  }}
  chain forward {{ type filter hook forward priority filter; policy accept; }}
  chain inbound {{
    type nat hook prerouting priority dstnat;
{inbound}
  }}
  chain outbound {{
    type nat hook postrouting priority srcnat;
{outbound}
  }}
  chain learn {{
    type filter hook postrouting priority srcnat + 1;
{learn}
  }}
}}
"""
FAMILIES = (("ip", "ipv4_addr", "4"), ("ip6", "ipv6_addr", "6"))


@dataclass(frozen=True)
class Forward:
    """A public port range that leads to one host behind the router, for whoever asks, that host included."""
    protocol: str
    ports: str
    public: tuple  # IPv4, IPv6
    inner: tuple


def rules(kind, subnets, forwards=()):
    """The ruleset of a router with these inner subnets (IPv4, IPv6), as `nft -f` reads it."""
    sets, inbound, outbound, learn = [], [], [], []
    for forward in forwards:
        for (family, _, _), public, inner, subnet in zip(FAMILIES, forward.public, forward.inner, subnets):
            to = f"{family} daddr {public} {forward.protocol} dport {forward.ports}"
            inbound.append(f'{to} dnat {family} to {inner}')
            # Hairpin: the host that reaches itself by its public address is seen with it.
            outbound.append(f'oifname "{INSIDE}" {family} saddr {subnet} ct status dnat snat {family} to {public}')
    if kind != "none":
        for (family, address, number), subnet in zip(FAMILIES, subnets):
            how = "masquerade random" if kind == "symmetric" else "masquerade"
            outbound.append(f'oifname "{OUTSIDE}" {family} saddr {subnet} {how}')
            if kind in ("cone", "address"):
                learned, gate = f'oifname "{OUTSIDE}" meta l4proto udp', ""
                # Two maps, for nft 1.0 aborts on an IPv6 address and a port as the value of one.
                sets += [_table("map", f"host{number}", f"inet_service : {address}"),
                         _table("map", f"port{number}", "inet_service : inet_service")]
                # A connection that began outside has its inner end on the other side.
                for way in ("original", "reply"):
                    learn += [f"{learned} ct direction {way} update @host{number} "
                              f"{{ udp sport : ct {way} {family} saddr }}",
                              f"{learned} ct direction {way} meta nfproto ipv{number} update @port{number} "
                              f"{{ udp sport : ct {way} proto-src }}"]
                if kind == "address":
                    sets += [_table("set", f"known{number}", f"inet_service . {address}")]
                    learn += [f"{learned} update @known{number} {{ udp sport . {family} daddr }}"]
                    gate = f"udp dport . {family} saddr @known{number} "
                inbound += [f'iifname "{OUTSIDE}" meta l4proto udp {gate}dnat {family} to '
                            f'udp dport map @host{number} : udp dport map @port{number}']
    parts = {"sets": sets, "inbound": inbound, "outbound": outbound, "learn": learn}
    return RULES.format(table=TABLE, **{name: "\n".join("    " + line for line in lines)
                                        for name, lines in parts.items()})


def _table(what, name, kind):
    # One host opens some ports to some dozens of peers.
    return f"{what} {name} {{ type {kind}; flags dynamic,timeout; timeout {MAPPING_SECONDS}s; size 65535; }}"
