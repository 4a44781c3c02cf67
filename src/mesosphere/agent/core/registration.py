"""The agent's link to the leading master: found, joined, kept, and joined again.

Decides when to subscribe and when the link is dead. Vocabulary: *registered* means that the master
answered SUBSCRIBED on the stream that is open now. Invariants: one stream at a time; every attempt
waits a random part of a back-off that starts at `registration_backoff_factor` and doubles to one
minute, so that a new master is not trampled by all agents at once; silence of the ping timeout
ends the link. Source: apache/mesos src/slave/slave.cpp doReliableRegistration.
"""

from enum import Enum
from urllib.parse import urlsplit

import msgspec

from mesosphere.agent.core.config import AgentConfig
from mesosphere.kernel.effects import (
    Call,
    CancelTimer,
    Connect,
    Detect,
    Disconnect,
    Effect,
    Log,
    SetTimer,
)
from mesosphere.kernel.events import CallAnswered, Connected, LeaderChanged
from mesosphere.kernel.ids import IdSource
from mesosphere.wire.mesos import codec, link

STREAM = "master"
RETRY_TIMER = "master/subscribe"
SILENCE_TIMER = "master/silence"
BACKOFF_MOST_S = 60.0
FIRST_SILENCE_S = 75.0
"""Silence that ends a link before the master has said its own limit."""
REDIRECTS_MOST = 5
CALL_TIMEOUT_S = 30.0
NEEDED = "needed/"
LABEL = "json.info_"
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}


class LinkState(Enum):
    """Where the link is."""

    NO_MASTER = "no master is known"
    WAITING = "the next attempt waits for its timer"
    CONNECTING = "a subscription is under way"
    REGISTERED = "the master has admitted this agent"


