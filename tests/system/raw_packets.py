"""IP packets with headers as nobody's kernel would write them, for who sends them into a device."""
import ipaddress
import socket
import struct

TCP, UDP, GRE, ICMP, ICMP6 = 6, 17, 47, 1, 58
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS, NO_NEXT_HEADER = 0, 43, 44, 60, 59
MORE_FRAGMENTS, DONT_FRAGMENT = 0x2000, 0x4000
LOOSE_SOURCE_ROUTE = 131


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF ^ total


def packed(address):
    return ipaddress.ip_address(address).packed


def ipv4(source, destination, protocol, payload, options=b"", fragment=DONT_FRAGMENT):
    words = 5 + len(options) // 4
    head = struct.pack(">BBHHHBBH4s4s", 0x40 | words, 0, 4 * words + len(payload), 7, fragment, 64, protocol, 0,
                       packed(source), packed(destination)) + options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def ipv6(source, destination, protocol, payload):
    return struct.pack(">IHBB16s16s", 0x60000000, len(payload), protocol, 64, packed(source), packed(destination)) + payload


def packet(source, destination, protocol, payload):
    """Of either version, with a right checksum for UDP, TCP and ICMPv6."""
    place = {TCP: 16, UDP: 6, ICMP6: 2}.get(protocol)
    if place is not None:
        pseudo = packed(source) + packed(destination) + struct.pack(">II", len(payload), protocol)
        payload = payload[:place] + struct.pack(">H", checksum(pseudo + payload)) + payload[place + 2:]
    return (ipv6 if ":" in destination else ipv4)(source, destination, protocol, payload)


def udp(port, body=b"hostile", length=None):
    return struct.pack(">HHHH", 40000, port, length or 8 + len(body), 0) + body


def syn(port):
    return struct.pack(">HHIIBBHHH", 40000, port, 1, 0, 0x50, 2, 65535, 0, 0)


def icmp(kind, code, body=bytes(8)):
    """ICMP; the checksum of ICMPv6 is packet()'s."""
    head = struct.pack(">BBHI", kind, code, 0, 0) + body
    return head[:2] + struct.pack(">H", checksum(head)) + head[4:]


def extension(next_header, body=bytes(6)):
    """An IPv6 header before another, its length in the second byte; body: 6 bytes and any number of 8."""
    return bytes([next_header, (len(body) - 6) // 8]) + body


def source_route(*hops):
    """The IPv4 option that sends a packet on from its destination, padded."""
    return bytes([LOOSE_SOURCE_ROUTE, 3 + 4 * len(hops), 4]) + b"".join(map(packed, hops)) + b"\0"


class Injector:
    """Puts packets into a device of a namespace, as if its host sent them by it."""

    def __init__(self, namespace, interface):
        self.interface = interface
        self.socket = namespace.socket(socket.AF_PACKET, socket.SOCK_DGRAM)

    def send(self, data):
        protocol = 0x86DD if data[0] >> 4 == 6 else 0x0800
        self.socket.sendto(data, (self.interface, protocol))
