"""Where a master is: read from an election's payload or a redirect."""

from urllib.parse import urlsplit

import msgspec


def master_url(payload: bytes | None) -> str | None:
    """ "http://host:port" of a MasterInfo in JSON, None when there is none or it is unreadable."""
    if payload is None:
        return None
    try:
        address = msgspec.json.decode(payload, type=_Leader).address
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    host = address.ip or address.hostname
    if not host:
        return None
    return f"http://[{host}]:{address.port}" if ":" in host else f"http://{host}:{address.port}"


class _Address(msgspec.Struct):
    port: int
    ip: str | None = None
    hostname: str | None = None


class _Leader(msgspec.Struct):
    """The part of a MasterInfo that a client needs; other writers leave the rest out."""

    address: _Address


def redirect_url(location: str) -> str | None:
    """ "http://host:port" of a Location header; Mesos writes it as "//host:port/path".

    None for a location without a host, or one that makes no sense.
    """
    try:
        parts = urlsplit(location if "//" in location else f"//{location}")
    except ValueError:
        return None
    return f"{parts.scheme or 'http'}://{parts.netloc}" if parts.netloc else None
