"""The operator API's calls about containers: what they must have, and the events they become.

LAUNCH_, WAIT_, KILL_ and REMOVE_CONTAINER take any container; those with NESTED in their names,
which the original keeps for old clients, must name a parent.
Source: apache/mesos src/slave/validation.cpp, src/slave/http.cpp.
"""

from collections.abc import Callable
from typing import Any

from mesosphere.agent.core.commands import (
    AttachRequested,
    ContainerKillRequested,
    ContainerLaunchRequested,
    ContainerRemoveRequested,
    ContainerWaitRequested,
)
from mesosphere.agent.core.extra_records import ExtraOrder
from mesosphere.agent.core.state import container_name
from mesosphere.agent.negotiation import Exchange
from mesosphere.kernel.events import Event
from mesosphere.kernel.http import Response, text_response
from mesosphere.wire.mesos.agent_operator import AttachContainerInput, Call
from mesosphere.wire.mesos.commands import CommandInfo
from mesosphere.wire.mesos.ids import ContainerID

ID_LIMIT = 255
NAME_LIMIT = 242
"""Longest name of a container, with those of its parents: it names directories and files."""
SIGNALS = range(1, 65)
SESSION = "LAUNCH_NESTED_CONTAINER_SESSION"


def answer(request: str, call: Call, exchange: Exchange) -> Response | Event:
    """A call of CALLS that was read, as an event."""
    if call.type == "ATTACH_CONTAINER_INPUT":
        return _attach_input(request, call.attach_container_input, exchange)
    field = call.type.lower()
    body = getattr(call, field)
    if body is None:
        return refusal(f"Expecting '{field}' to be present")
    fault = id_fault(body.container_id)
    if fault:
        return refusal(f"'{field}.container_id' is invalid: {fault}")
    if "NESTED" in call.type and body.container_id.parent is None:
        return refusal(f"Expecting '{field}.container_id.parent' to be present")
    return CALLS[call.type](request, call.type, body, exchange)


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


def _launch(request: str, call: str, body: Any, exchange: Exchange) -> Response | Event:
    order = order_of(body, call == SESSION)
    if isinstance(order, Response):
        return order
    headers = exchange.stream_headers if order.is_session else {}
    return ContainerLaunchRequested(request, order, exchange.answer, headers)


def _wait(request: str, call: str, body: Any, exchange: Exchange) -> Response | Event:
    return ContainerWaitRequested(request, container_name(body.container_id), call, exchange.answer)


def _attach_input(
    request: str, body: AttachContainerInput | None, exchange: Exchange
) -> Response | Event:
    """The first record of a stream: it names the container."""
    field = "attach_container_input"
    if body is None:
        return refusal(f"Expecting '{field}' to be present")
    if body.type is None:
        return refusal(f"Expecting '{field}.type' to be present")
    if body.type == "UNKNOWN":
        return refusal(f"'{field}.type' is unknown")
    if body.type != "CONTAINER_ID":
        return text_response(400, f"Expecting '{field}.type' to be CONTAINER_ID")
    if body.container_id is None:
        return refusal(f"Expecting '{field}.container_id' to be present")
    fault = id_fault(body.container_id)
    if fault:
        return refusal(f"'{field}.container_id' is invalid: {fault}")
    return AttachRequested(request, container_name(body.container_id), "input", exchange.body)


def _attach_output(request: str, call: str, body: Any, exchange: Exchange) -> Response | Event:
    name = container_name(body.container_id)
    return AttachRequested(request, name, "output", exchange.answer, exchange.stream_headers)


def _kill(request: str, call: str, body: Any, exchange: Exchange) -> Response | Event:
    signal = 9 if body.signal is None else body.signal
    if signal not in SIGNALS:
        return refusal(f"'{call.lower()}.signal' is not the number of a signal: {signal}")
    return ContainerKillRequested(request, container_name(body.container_id), signal)


def _remove(request: str, call: str, body: Any, exchange: Exchange) -> Response | Event:
    return ContainerRemoveRequested(request, container_name(body.container_id))


CALLS: dict[str, Callable[[str, str, Any, Exchange], Response | Event]] = {
    SESSION: _launch,
    "ATTACH_CONTAINER_OUTPUT": _attach_output,
} | {
    f"{verb}_{what}": handler
    for verb, handler in (
        ("LAUNCH", _launch), ("WAIT", _wait), ("KILL", _kill), ("REMOVE", _remove),
    )
    for what in ("CONTAINER", "NESTED_CONTAINER")
}  # fmt: skip
