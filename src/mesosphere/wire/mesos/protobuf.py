"""v1 messages as `application/x-protobuf`: structs straight to bytes, by our `.proto` files.

The files (`mesosphere/wire/proto`) are read when the first message comes; there is no generated
code, and no compiler is needed anywhere. See docs/decisions.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

import msgspec

from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import agent_operator, answers, executor, offers, resources, scheduler
from mesosphere.wire.mesos import operator as master
from mesosphere.wire.mesos.codec import SIZE_LIMIT, MessageError
from mesosphere.wire.protobuf import schema
from mesosphere.wire.protobuf.binding import Binding, Bindings

T = TypeVar("T", bound=msgspec.Struct)

MESSAGES: Mapping[type[msgspec.Struct], str] = {
    scheduler.Call: "mesos.v1.scheduler.Call",
    scheduler.Event: "mesos.v1.scheduler.Event",
    scheduler.Offers: "mesos.v1.scheduler.Event.Offers",
    resources.Resource: "mesos.v1.Resource",
    executor.Call: "mesos.v1.executor.Call",
    executor.Event: "mesos.v1.executor.Event",
    master.Call: "mesos.v1.master.Call",
    answers.Response: "mesos.v1.master.Response",
    answers.Event: "mesos.v1.master.Event",
    agent_operator.Call: "mesos.v1.agent.Call",
    agent_operator.Response: "mesos.v1.agent.Response",
    agent_operator.ProcessIO: "mesos.v1.agent.ProcessIO",
}
"""What travels or is written alone. The messages within them are bound by their fields."""

PARTS: Mapping[type[msgspec.Struct], str] = {
    offers.OfferPart: "mesos.v1.Offer",
    resources.ResourcePart: "mesos.v1.Resource",
}
"""What has some fields of a message, to be put together with others (`parts`)."""


def _texts(folder: Traversable, prefix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found |= _texts(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".proto"):
            found[prefix + entry.name] = entry.read_text()
    return found


@cache
def read_schema() -> schema.Schema:
    """What the `.proto` files declare."""
    return schema.read(_texts(files("mesosphere.wire") / "proto", ""))


@cache
def _bindings() -> Bindings:
    return Bindings(read_schema())


@cache
def binding_of(kind: type[msgspec.Struct], name: str) -> Binding:
    """The codec of a struct as any message of the files."""
    return _bindings().bind(kind, name)


@cache
def binding(kind: type[msgspec.Struct]) -> Binding:
    """The codec of one of `MESSAGES` or `PARTS`."""
    return binding_of(kind, MESSAGES.get(kind) or PARTS[kind])


def number_of(kind: type[msgspec.Struct], field: str) -> int:
    """The number of a field of one of them."""
    return read_schema().messages[binding(kind).name].fields[field].number


def decode(data: bytes, kind: type[T], limit: int = SIZE_LIMIT) -> T:
    """Read a message of type `kind`, one of `MESSAGES`.

    Raises MessageError, whose text begins with `Failed to parse body into Call protobuf`.
    """
    prefix = f"Failed to parse body into {kind.__name__} protobuf"
    if len(data) > limit:
        raise MessageError("", f"{prefix}: more than {limit} bytes")
    try:
        message: T = binding(kind).read(data, 0, len(data))
    except WireError as error:
        where = f" (at {error.path})" if error.path else ""
        raise MessageError(error.path, f"{prefix}: {error.message}{where}") from error
    except RecursionError as error:
        raise MessageError("", f"{prefix}: nested too deeply") from error
    return message


def encode(message: Any) -> bytes:
    """Write one of `MESSAGES` or `PARTS`. Raises WireError for a lone surrogate."""
    try:
        return binding(message.__class__).write(message)
    except (UnicodeEncodeError, RecursionError) as error:
        raise WireError("", f"cannot be written as protobuf: {error}") from error
