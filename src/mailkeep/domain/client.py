"""Clients, as limits count them."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

# What one customer of an internet provider gets at least (RFC 6177): each of its addresses is the same somebody.
IPV6_PREFIX: Final = 64


def network_of(client_ip: str) -> str:
    """Whom an address stands for: itself, or its network where one client has very many.

    All clients without one, as those of a Unix socket, are "local"; what is no address stands for itself.
    """
    if not client_ip:
        return "local"
    try:
        address = ip_address(client_ip)
    except ValueError:
        return client_ip
    return str(IPv6Network((address, IPV6_PREFIX), strict=False)) if isinstance(address, IPv6Address) else client_ip
