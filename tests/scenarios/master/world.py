"""A hand-cranked world around one master's machine: store, timers, requests, streams.

With `speaks=Media.PROTOBUF` every call that is one is sent as protobuf, and what comes back is read
as protobuf; tests see the same JSON either way.

After every step the books are held against each other (`check_books`): what agents, offers and the
share tree say must be the sum of the tasks and offers that are there.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec

from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.http import Request, Response
from mesosphere.kernel.ids import IdSource
from mesosphere.kernel.resources import EMPTY
from mesosphere.kernel.store import Check, Put
from mesosphere.master.api import api
from mesosphere.master.core.config import MasterConfig
from mesosphere.master.core.machine import PING_TIMER, MasterMachine
from mesosphere.master.core.state import values_of
from mesosphere.master.views import entries, legacy, pieces
from mesosphere.runtime.files import serve
from mesosphere.wire import recordio
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import MasterInfo, codec, link, operator, scheduler
from mesosphere.wire.mesos import answers as operator_answers
from mesosphere.wire.mesos.agents import describe_master
from mesosphere.wire.mesos.media import Media

INFO = describe_master("", "master.test", "127.0.0.1", 5050, "1.11.0")
OTHER = describe_master("other", "other.test", "127.0.0.2", 5050, "1.11.0")
STEP_S = 0.002
"""How long each step takes, if the machine asks."""

JSON = {"content-type": "application/json"}


def as_json(response: Response) -> Response:
    """An answer in protobuf as the same in JSON."""
    if response.headers.get("Content-Type") != Media.PROTOBUF.value:
        return response
    message = Media.PROTOBUF.decode(response.whole, operator_answers.Response)
    headers = {**response.headers, "Content-Type": Media.JSON.value}
    return Response(response.status, headers, codec.encode(message))


class Stream:
    """What a peer reads of a stream."""

    def __init__(self, effect: do.StartStream, kind: type[Any]) -> None:
        self.id = effect.request
        self.kind = kind
        self.status = effect.status
        self.headers = effect.headers
        self.is_open = True
        self.events: list[dict[str, Any]] = []

    def take(self, data: bytes) -> None:
        """Records in the stream's encoding."""
        media = Media(self.headers["Content-Type"])
        for record in recordio.Decoder().feed(data):
            if media is Media.PROTOBUF:
                record = codec.encode(media.decode(record, self.kind))
            self.events.append(json.loads(record))

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of the events of a kind."""
        return [event.get(kind.lower(), {}) for event in self.events if event["type"] == kind]


class World:
    """Performs effects in memory. `slow_store`: commits wait for `settle`."""

    def __init__(
        self,
        store: dict[str, tuple[bytes, int]] | None = None,
        seed: bytes = b"seed",
        speaks: Media = Media.JSON,
        **changes: Any,
    ) -> None:
        self.speaks = speaks
        self.paths: dict[str, str] = {}
        self.store = {} if store is None else store
        self.now = 1000.0
        self.timers: dict[str, float] = {}
        self.streams: dict[str, Stream] = {}
        self.answers: dict[str, Response] = {}
        self.commits: list[do.Commit] = []
        self.slow_store = False
        self.gone_requests: dict[str, None] = {}
        self.halted: do.Halt | None = None
        self.log: list[do.Effect] = []
        self.requests = 0
        self.when_pinged: list[Callable[[], None]] = []
        config = MasterConfig(info=INFO, group="zk://h/mesos")
        self.machine = MasterMachine(msgspec.structs.replace(config, **changes), IdSource(seed))
        self.api = api(self.machine)
        self._events: list[on.Event] = []
        self._perform(self.machine.start(self.now))

    # --- effects -------------------------------------------------------------------------

    def _perform(self, effects: list[do.Effect]) -> None:
        for effect in effects:
            self.log.append(effect)
            if isinstance(effect, do.Commit):
                self.commits.append(effect)
            elif isinstance(effect, do.Load):
                self._events.append(on.Loaded(effect.token, dict(self.store)))
            elif isinstance(effect, do.SetTimer):
                self.timers[effect.name] = self.now + effect.delay_s
            elif isinstance(effect, do.CancelTimer):
                self.timers.pop(effect.name, None)
            elif isinstance(effect, do.TimeStep):
                self._events.append(on.StepTimed(effect.name, STEP_S))
            elif isinstance(effect, do.Reply):
                assert effect.request not in self.answers, "answered twice"
                assert effect.request not in self.streams, "answered while it streams"
                self.answers[effect.request] = as_json(effect.response)
            elif isinstance(effect, do.StartStream):
                assert effect.request not in self.streams, "begun twice"
                if effect.request in self.gone_requests:
                    self._events.append(on.StreamClosed(effect.request, "the peer went away"))
                self.streams[effect.request] = Stream(effect, self._kind_of(effect.request))
                self.streams[effect.request].is_open = effect.request not in self.gone_requests
            elif isinstance(effect, do.Send):
                stream = self.streams.get(effect.stream)
                assert stream is not None, "a record before the stream's headers"
                if effect.stream in self.gone_requests:
                    continue
                assert stream.is_open, "a record after the stream's end"
                stream.take(effect.data)
            elif isinstance(effect, do.EndStream):
                assert effect.stream in self.streams, "the end of a stream that never began"
                self.streams[effect.stream].is_open = False
            elif isinstance(effect, do.ServeFile):
                self.answers[effect.request] = as_json(serve(effect))
            elif isinstance(effect, do.Halt):
                self.halted = effect

    def give(self, event: on.Event) -> None:
        """One event and all that follows at once."""
        self._events.append(event)
        while self._events and self.halted is None:
            self._perform(self.machine.handle(self.now, self._events.pop(0)))
            if not self.slow_store and self.commits:
                self._settle_one()
            self.check_books()

    def _settle_one(self) -> None:
        commit = self.commits.pop(0)
        for write in commit.writes:
            version = self.store[write.path][1] if write.path in self.store else None
            if isinstance(write, Check) and version != write.version:
                self._events.append(on.CommitFailed(commit.token, "another version", True))
                return
        versions = {}
        for write in commit.writes:
            if isinstance(write, Put):
                version = self.store[write.path][1] + 1 if write.path in self.store else 0
                self.store[write.path] = (write.data, version)
                versions[write.path] = version
            elif not isinstance(write, Check):
                self.store.pop(write.path, None)
        self._events.append(on.Committed(commit.token, versions))

    def settle(self) -> None:
        """A slow store makes what was asked of it."""
        while self.commits:
            self._settle_one()
            self.give(self._events.pop())

    def wait(self, seconds: float) -> None:
        """Let time pass, firing timers in order."""
        until = self.now + seconds
        while due := [(at, name) for name, at in self.timers.items() if at <= until]:
            at, name = min(due)
            del self.timers[name]
            self.now = max(self.now, at)
            self.give(on.TimerFired(name))
            for answer in self.when_pinged if name == PING_TIMER else ():
                answer()
        self.now = until

    # --- requests ------------------------------------------------------------------------

    def send(
        self,
        method: str,
        path: str,
        query: dict[str, list[str]] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        peer: str = "10.0.0.1",
    ) -> str:
        """A request; its id. The answer is in `answers`, `streams`, or not there yet."""
        self.requests += 1
        headers, body = self._spoken(path, headers or {}, body)
        self.paths[f"r{self.requests}"] = path
        request = Request(f"r{self.requests}", method, path, query or {}, headers, body, peer)
        answer = self.api.dispatch(self.now, request)
        if isinstance(answer, Response):
            self.answers[request.id] = as_json(answer)
        else:
            self.give(answer)
        return request.id

    def _kind_of(self, request: str) -> type[Any]:
        path = self.paths[request]
        if "/api/v1/agent" in path:
            return link.Event
        return scheduler.Event if "/scheduler" in path else operator_answers.Event

    def _spoken(
        self, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[dict[str, str], bytes]:
        """A call in the world's encoding; what is no call, or chooses its own, stays."""
        own = headers.get("content-type") != JSON["content-type"] or "accept" in headers
        if self.speaks is Media.JSON or own or "/api/v1/agent" in path or "/api/v1" not in path:
            return headers, body
        try:
            kind = scheduler.Call if "/scheduler" in path else operator.Call
            translated = self.speaks.encode(codec.decode(body, kind))
        except WireError:
            return headers, body
        return {
            **headers,
            "content-type": self.speaks.value,
            "accept": self.speaks.value,
        }, translated

    def post(
        self, path: str, body: Any, headers: dict[str, str] | None = None, peer: str = "10.0.0.1"
    ) -> str:
        """POST JSON; the request's id."""
        data = json.dumps(body).encode()
        return self.send("POST", path, None, {**JSON, **(headers or {})}, data, peer)

    def ask(self, method: str, path: str, **query: str) -> Response:
        """A request that is answered at once."""
        return self.answers[self.send(method, path, {k: [v] for k, v in query.items()})]

    def read(self, path: str, **query: str) -> Any:
        """The JSON of a GET."""
        response = self.ask("GET", path, **query)
        assert response.status == 200, response
        return json.loads(response.whole)

    def leave(self, stream: str) -> None:
        """The peer of a stream, or of a request that waits, goes away."""
        self.gone_requests[stream] = None
        if stream in self.streams and self.streams[stream].is_open:
            self.streams[stream].is_open = False
            self.give(on.StreamClosed(stream, "the peer went away"))

    # --- life ----------------------------------------------------------------------------

    def lead(self) -> "World":
        """Win the election and recover."""
        payload = codec.encode(self.machine.info)
        self.give(on.LeaderChanged("zk://h/mesos", payload, mine=True))
        return self

    def follow(self, leader: MasterInfo | None = OTHER) -> "World":
        """Somebody else leads, or nobody."""
        payload = None if leader is None else codec.encode(leader)
        self.give(on.LeaderChanged("zk://h/mesos", payload, mine=False))
        return self

    def next_master(self, **changes: Any) -> "World":
        """Another master that takes over the store later."""
        world = World(self.store, seed=b"next", **changes)
        world.now = self.now
        return world.lead()

    # --- the books -----------------------------------------------------------------------

    def check_books(self) -> None:
        """The invariants of the state, after every step."""
        state = self.machine.state
        charged: dict[tuple[str, str], dict[str, int]] = {}

        def charge(role: str, framework: str, scalars: dict[str, int]) -> None:
            sums = charged.setdefault((role, framework), {})
            for name, amount in scalars.items():
                sums[name] = sums.get(name, 0) + amount

        for agent in state.agents.values():
            used = offered = EMPTY
            for key, record in agent.tasks.items():
                assert state.frameworks[key[0]].tasks[key[1]] is record
                if record.holds_resources:
                    used = used + record.resources
                    charge(record.role, key[0], record.resources.scalars())
            for (owner, executor_id), executor in agent.executors.items():
                assert state.frameworks[owner].executors[agent.id, executor_id] is executor
                used = used + executor.resources
                charge(executor.role, owner, executor.resources.scalars())
            for offer in agent.offers.values():
                assert state.offers[offer.id] is offer
                assert state.frameworks[offer.framework].offers[offer.id] is offer
                assert state.frameworks[offer.framework].is_connected and agent.is_connected
                assert agent.is_active
                offered = offered + offer.resources
                charge(offer.role, offer.framework, offer.resources.scalars())
            assert agent.used == used and agent.offered == offered
            assert agent.total.contains(offered.non_shared())
            assert state.unreachable.get(agent.id) is None and agent.id not in state.recovered
        assert len(state.offers) == sum(len(agent.offers) for agent in state.agents.values())
        for framework in state.frameworks.values():
            assert framework.id not in state.completed
            held = [task.resources for task in framework.tasks.values() if task.holds_resources]
            for (agent_id, executor_id), executor in framework.executors.items():
                there = state.agents[agent_id].executors
                assert there[framework.id, executor_id] is executor
                held.append(executor.resources)
            assert framework.used == sum(held, EMPTY)
            for record in framework.tasks.values():
                holder = state.agents[record.task.agent_id.value]
                assert holder.tasks[record.key] is record
        self._check_inverse_offers()
        self._check_tree(charged)

    def _check_inverse_offers(self) -> None:
        state = self.machine.state
        asked = {
            offer.id: offer
            for agent in state.agents.values()
            for offer in (agent.outage.asked.values() if agent.outage is not None else ())
        }
        assert asked == state.inverse_offers
        for framework in state.frameworks.values():
            for name, offer in framework.inverse_offers.items():
                assert asked[name] is offer and framework.is_connected
        assert set(state.outages) == {
            agent.id for agent in state.agents.values() if agent.outage is not None
        }
        self._check_pages()

    def _check_pages(self) -> None:
        """What pages keep of tasks and agents is what they would say anew."""
        state = self.machine.state
        for name, make in (("state", legacy.state), ("summary", legacy.state_summary)):
            path = "/state" if name == "state" else "/state-summary"
            shown = self.api.dispatch(self.now, Request("page", "GET", path))
            if isinstance(shown, Response) and shown.status == 200:
                assert b"".join(shown.body) == b"".join(make(self.machine))
        for framework in (*state.frameworks.values(), *state.completed.values()):
            for record in (
                *framework.tasks.values(),
                *framework.unreachable.values(),
                *framework.completed,
            ):
                anew = entries.task(record.task, record.resources, record.role)
                assert pieces.task(record, record.task) == msgspec.json.encode(anew)
        for agent in state.agents.values():
            values = values_of(agent)
            assert pieces.agent(agent, values) == msgspec.json.encode(entries.agent(values))

    def _check_tree(self, charged: dict[tuple[str, str], dict[str, int]]) -> None:
        tree = self.machine.tree
        roles: dict[str, dict[str, int]] = {}
        for (role, framework), scalars in charged.items():
            client = tree.client(role, framework)
            assert client is not None
            assert tree.as_scalars(client.held) == {k: v for k, v in scalars.items() if v}
            parts = role.split("/")
            for depth in range(1, len(parts) + 1):
                sums = roles.setdefault("/".join(parts[:depth]), {})
                for name, amount in scalars.items():
                    sums[name] = sums.get(name, 0) + amount
        for role in tree.roles():
            wanted = {name: value for name, value in roles.get(role, {}).items() if value}
            assert tree.allocated(role) == wanted, f"{role} does not hold {wanted}"
            for name, client in tree.clients(role).items():
                known = self.machine.state.frameworks.get(name)
                assert any(client.held) or (known is not None and role in known.roles)
                takes_part = (
                    known is not None
                    and known.is_connected
                    and role in known.roles
                    and role not in known.suppressed
                )
                assert (client.claimant is not None) == takes_part
        reserved: dict[str, dict[str, int]] = {}
        for agent in self.machine.state.agents.values():
            for role, part in agent.total.reserved().items():
                sums = reserved.setdefault(role.partition("/")[0], {})
                for name, amount in part.non_revocable().scalars().items():
                    sums[name] = sums.get(name, 0) + amount
        assert {top: tree.as_scalars(held) for top, held in tree._reserved.items()} == reserved
        totals: dict[str, int] = {}
        for agent in self.machine.state.agents.values():
            for name, amount in agent.total.scalars().items():
                totals[name] = totals.get(name, 0) + amount
        assert tree.totals == {k: v for k, v in totals.items() if v}


def encoded(data: bytes) -> str:
    """Bytes as JSON carries them."""
    return base64.b64encode(data).decode()
