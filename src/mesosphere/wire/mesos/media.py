"""The two encodings of the v1 APIs, and which of them a request speaks and wants.

JSON is tested first: the order and the weights of an Accept header change nothing but that a
weight of 0 excludes. The most specific kind that the header names decides.

Source: Mesos, src/master/http.cpp, src/slave/http.cpp; libprocess, Request::acceptsMediaType.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

import msgspec

from mesosphere.kernel.http import Response, text_response
from mesosphere.wire import recordio
from mesosphere.wire.mesos import codec, protobuf

T = TypeVar("T", bound=msgspec.Struct)


class Media(Enum):
    """How a message is written; the value is the name of the media type."""

    JSON = "application/json"
    PROTOBUF = "application/x-protobuf"

    def decode(self, data: bytes, kind: type[T]) -> T:
        """Read a message. Raises MessageError."""
        if self is Media.JSON:
            return codec.decode(data, kind)
        return protobuf.decode(data, kind)

    def encode(self, message: Any) -> bytes:
        """Write a message. Raises WireError."""
        return codec.encode(message) if self is Media.JSON else protobuf.encode(message)

    def record(self, message: Any) -> bytes:
        """Write a message as a record of a stream."""
        return recordio.encode(self.encode(message))

    def answer(self, message: Any, status: int = 200) -> Response:
        """A message as a whole answer."""
        return Response(status, {"Content-Type": self.value}, self.encode(message))


def named(name: str) -> Media | None:
    """The encoding of a media type's name."""
    return next((media for media in Media if media.value == name), None)


def spoken(headers: Mapping[str, str]) -> Media | Response:
    """What a request's body is written in; a refusal (400, 415) if it does not say, or oddly."""
    told = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not told:
        return text_response(400, "Expecting 'Content-Type' to be present")
    return named(told) or text_response(
        415, f"Expecting 'Content-Type' of {Media.JSON.value} or {Media.PROTOBUF.value}"
    )


def wanted(headers: Mapping[str, str]) -> Media | Response:
    """What an answer is to be written in; a refusal (406) if it can't be."""
    for media in Media:
        if accepts(headers.get("accept", ""), media.value):
            return media
    return text_response(
        406, f"Expecting 'Accept' to allow '{Media.PROTOBUF.value}' or '{Media.JSON.value}'"
    )


def accepts(header: str, name: str) -> bool:
    """Whether an Accept header allows a media type; one that says nothing allows all."""
    accept = header.replace(" ", "").replace("\t", "").lower()
    if not accept:
        return True
    for candidate in (name, name.partition("/")[0] + "/*", "*/*"):
        for part in accept.split(","):
            kind, _, parameter = part.partition(";")
            if kind == candidate:
                key, _, weight = parameter.partition("=")
                return key != "q" or _is_positive(weight)
    return False


def _is_positive(weight: str) -> bool:
    try:
        return float(weight) > 0
    except ValueError:
        return False
