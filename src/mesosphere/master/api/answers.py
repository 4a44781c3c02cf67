"""What the handlers of every kind share: JSON answers, numbers in a query."""

import re

import msgspec

from mesosphere.kernel.events import Event
from mesosphere.kernel.http import Request, Response, json_response, text_response
from mesosphere.master.views.pieces import Chunks

Answer = Response | Event
"""A view answers at once; a command is an event that the machine answers later."""


def json_answer(request: Request, value: object) -> Response:
    """A read's answer: JSON, or JSONP when a callback is named."""
    callback = request.first("jsonp")
    if callback is None:
        if isinstance(value, Chunks):
            return Response(200, {"Content-Type": "application/json"}, tuple(value))
        return json_response(200, value)
    if not re.fullmatch(r"[A-Za-z_$][\w$.]{0,127}", callback):
        return text_response(400, "'jsonp' is not the name of a function")
    chunks = value if isinstance(value, Chunks) else (msgspec.json.encode(value),)
    body = (b"%b(" % callback.encode(), *chunks, b");")
    return Response(200, {"Content-Type": "text/javascript"}, body)


def whole_number(request: Request, name: str, default: int, most: int) -> int | None:
    """A query parameter that counts something, `most` at most; None if it is no whole number."""
    text = request.first(name)
    if text is None:
        return default
    return min(int(text), most) if text.isdigit() and len(text) < 12 else None
