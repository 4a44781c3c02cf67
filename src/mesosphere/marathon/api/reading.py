"""What the handlers share: reading requests, and the frame around every answer."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import msgspec

from mesosphere.kernel.events import Event
from mesosphere.kernel.http import Request, Response, json_response
from mesosphere.marathon.core import answers
from mesosphere.marathon.core.answers import Rejected
from mesosphere.marathon.core.machine import MarathonMachine
from mesosphere.wire.marathon import paths
from mesosphere.wire.marathon.app import App
from mesosphere.wire.marathon.shapes import Faults, Shape

Answer = Response | Event
Handler = Callable[..., Answer]


def route(handler: Handler) -> Handler:
    """Refusals become answers, and answers get the headers of every answer."""

    @wraps(handler)
    def handle(machine: MarathonMachine, now: float, request: Request, **parameters: str) -> Answer:
        machine.state.clock = now
        try:
            answer = handler(machine, request, **parameters)
        except Rejected as rejected:
            answer = rejected.response
        return machine.dressed(answer) if isinstance(answer, Response) else answer

    return handle


# --- reading requests -----------------------------------------------------------------------


def body_of(request: Request, shape: Shape) -> Any:
    """The cleaned body. Raises Rejected."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise Rejected(answers.message(415, "Unsupported Media Type"))
    if not request.body.strip():
        details = "No content to map due to end-of-input"
        raise Rejected(
            json_response(
                400, {"message": "Please specify data in JSON format", "details": details}
            )
        )
    try:
        value = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejected(
            json_response(400, {"message": "Invalid JSON", "details": str(error)})
        ) from error
    except RecursionError as error:
        raise Rejected(
            json_response(400, {"message": "Invalid JSON", "details": "nested too deeply"})
        ) from error
    faults: Faults = []
    clean = shape.clean(value, "", faults)
    if faults:
        raise Rejected(answers.invalid_json(faults))
    return clean


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    value = request.first(name)
    return default if value is None else value.lower() in ("true", "", "1")


def origin(request: Request) -> dict[str, str]:
    return {"request": request.id, "peer": request.peer, "uri": request.path}


def app_of(machine: MarathonMachine, app_id: str) -> App:
    app = machine.state.root.apps.get(paths.resolve(app_id))
    if app is None:
        raise Rejected(answers.app_missing(paths.resolve(app_id)))
    return app


def embeds_of(request: Request) -> list[str]:
    return request.query.get("embed", [])


def encoded(data: bytes) -> Response:
    return Response(200, {"Content-Type": "application/json"}, data)


def wants_text(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "text/plain" in accept and "json" not in accept and "*/*" not in accept