class Registration:
    """The link of one agent."""

    def __init__(self, config: AgentConfig, ids: IdSource) -> None:
        self._config = config
        self._ids = ids
        self.state = LinkState.NO_MASTER
        self.base_url = ""
        self._stream_id = ""
        self._attempt = 0
        self._redirects = 0
        self.silence_s = FIRST_SILENCE_S
        self._calls = 0
        self._held: list[link.Call] = []  # needed calls made while the subscription was under way
        self._agent_id: str | None = None

    @property
    def is_registered(self) -> bool:
        """Whether calls reach a master that knows this agent."""
        return self.state is LinkState.REGISTERED

    def start(self) -> list[Effect]:
        """Begin to follow the leader."""
        return [Detect(self._config.master, LABEL)]

    # --- the leader ----------------------------------------------------------------------

    def leader_changed(self, event: LeaderChanged) -> list[Effect]:
        """There is another leader, or none."""
        effects = self._hang_up()
        self._attempt = 0
        self._redirects = 0
        address = leader_address(event.payload)
        if address is None:
            self.state = LinkState.NO_MASTER
            self.base_url = ""
            return [*effects, Log("info", "master_lost", {"master": self._config.master})]
        self.base_url = f"http://{address}"
        return [
            *effects,
            Log("info", "master_detected", {"address": address}),
            *self._wait(),
        ]

    def _wait(self) -> list[Effect]:
        self.state = LinkState.WAITING
        most = min(self._config.registration_backoff_s * 2**self._attempt, BACKOFF_MOST_S)
        self._attempt = min(self._attempt + 1, 10)
        return [SetTimer(RETRY_TIMER, most * self._ids.fraction())]

    def _hang_up(self) -> list[Effect]:
        self._stream_id = ""
        return [Disconnect(STREAM), CancelTimer(SILENCE_TIMER), CancelTimer(RETRY_TIMER)]

    def retry(self, reason: str) -> list[Effect]:
        """The link is dead or was refused: try again after the back-off."""
        if self.state is LinkState.NO_MASTER:
            return []
        fields = {"reason": reason, "master": self.base_url}
        return [*self._hang_up(), Log("warning", "link_lost", fields), *self._wait()]

    # --- subscribing ---------------------------------------------------------------------

    def subscribe(self, call: link.Call) -> list[Effect]:
        """The back-off is over: open the stream with this SUBSCRIBE."""
        if self.state is not LinkState.WAITING:
            return []
        self.state = LinkState.CONNECTING
        self._held.clear()  # what they tell is in this SUBSCRIBE
        self.silence_s = FIRST_SILENCE_S
        return [
            Connect(
                STREAM,
                self.base_url + link.PATH,
                headers=_JSON,
                body=codec.encode(call),
                idle_s=3600.0,
            ),
            SetTimer(SILENCE_TIMER, self.silence_s),
        ]

    def connected(self, event: Connected) -> list[Effect]:
        """The master answered with headers."""
        if event.status == 200:
            self._stream_id = event.headers.get("mesos-stream-id", "")
            return []
        if event.status == 307 and self._redirects < REDIRECTS_MOST:
            address = urlsplit(event.headers.get("location", "")).netloc
            if address:
                self._redirects += 1
                self.base_url = f"http://{address}"
                self.state = LinkState.WAITING
                return [
                    Log("info", "master_redirected", {"address": address}),
                    SetTimer(RETRY_TIMER, 0.0),
                ]
        self._redirects = 0
        text = event.body.decode(errors="replace").strip()[:200]
        return self.retry(f"the master answered {event.status}: {text}")

    def subscribed(self, event: link.Subscribed) -> list[Effect]:
        """The master has admitted this agent."""
        self.state = LinkState.REGISTERED
        self._attempt = 0
        self._redirects = 0
        self._agent_id = event.agent_id.value
        self.silence_s = max(event.ping_timeout_s, 1.0)
        held, self._held = self._held, []
        return [*self.heard(), *(each for call in held for each in self.send(call, needed=True))]

    def heard(self) -> list[Effect]:
        """Anything came in: the link lives."""
        return [SetTimer(SILENCE_TIMER, self.silence_s)]

    # --- calls ---------------------------------------------------------------------------

    def send(self, call: link.Call, needed: bool = False) -> list[Effect]:
        """A call to the master; nothing while not registered, as what matters is repeated.

        `needed`: it is not repeated, but a SUBSCRIBE tells the same. If it fails, the agent
        registers again; while it registers, the call waits for that.
        """
        if needed and self.state is LinkState.CONNECTING:
            self._held.append(call)
        if self.state is not LinkState.REGISTERED:
            return []
        self._calls += 1
        body = codec.encode(call)
        headers = {**_JSON, "Mesos-Stream-Id": self._stream_id}
        return [
            Call(
                f"master/{self._stream_id}/{NEEDED if needed else ''}{self._calls}",
                "POST",
                self.base_url + link.PATH,
                headers,
                body,
                CALL_TIMEOUT_S,
            )
        ]

    def answered(self, event: CallAnswered) -> list[Effect]:
        """A call was answered: a refusal means that the master does not know the stream."""
        if event.status < 300 or self.state is not LinkState.REGISTERED:
            return []
        if not event.call.startswith(f"master/{self._stream_id}/"):
            return []
        text = event.body.decode(errors="replace").strip()[:200]
        return self.retry(f"a call was answered {event.status}: {text}")

    def is_missed(self, call: str) -> bool:
        """Whether the master does not know what it must, because this call has failed."""
        return call.startswith(f"master/{self._stream_id}/{NEEDED}") and self.is_registered


def leader_address(payload: bytes | None) -> str | None:
    """ "host:port" of a MasterInfo in JSON; None if nobody leads or it can't be read."""
    if payload is None:
        return None
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    address = value.get("address") if isinstance(value, dict) else None
    if isinstance(address, dict) and "port" in address:
        host = address.get("ip") or address.get("hostname")
        return f"{host}:{address['port']}" if host else None
    if isinstance(value, dict):
        found = str(value.get("pid", "")).partition("@")[2]
        return found or None
    return None
