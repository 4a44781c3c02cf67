"""HTTP as values, and the route table that every `api` module declares.

An `api` module is a tuple of `Route`s. A handler gets the machine's state and the `Request`; it
returns a `Response` (a view: a pure read), an `Unfinished` one (a large view: see `pages`) or an
`Event` (a command: the machine answers later with `Reply`, `StartStream` or `Proxy` for
`request.id`). Both runtimes dispatch through `Router`.
"""

import base64
import hmac
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from mesosphere.kernel.events import Event
from mesosphere.kernel.pages import Page

BODY_LIMIT_BYTES = 10 * 1024 * 1024
"""Largest request body the servers accept; a larger one is answered 413 and not read."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request. `path` is decoded; header names are lower case; `id` is unique."""

    id: str
    method: str
    path: str
    query: dict[str, list[str]] = {}
    headers: dict[str, str] = {}
    body: bytes = b""
    peer: str = ""

    def first(self, name: str, default: str | None = None) -> str | None:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default


class Response(msgspec.Struct, frozen=True, gc=False):
    """A whole answer. `body` may be chunks, which are sent without being joined."""

    status: int
    headers: dict[str, str] = {}
    body: bytes | tuple[bytes, ...] = b""

    @property
    def whole(self) -> bytes:
        """The body in one."""
        return self.body if isinstance(self.body, bytes) else b"".join(self.body)


class Unfinished(NamedTuple):
    """A large answer in the making; `respond` makes the answer of the pieces of the whole page."""

    page: Page
    respond: Callable[[tuple[bytes, ...]], Response]


Answer = Response | Unfinished | Event
"""A view answers at once, a large one when it is made; a command is an event that the machine
answers later."""


class Route(NamedTuple):
    """`pattern` segments: literal, `{name}` for one segment, `{name...}` for the rest."""

    method: str
    pattern: str
    handler: Callable[..., Answer]
    summary: str


class Match(NamedTuple):
    """A route with the values of its pattern's names."""

    route: Route
    parameters: dict[str, str]


_JSON = {"Content-Type": "application/json"}


def json_response(status: int, value: Any, headers: Mapping[str, str] = {}) -> Response:
    """A JSON answer; `value` is anything msgspec can encode."""
    return Response(status, {**_JSON, **headers}, msgspec.json.encode(value))


def text_response(status: int, text: str, headers: Mapping[str, str] = {}) -> Response:
    """A plain text answer."""
    return Response(status, {"Content-Type": "text/plain; charset=utf-8", **headers}, text.encode())


def is_authorized(request: Request, credentials: str | None) -> bool:
    """Whether a request carries these Basic credentials ("user:password"); None asks for none."""
    if credentials is None:
        return True
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except ValueError:
        return False
    return scheme.lower() == "basic" and hmac.compare_digest(given, credentials.encode())


class Router:
    """Finds the route of a request. `prefixes` are stripped first ("/master", "/slave(1)").

    With `longest_prefix` a path without a route is retried without its last segment, as
    libprocess does ("/api/v1/operator" reaches "/api/v1"). Literal segments win over names.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        prefixes: tuple[str, ...] = (),
        longest_prefix: bool = False,
    ) -> None:
        self.routes = tuple(routes)
        self._prefixes = prefixes
        self._longest_prefix = longest_prefix
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[tuple[str, ...], dict[str, Route]]] = []
        for route in self.routes:
            if "{" in route.pattern:
                self._add_pattern(route)
            else:
                self._exact.setdefault(route.pattern, {})[route.method] = route

    def _add_pattern(self, route: Route) -> None:
        segments = tuple(route.pattern.split("/")[1:])
        for known, methods in self._patterns:
            if known == segments:
                methods[route.method] = route
                return
        self._patterns.append((segments, {route.method: route}))

    def match(self, method: str, path: str) -> Match | tuple[str, ...]:
        """The match, or the methods that the path does allow (empty: no such path)."""
        path = "/" + path.strip("/")
        for prefix in self._prefixes:
            if path == prefix or path.startswith(prefix + "/"):
                path = path[len(prefix) :] or "/"
                break
        while True:
            found = self._find(path)
            if found is not None:
                methods, parameters = found
                route = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
                if route is not None:
                    return Match(route, parameters)
                return tuple(methods)
            if not self._longest_prefix or path == "/":
                return ()
            path = path.rsplit("/", 1)[0] or "/"

    def _find(self, path: str) -> tuple[dict[str, Route], dict[str, str]] | None:
        exact = self._exact.get(path)
        if exact is not None:
            return exact, {}
        segments = path.split("/")[1:]
        for pattern, methods in self._patterns:
            parameters = _fit(pattern, segments)
            if parameters is not None:
                return methods, parameters
        return None


def _fit(pattern: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    parameters: dict[str, str] = {}
    for position, part in enumerate(pattern):
        if part.startswith("{") and part.endswith("...}"):
            # The rest may have segments of its own, but what follows it must fit from the right.
            tail = pattern[position + 1 :]
            last = len(segments) - len(tail)
            if last <= position:
                return None
            rest = _fit(tail, segments[last:])
            if rest is None:
                return None
            return {**parameters, part[1:-4]: "/".join(segments[position:last]), **rest}
        if position >= len(segments):
            return None
        if part.startswith("{"):
            parameters[part[1:-1]] = segments[position]
        elif part != segments[position]:
            return None
    return parameters if len(pattern) == len(segments) else None


class Api:
    """Binds routes to a machine: what a server (real or simulated) calls for each request.

    `not_found(request)` and `not_allowed(request, allowed)` shape the component's own error bodies.
    """

    def __init__(
        self,
        router: Router,
        machine: Any,
        *,
        not_found: Callable[[Request], Response] | None = None,
        not_allowed: Callable[[Request, tuple[str, ...]], Response] | None = None,
        intercept: Callable[[Any, float, Request], Answer | None] | None = None,
    ) -> None:
        self._router = router
        self._machine = machine
        self._not_found = not_found or (lambda request: text_response(404, "Not Found\n"))
        self._not_allowed = not_allowed or _method_not_allowed
        self._intercept = intercept

    def dispatch(self, now: float, request: Request) -> Response | Event:
        """As `begin`, with what is unfinished made at once."""
        answer = self.begin(now, request)
        if isinstance(answer, Unfinished):
            return answer.respond(answer.page.finish())
        return answer

    def begin(self, now: float, request: Request) -> Answer:
        """Answer or turn into a command. Handlers are called as handler(machine, now, request,
        **parameters). `intercept` comes first (leader redirects, proxying)."""
        if self._intercept is not None:
            answer = self._intercept(self._machine, now, request)
            if answer is not None:
                return answer
        found = self._router.match(request.method, request.path)
        if isinstance(found, Match):
            return found.route.handler(self._machine, now, request, **found.parameters)
        if found:
            return self._not_allowed(request, found)
        return self._not_found(request)


def _method_not_allowed(request: Request, allowed: tuple[str, ...]) -> Response:
    return text_response(
        405,
        f"Expecting one of {{ {', '.join(repr(m) for m in allowed)} }},"
        f" but received '{request.method}'\n",
        {"Allow": ", ".join(allowed)},
    )
