"""Content types of the agent's v1 APIs: what may come in, what may go out.

Source: "Mesos: content negotiation" (apache/mesos src/slave/http.cpp).
"""

from mesosphere.kernel.http import Request, Response, text_response

JSON = "application/json"


def refuse_media(request: Request) -> Response | None:
    """400, 415 or 406 for a body or an answer that this agent does not speak."""
    kind = request.headers.get("content-type", "").split(";")[0].strip()
    if not kind:
        return text_response(400, "Expecting 'Content-Type' to be present\n")
    if kind != JSON:
        return text_response(415, f"Expecting 'Content-Type' of {JSON}\n")
    accept = request.headers.get("accept", "*/*")
    if not any(name in accept for name in ("*/*", "application/*", JSON)):
        return text_response(406, f"Expecting 'Accept' to allow {JSON}\n")
    return None
