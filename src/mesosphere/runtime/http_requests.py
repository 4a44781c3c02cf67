"""Reads HTTP/1.1 requests from the bytes of one connection; bounded in everything.

A `RequestReader` is fed what comes in and gathers whole requests in `completed`. What breaks the
protocol or a limit ends the connection: `refusal` is then the last answer, given after those of the
requests before it. A request whose body is of a streamed type (see `http_bodies`) is handed over
with its first record for a body; the rest follows in `Incoming.body`. The parser is llhttp
(httptools), strict: ambiguous lengths are refused.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

import httptools

from mesosphere.kernel.http import BODY_LIMIT_BYTES, Request, Response, text_response
from mesosphere.runtime.http_bodies import StreamedBody
from mesosphere.wire.errors import WireError

HEAD_LIMIT_BYTES = 64 * 1024
"""Request line and headers together; more is answered 431."""

HEADERS_LIMIT = 256

QUERY_FIELDS_LIMIT = 1_000

WIRE_LIMIT_BYTES = 2 * BODY_LIMIT_BYTES + HEAD_LIMIT_BYTES
"""One request with all its framing: chunk headers and trailers are not free either."""

_NAMES: dict[bytes, str] = {}
_NAMES_LIMIT = 1_000


class Incoming(NamedTuple):
    """A request. `is_old`: HTTP/1.0, which knows neither chunks nor kept connections.

    `body` is what follows the first record of a streamed body; None where the request is whole.
    """

    request: Request
    keeps_alive: bool
    is_old: bool
    is_head: bool
    body: StreamedBody | None = None


class RequestReader:
    """See the module. `ids` names the requests; `peer` is the address they come from; `streamed`
    are the media types of bodies that are read while they come in."""

    __slots__ = (
        "_body", "_body_bytes", "_headers", "_ids", "_in_head", "_is_closed", "_is_silent",
        "_message_bytes", "_method", "_parser", "_peer", "_streamed", "_streaming", "_url",
        "_version", "_was_handed", "completed", "refusal", "wants_continue",
    )  # fmt: skip

    def __init__(
        self, ids: Iterator[int], peer: str, streamed: frozenset[str] = frozenset()
    ) -> None:
        self._ids = ids
        self._peer = peer
        self._streamed = streamed
        self._streaming: StreamedBody | None = None
        self._was_handed = False  # the request whose body is streaming
        self._parser = self._new_parser()
        self._is_silent = False
        self._method = self._version = ""
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._message_bytes = 0
        self._in_head = True
        self._is_closed = False
        self.completed: deque[Incoming] = deque()
        self.refusal: Response | None = None
        self.wants_continue = False

    @property
    def is_between_requests(self) -> bool:
        """Whether no request has begun to come in."""
        return self._message_bytes == 0

    @property
    def is_in_head(self) -> bool:
        """Whether the headers of the next request are not all there."""
        return self._in_head

    def _new_parser(self) -> Any:
        parser = httptools.HttpRequestParser(self)
        # What follows a "Connection: close" request is ignored, not an error.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        if self.refusal is not None or self._is_closed:
            return
        self._message_bytes += len(data)
        while data:
            try:
                self._parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                self._decline_upgrade()
            except httptools.HttpParserError as error:
                if self.refusal is None:
                    self._refuse(400, f"This is not an HTTP request: {error}\n")
                break
        if self.refusal is None and not self._is_closed:
            self._check_size()

    def close(self) -> None:
        """Let go of the parser, which refers back to this."""
        self._parser = None
        self._is_closed = True

    def _decline_upgrade(self) -> None:
        """Nobody is upgraded here (a Java client asks for h2c with its first request).

        The parser takes what follows for another protocol. If it is the request's body, a new
        parser is brought to the place where that begins.
        """
        if self._in_head:
            return  # there was no body, and the request is complete
        name = "transfer-encoding" if "transfer-encoding" in self._headers else "content-length"
        self._parser = self._new_parser()
        self._is_silent = True
        head = f"POST / HTTP/1.1\r\n{name}: {self._headers[name]}\r\n\r\n"
        self._parser.feed_data(head.encode("latin-1"))
        self._is_silent = False

    def _check_size(self) -> None:
        if self._in_head and self._message_bytes > HEAD_LIMIT_BYTES:
            self._refuse_head()
        elif self._message_bytes > WIRE_LIMIT_BYTES and self._streaming is None:
            self._refuse_body()

    def _refuse(self, status: int, text: str) -> None:
        self.refusal = text_response(status, text, {"Connection": "close"})
        if self._streaming is not None:
            self._streaming.fail(text.strip())

    def _refuse_head(self) -> None:
        self._refuse(431, f"the headers are larger than {HEAD_LIMIT_BYTES} bytes\n")

    def _refuse_body(self) -> None:
        self._refuse(413, f"the body is larger than {BODY_LIMIT_BYTES} bytes\n")

    def _stop(self) -> None:
        """Leave the parser in the middle."""
        raise ValueError("refused")

    # --- called by the parser -----------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._is_silent:
            return
        self._url = b""
        self._headers = {}
        self._body = []
        self._body_bytes = 0
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        if self._is_silent:
            return
        self._url += url
        if len(self._url) > HEAD_LIMIT_BYTES:
            self._refuse_head()
            self._stop()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head or self._is_silent:
            return  # trailers say nothing that anybody wants
        known = _NAMES.get(name)
        if known is None:
            known = name.decode("latin-1").lower()
            if len(_NAMES) < _NAMES_LIMIT:
                _NAMES[name] = known
        text = value.decode("latin-1")
        headers = self._headers
        headers[known] = f"{headers[known]}, {text}" if known in headers else text
        if len(headers) > HEADERS_LIMIT or len(text) > HEAD_LIMIT_BYTES:
            self._refuse_head()
            self._stop()

    def on_headers_complete(self) -> None:
        if self._is_silent:
            return
        self._in_head = False
        self._method = self._parser.get_method().decode("ascii")
        self._version = self._parser.get_http_version()
        headers = self._headers
        if self._streamed:
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            self._was_handed = False
            self._streaming = StreamedBody() if kind in self._streamed else None
        announced = headers.get("content-length", "0") if self._streaming is None else "0"
        if announced.isdigit() and int(announced) > BODY_LIMIT_BYTES:
            self._refuse_body()
            self._stop()
        self.wants_continue = "expect" in headers and headers["expect"].lower() == "100-continue"

    def on_body(self, body: bytes) -> None:
        if self._streaming is not None:
            self._stream(self._streaming, body)
            return
        self._body_bytes += len(body)
        self._body.append(body)
        self.wants_continue = False
        if self._body_bytes > BODY_LIMIT_BYTES:
            self._body = []
            self._refuse_body()
            self._stop()

    def _stream(self, streaming: StreamedBody, data: bytes) -> None:
        self.wants_continue = False
        try:
            streaming.feed(data)
        except WireError as error:
            if not self._was_handed:
                self._refuse(400, f"{error}\n")
                self._stop()
            streaming.fail(str(error))
            return
        if not self._was_handed and (first := streaming.first()) is not None:
            self._hand(first)

    def on_message_complete(self) -> None:
        if self._streaming is not None:
            if not self._was_handed:
                self._hand(b"")
            self._streaming.finish()
            self._streaming = None
            self._is_closed = self._version != "1.1" or not self._parser.should_keep_alive()
            self._begin_anew()
            return
        headers = self._headers
        if self._parser.should_upgrade() and not self._body and _has_body(headers):
            return  # see _decline_upgrade
        body = self._body
        self._hand(body[0] if len(body) == 1 else b"".join(body))
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._message_bytes = 0
        self._in_head = True
        self.wants_continue = False
        self._body, self._headers, self._url = [], {}, b""

    def _hand(self, body: bytes) -> None:
        """The request is ready to be answered."""
        version, method = self._version, self._method
        path, query = self._read_url()
        request = Request(
            f"r{next(self._ids)}",
            method,
            path,
            query,
            self._headers,
            body,
            self._peer,
        )
        self._was_handed = True
        keeps = version == "1.1" and self._parser.should_keep_alive()
        # What follows the last request is ignored, but not the rest of its own body.
        self._is_closed = not keeps and self._streaming is None
        self.completed.append(
            Incoming(request, keeps, version == "1.0", method == "HEAD", self._streaming)
        )

    def _read_url(self) -> tuple[str, dict[str, list[str]]]:
        url = self._url
        if not url.startswith(b"/") and url != b"*":
            parsed = httptools.parse_url(url)  # absolute, as proxies ask
            url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
        path, _, text = url.partition(b"#")[0].partition(b"?")
        shown = path.decode("utf-8", "replace")
        if "%" in shown:
            shown = unquote(shown)
        if not text:
            return shown, {}
        try:
            query = parse_qs(
                text.decode("latin-1"), keep_blank_values=True, max_num_fields=QUERY_FIELDS_LIMIT
            )
        except ValueError:
            self._refuse(400, "too many query parameters\n")
            self._stop()
        return shown, query


def _has_body(headers: dict[str, str]) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
