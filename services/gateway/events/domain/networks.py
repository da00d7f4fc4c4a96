"""The networks that webhooks may reach: the public internet, and those that an operator allows."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
# Gateways from IPv6 to IPv4: the address behind them is the one that counts (RFC 6052).
_NAT64 = ip_network("64:ff9b::/96")


def networks(names: Sequence[str]) -> tuple[Network, ...]:
    """Raises `ValueError` for text that is not a network."""
    return tuple(ip_network(name) for name in names)


def allowed(address: str, also: Sequence[Network]) -> bool:
    """Whether an address is public or in a network that an operator allows."""
    found = ip_address(address.partition("%")[0])
    return within(address, also) or all(map(_public, (found, *_inside(found))))


def within(address: str, some: Sequence[Network]) -> bool:
    """Whether an address is in one of these networks."""
    found = ip_address(address.partition("%")[0])
    return any(found in network for network in some if network.version == found.version)


def _public(address: IPv4Address | IPv6Address) -> bool:
    old_local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_global and not address.is_multicast and not old_local


def _inside(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return []
    teredo = address.teredo or ()
    nat64 = [IPv4Address(int(address) & 0xFFFFFFFF)] if address in _NAT64 else []
    return [found for found in (address.ipv4_mapped, address.sixtofour, *teredo, *nat64) if found is not None]
