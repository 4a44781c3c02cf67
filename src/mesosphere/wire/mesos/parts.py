"""Messages in bytes, put together of parts that were written before.

A *part* is the bytes of some of a message's fields, without what frames the message: JSON without
its braces, protobuf as it is. Parts of one message may be joined in any order; no part is empty.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import msgspec

from mesosphere.wire.mesos import codec, protobuf
from mesosphere.wire.mesos.media import Media
from mesosphere.wire.protobuf.reading import BYTES
from mesosphere.wire.protobuf.writing import varint


def part(media: Media, message: Any) -> bytes:
    """The fields of a message, or of a struct that has only some of them. Raises WireError."""
    return codec.encode(message)[1:-1] if media is Media.JSON else protobuf.encode(message)


def join(media: Media, parts: Sequence[bytes]) -> bytes:
    """One part of several of the same message."""
    return (b"," if media is Media.JSON else b"").join(parts)


def one(media: Media, kind: type[msgspec.Struct], name: str, member: bytes) -> bytes:
    """A field that holds a message, given by its parts."""
    if media is Media.JSON:
        return b'"%b":{%b}' % (name.encode(), member)
    return _tag(kind, name) + varint(len(member)) + member


def many(media: Media, kind: type[msgspec.Struct], name: str, members: Iterable[bytes]) -> bytes:
    """A field that holds messages, each given by its parts; at least one."""
    if media is Media.JSON:
        return b'"%b":[{%b}]' % (name.encode(), b"},{".join(members))
    tag = _tag(kind, name)
    return b"".join([tag + varint(len(member)) + member for member in members])


def whole(media: Media, members: bytes) -> bytes:
    """The message that has these parts."""
    return b"{%b}" % members if media is Media.JSON else members


@cache
def _tag(kind: type[msgspec.Struct], name: str) -> bytes:
    return varint(protobuf.number_of(kind, name) << 3 | BYTES)
