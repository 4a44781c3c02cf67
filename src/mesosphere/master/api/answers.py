"""What the handlers of every kind share: JSON answers, numbers in a query."""

import re
from collections.abc import Callable

import msgspec

from mesosphere.kernel.http import (
    Answer as Answer,
)
from mesosphere.kernel.http import Request, Response, Unfinished, json_response, text_response
from mesosphere.kernel.pages import Page


def json_answer(request: Request, value: object) -> Response:
    """A read's answer: JSON, or JSONP when a callback is named."""
    if request.first("jsonp") is None:
        return json_response(200, value)
    respond = _answering(request)
    return respond if isinstance(respond, Response) else respond((msgspec.json.encode(value),))


def page_answer(request: Request, page: Page) -> Response | Unfinished:
    """The same of a page of JSON."""
    respond = _answering(request)
    return respond if isinstance(respond, Response) else Unfinished(page, respond)


def _answering(request: Request) -> Callable[[tuple[bytes, ...]], Response] | Response:
    """How a body of JSON is answered; a refusal if that can't be."""
    callback = request.first("jsonp")
    if callback is None:
        return lambda body: Response(200, {"Content-Type": "application/json"}, body)
    if not re.fullmatch(r"[A-Za-z_$][\w$.]{0,127}", callback):
        return text_response(400, "'jsonp' is not the name of a function")
    head = b"%b(" % callback.encode()
    script = {"Content-Type": "text/javascript"}
    return lambda body: Response(200, script, (head, *body, b");"))


def whole_number(request: Request, name: str, default: int, most: int) -> int | None:
    """A query parameter that counts something, `most` at most; None if it is no whole number."""
    text = request.first(name)
    if text is None:
        return default
    return min(int(text), most) if text.isdigit() and len(text) < 12 else None
