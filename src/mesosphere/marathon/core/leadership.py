"""Who leads, and what that means for requests.

    STANDBY --elected--> LOADING --loaded--> CLAIMING --claimed--> LEADING

Decides: whether we answer a request ourselves or hand it to the leader.
Vocabulary: to *claim* is to write the epoch node; from then on every transaction checks it.
Invariants: nothing is decided before the store was read and claimed; a leader that lost its
leadership ends the process, for what it believes may be wrong.
Source: Marathon, "High Availability"; LeaderProxyFilter.scala.
"""

from enum import Enum

from mesosphere.kernel.effects import CancelTimer, Effect, Proxy, Reply, SetTimer
from mesosphere.kernel.http import Request, Response
from mesosphere.marathon.core import answers
from mesosphere.marathon.core.config import MarathonConfig

WAIT_TIMER = "leadership/wait"
WAIT_S = 2.5
"""How long a request waits for a leader to be known."""

WAITING_LIMIT = 1_000
"""Requests that wait for a leader; one more is refused at once."""

PROXY_TIMEOUT_S = 60.0
VIA = "x-marathon-via"


class Stage(Enum):
    """Where we stand."""

    STANDBY = "standby"
    LOADING = "loading"
    CLAIMING = "claiming"
    LEADING = "leading"


class Leadership:
    """Our stage, who leads, and the requests that wait to be handed on."""

    def __init__(self, config: MarathonConfig) -> None:
        self.stage = Stage.STANDBY
        self.leader: str | None = None
        self._own = config.own_address
        self._waiting: dict[str, Request] = {}

    @property
    def is_leading(self) -> bool:
        """Whether we answer."""
        return self.stage is Stage.LEADING

    def learned(self, leader: str | None) -> list[Effect]:
        """The leader is now this one: hand on what waited."""
        self.leader = leader
        if leader is None or leader == self._own:
            return []
        effects: list[Effect] = [CancelTimer(WAIT_TIMER)]
        effects += [self._hand_on(request, leader) for request in self._waiting.values()]
        self._waiting.clear()
        return effects

    def forward(self, request: Request) -> list[Effect]:
        """Hand a request to the leader, or keep it until one is known."""
        if self._own in request.headers.get(VIA, ""):
            return [Reply(request.id, answers.message(502, "Detected proxying loop."))]
        if self.stage is not Stage.STANDBY or self.leader == self._own:
            text = "This Marathon leads but has not read its state yet. Try again."
            return [Reply(request.id, _retry_later(text))]
        if self.leader is not None:
            return [self._hand_on(request, self.leader)]
        if len(self._waiting) >= WAITING_LIMIT:
            return [Reply(request.id, _no_leader())]
        self._waiting[request.id] = request
        return [SetTimer(WAIT_TIMER, WAIT_S)] if len(self._waiting) == 1 else []

    def gave_up(self) -> list[Effect]:
        """No leader was found in time."""
        effects: list[Effect] = [Reply(name, _no_leader()) for name in self._waiting]
        self._waiting.clear()
        return effects

    def _hand_on(self, request: Request, leader: str) -> Effect:
        if request.path.rstrip("/") == "/v2/events":
            query = "&".join(
                f"{name}={value}" for name, values in request.query.items() for value in values
            )
            location = f"http://{leader}/v2/events" + (f"?{query}" if query else "")
            return Reply(request.id, Response(302, {"Location": location}))
        seen = request.headers.get("x-forwarded-for")
        headers = {
            "X-Marathon-Via": f"1.1 {self._own}",
            "X-Forwarded-For": f"{seen}, {request.peer}" if seen else request.peer,
        }
        failure = answers.message(502, f"The leader {leader} can't be reached")
        return Proxy(request.id, f"http://{leader}", failure, headers, PROXY_TIMEOUT_S)


def _no_leader() -> Response:
    return answers.message(502, "Could not determine the current leader")


def _retry_later(text: str) -> Response:
    response = answers.message(503, text)
    return Response(503, {**response.headers, "Retry-After": "1"}, response.body)
