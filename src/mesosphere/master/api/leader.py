"""Who answers: a master that does not lead sends all but a few questions to the one that does."""

from urllib.parse import urlencode

from mesosphere.kernel.http import Request, Response, text_response
from mesosphere.master.api.answers import Answer
from mesosphere.master.core.machine import MasterMachine

LOCAL = (
    "/health",
    "/version",
    "/flags",
    "/metrics",
    "/metrics/snapshot",
    "/redirect",
    "/logging/toggle",
)
LOCAL_PREFIXES = ("/files",)


def redirect(master: MasterMachine, now: float, request: Request) -> Answer:
    """To the leading master."""
    if request.path.rstrip("/").rsplit("/", 1)[-1] != "redirect":
        return text_response(404, "Not Found\n")
    return _redirect_to_leader(master, "")


def _plain_path(path: str) -> str:
    """Without the delegate's prefix and the old suffix."""
    path = path.removeprefix("/master") if path.startswith("/master/") else path
    return (path.rstrip("/") or "/").removesuffix(".json")


def _redirect_to_leader(master: MasterMachine, path: str) -> Response:
    leader, own = master.leader, master.info
    # A master that died at this address is named until its session is over.
    if leader is None or (
        leader.port == own.port and leader.hostname == own.hostname and not master.is_leader
    ):
        return text_response(503, "No leader elected")
    host = leader.hostname or (leader.address.ip if leader.address is not None else "")
    return Response(307, {"Location": f"//{host}:{leader.port}{path}"})


def intercept(master: MasterMachine, now: float, request: Request) -> Answer | None:
    """The answer of a master that can't let the routes answer; None if it can."""
    plain = _plain_path(request.path)
    if plain in LOCAL or plain.startswith(LOCAL_PREFIXES) or plain.startswith("/redirect"):
        return None
    if not master.is_leader:
        query = urlencode(request.query, doseq=True)
        return _redirect_to_leader(master, request.path + (f"?{query}" if query else ""))
    if not master.is_recovered:
        return text_response(503, "Master has not finished recovery")
    return None
