"""Who is at the other end of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

from mailkeep.domain.audit import Origin
from mailkeep_api.keys import REQUEST_ID, SETTINGS

Network = IPv4Network | IPv6Network


def origin_of(request: web.Request) -> Origin:
    """Where a request comes from, for the audit log."""
    return Origin(
        client_ip=client_ip(request),
        user_agent=request.headers.get("User-Agent", ""),
        request_id=request[REQUEST_ID],
    )


def client_ip(request: web.Request) -> str:
    """The client's address, behind the configured proxies; empty when there is none (a Unix socket)."""
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", ()))
    return true_client(request.remote or "", forwarded, request.app[SETTINGS].auth.trusted_proxies)


def true_client(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Follow X-Forwarded-For from its end as far as trusted proxies wrote it.

    Each proxy appends the address that it saw. What stands before the last entry of a trusted proxy was sent by the
    client, who can write there what he likes.
    """
    client = peer
    for hop in reversed(forwarded_for.split(",")):
        if not _is_trusted(client, trusted) or _parse(hop) is None:
            break
        client = str(_parse(hop))
    return client


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in trusted)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return None  # of a link, with a name that anybody can make up: no client from elsewhere has one
    # A dual-stack listener reports an IPv4 client as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2).
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
