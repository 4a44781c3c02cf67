"""What a request to the operator API speaks and wants: whole messages, or streams of them.

`Content-Type: application/recordio` and `Accept: application/recordio` are for streams, whose
messages are of the type in `Message-Content-Type` and `Message-Accept`. An answer that is a stream
is one all the same if the client only accepts JSON or protobuf. Codes and texts are the original's.
Source: apache/mesos src/slave/http.cpp (api, _api).
"""

from collections.abc import Mapping
from typing import NamedTuple

from mesosphere.kernel.http import Response, text_response
from mesosphere.wire.mesos.media import Media, accepts, named

RECORDIO = "application/recordio"
CONTENT, ACCEPT = "message-content-type", "message-accept"
SHOWN = {CONTENT: "Message-Content-Type", ACCEPT: "Message-Accept"}
EITHER = f"{Media.JSON.value} or {Media.PROTOBUF.value}"
TAKES_STREAM = ("ATTACH_CONTAINER_INPUT",)
GIVES_STREAM = ("ATTACH_CONTAINER_OUTPUT", "LAUNCH_NESTED_CONTAINER_SESSION")


class Exchange(NamedTuple):
    """`body` and `answer` are what messages are written in, each whole or `_streams`."""

    body: Media
    body_streams: bool
    answer: Media
    answer_streams: bool

    @property
    def stream_headers(self) -> dict[str, str]:
        """Those of an answer that is a stream of messages."""
        if not self.answer_streams:
            return {"Content-Type": self.answer.value}
        return {"Content-Type": RECORDIO, SHOWN[CONTENT]: self.answer.value}


def negotiate(headers: Mapping[str, str]) -> Exchange | Response:
    """What the headers say; a refusal (400, 406, 415) if it can't be."""
    body = _spoken(headers)
    if isinstance(body, Response):
        return body
    answer = _wanted(headers)
    if isinstance(answer, Response):
        return answer
    return Exchange(*body, *answer)


def misfit(call: str, exchange: Exchange) -> Response | None:
    """A refusal if the call is not one that takes, or answers with, such a stream."""
    if exchange.body_streams and call not in TAKES_STREAM:
        text = f"Streaming 'Content-Type' {RECORDIO} is not supported for {call} call"
        return text_response(415, text)
    if not exchange.body_streams and call in TAKES_STREAM:
        return text_response(415, f"Expecting 'Content-Type' to be {RECORDIO} for {call} call")
    if exchange.answer_streams and call not in GIVES_STREAM:
        return text_response(406, f"Streaming response is not supported for {call} call")
    return None


def _spoken(headers: Mapping[str, str]) -> tuple[Media, bool] | Response:
    told = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not told:
        return text_response(400, "Expecting 'Content-Type' to be present")
    inner = headers.get(CONTENT)
    if told != RECORDIO:
        media = named(told)
        if media is None:
            return text_response(415, f"Expecting 'Content-Type' of {EITHER} or {RECORDIO}")
        if inner is not None:
            text = f"Expecting '{SHOWN[CONTENT]}' to be not set for non-streaming requests"
            return text_response(415, text)
        return media, False
    if inner is None:
        text = f"Expecting '{SHOWN[CONTENT]}' to be set for streaming requests"
        return text_response(400, text)
    media = named(inner.partition(";")[0].strip().lower())
    if media is None:
        return text_response(415, f"Expecting '{SHOWN[CONTENT]}' of {EITHER}")
    return media, True


def _wanted(headers: Mapping[str, str]) -> tuple[Media, bool] | Response:
    for media in Media:
        if accepts(headers.get("accept", ""), media.value):
            if ACCEPT not in headers:
                return media, False
            text = f"Expecting '{SHOWN[ACCEPT]}' to be not set for non-streaming responses"
            return text_response(406, text)
    if not accepts(headers["accept"], RECORDIO):
        return text_response(406, f"Expecting 'Accept' to allow {EITHER} or {RECORDIO}")
    for media in Media:
        if accepts(headers.get(ACCEPT, ""), media.value):
            return media, True
    return text_response(406, f"Expecting '{SHOWN[ACCEPT]}' to allow {EITHER}")
