"""Which addresses a channel may connect to: the open internet, and what an operator named.

A webhook's URL is given by people, and a name may resolve to anything: to the metadata service of the
cloud, to a database on loopback. So an address is judged after the name was resolved, and what was
judged is what is connected to.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_REFUSED: tuple[Network, ...] = (
    IPv4Network("100.64.0.0/10"),  # shared by carriers' NAT; Alibaba's metadata service is in it
    IPv4Network("168.63.129.16/32"),  # Azure's own services, in a range that looks public
    IPv4Network("192.0.0.0/24"),  # protocol assignments; Oracle's metadata service is in it
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv4Network("198.18.0.0/15"),  # benchmarks
    IPv6Network("2001::/23"),  # Teredo and other protocols, which carry an IPv4 address that nobody judged
    IPv6Network("2001:db8::/32"),
    IPv6Network("2002::/16"),  # 6to4: the same
    IPv6Network("3fff::/20"),  # documentation
)


def read_networks(text: str) -> tuple[Network, ...]:
    """Read CIDRs that stand between commas. Raises ValueError for one that is none."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def plain(address: Address) -> Address:
    """Return the IPv4 address that a mapped or NAT64 address leads to, else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def may_connect(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Tell whether to connect to `address`: global, or inside a network that is named. Raises ValueError."""
    judged = plain(ip_address(address.partition("%")[0]))
    return any(judged in network for network in allowed) or _is_open(judged)


def _is_open(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    if any(address in network for network in _REFUSED):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
