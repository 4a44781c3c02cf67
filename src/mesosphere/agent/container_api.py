"""The operator API's calls about containers: what they must have, and the events they become.

LAUNCH_, WAIT_, KILL_ and REMOVE_CONTAINER take any container; those with NESTED in their names,
which the original keeps for old clients, must name a parent.
Source: apache/mesos src/slave/validation.cpp, src/slave/http.cpp.
"""

from collections.abc import Callable
from typing import Any

from mesosphere.agent.core.commands import (
    ContainerKillRequested,
    ContainerLaunchRequested,
    ContainerRemoveRequested,
    ContainerWaitRequested,
)
from mesosphere.agent.core.extra_records import ExtraOrder
from mesosphere.agent.core.state import container_name
from mesosphere.kernel.events import Event
from mesosphere.kernel.http import Response, text_response
from mesosphere.wire.mesos.agent_operator import Call
from mesosphere.wire.mesos.commands import CommandInfo
from mesosphere.wire.mesos.ids import ContainerID
from mesosphere.wire.mesos.media import Media

ID_LIMIT = 255
NAME_LIMIT = 242
"""Longest name of a container, with those of its parents: it names directories and files."""
SIGNALS = range(1, 65)


def answer(request: str, call: Call, media: Media) -> Response | Event:
    """A call of CALLS that was read, as an event."""
    field = call.type.lower()
    body = getattr(call, field)
    if body is None:
        return refusal(f"Expecting '{field}' to be present")
    fault = id_fault(body.container_id)
    if fault:
        return refusal(f"'{field}.container_id' is invalid: {fault}")
    if "NESTED" in call.type and body.container_id.parent is None:
        return refusal(f"Expecting '{field}.container_id.parent' to be present")
    return CALLS[call.type](request, call.type, body, media)


def refusal(fault: str) -> Response:
    """What is wrong with a call, as the original says it."""
    return text_response(400, f"Failed to validate agent::Call: {fault}")


def id_fault(identifier: ContainerID) -> str:
    """What is wrong with a container's id; "" if nothing is."""
    value = identifier.value
    fault = ""
    if not value:
        fault = "ID must not be empty"
    elif len(value) > ID_LIMIT:
        fault = f"ID must not be greater than {ID_LIMIT} characters"
    elif value in (".", ".."):
        fault = f"'{value}' is disallowed"
    elif any(char in "/\\" or not char.isprintable() for char in value):
        fault = f"'{value}' contains invalid characters"
    elif "." in value or " " in value:
        fault = f"'ContainerID.value' '{value}' contains invalid characters"
    elif len(container_name(identifier).encode()) > NAME_LIMIT:
        fault = f"the ids of it and its parents have more than {NAME_LIMIT} bytes"
    if fault or identifier.parent is None:
        return fault
    above = id_fault(identifier.parent)
    return f"'ContainerID.parent' is invalid: {above}" if above else ""


def order_of(body: Any, is_session: bool = False) -> ExtraOrder | Response:
    """What is to be launched."""
    if body.container is not None and body.container.type != "MESOS":
        return text_response(400, "The provided ContainerInfo is not supported")
    return ExtraOrder(
        name=container_name(body.container_id),
        command=body.command if body.command is not None else CommandInfo(),
        container=body.container,
        resources=getattr(body, "resources", []),
        limits=getattr(body, "limits", {}),
        is_session=is_session,
    )


def _launch(request: str, call: str, body: Any, media: Media) -> Response | Event:
    order = order_of(body)
    return order if isinstance(order, Response) else ContainerLaunchRequested(request, order)


def _wait(request: str, call: str, body: Any, media: Media) -> Response | Event:
    return ContainerWaitRequested(request, container_name(body.container_id), call, media)


def _kill(request: str, call: str, body: Any, media: Media) -> Response | Event:
    signal = 9 if body.signal is None else body.signal
    if signal not in SIGNALS:
        return refusal(f"'{call.lower()}.signal' is not the number of a signal: {signal}")
    return ContainerKillRequested(request, container_name(body.container_id), signal)


def _remove(request: str, call: str, body: Any, media: Media) -> Response | Event:
    return ContainerRemoveRequested(request, container_name(body.container_id))


CALLS: dict[str, Callable[[str, str, Any, Media], Response | Event]] = {
    f"{verb}_{what}": handler
    for verb, handler in (
        ("LAUNCH", _launch), ("WAIT", _wait), ("KILL", _kill), ("REMOVE", _remove),
    )
    for what in ("CONTAINER", "NESTED_CONTAINER")
}  # fmt: skip
