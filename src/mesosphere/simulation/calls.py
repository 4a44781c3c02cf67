"""What a process asks of others: calls, streams, probes, and requests that it passes on."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from mesosphere.kernel import effects as fx
from mesosphere.kernel import events as on
from mesosphere.kernel.http import Request, Response
from mesosphere.simulation.exchange import Caller, Exchange
from mesosphere.wire.errors import WireError
from mesosphere.wire.recordio import Decoder

if TYPE_CHECKING:
    from mesosphere.simulation.node import Directory, Node

CONNECT_TIMEOUT_S = 5.0
HOP = "x-mesosphere-hop"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@lru_cache(maxsize=1024)
def _split(url: str) -> tuple[str, int, str, str]:
    """Host, port, path and query. A cluster knows a few hundred addresses."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 80, parts.path, parts.query


class _Call(Caller):
    def __init__(self, calls: "Calls", effect: fx.Call) -> None:
        self.calls = calls
        self.effect = effect
        self.life = calls.node.life
        self.is_over = False

    def settle(self, event: on.Event) -> None:
        if not self.is_over and self.life == self.calls.node.life:
            self.is_over = True
            self.calls.node.deliver(event)

    def answered(self, status: int, headers: dict[str, str], body: bytes) -> None:
        effect = self.effect
        if status in (301, 302, 307, 308) and effect.follow > 0 and not self.is_over:
            self.is_over = True
            url = headers.get("location", "")
            url = f"http:{url}" if url.startswith("//") else url
            self.calls.call(
                fx.Call(effect.call, effect.method, url, effect.headers, effect.body,
                        effect.timeout_s, effect.follow - 1, effect.limit_bytes)
            )  # fmt: skip
            return
        self.settle(on.CallAnswered(effect.call, status, headers, body))

    def broken(self, reason: str, definite: bool) -> None:
        self.settle(on.CallFailed(self.effect.call, reason, definite))


class _Stream(Caller):
    def __init__(self, calls: "Calls", effect: fx.Connect) -> None:
        self.calls = calls
        self.effect = effect
        self.decoder = Decoder()
        self.exchange: Exchange | None = None
        self.heard = calls.node.world.now
        self.is_over = False

    def say(self, event: on.Event) -> None:
        stream = self.effect.stream

        def take() -> None:
            # What a replaced stream still had to say is nobody's business.
            if self.calls.streams.get(stream) is self:
                self.calls.node._take(event)

        self.calls.node.when_awake(take)

    def answered(self, status: int, headers: dict[str, str], body: bytes) -> None:
        if not self.is_over:
            self.is_over = True
            self.say(on.Connected(self.effect.stream, status, headers, body))

    def started(self, status: int, headers: dict[str, str]) -> None:
        if not self.is_over:
            self.heard = self.calls.node.world.now
            self.say(on.Connected(self.effect.stream, status, headers))

    def received(self, data: bytes) -> None:
        if self.is_over:
            return
        self.heard = self.calls.node.world.now
        try:
            records = self.decoder.feed(data)
        except WireError as error:
            self.broken(str(error), False)
            return
        for record in records:
            self.say(on.Received(self.effect.stream, record))

    def broken(self, reason: str, definite: bool) -> None:
        if not self.is_over:
            self.is_over = True
            self.say(on.Disconnected(self.effect.stream, reason))

    def watch(self) -> None:
        """Give up after too long a silence."""
        world = self.calls.node.world
        if self.is_over or self.calls.streams.get(self.effect.stream) is not self:
            return
        left = self.heard + self.effect.idle_s - world.now
        if left <= 0:
            self.broken("timed out", False)
            if self.exchange is not None:
                self.exchange.leave()
            return
        world.at(left, self.watch)


class _Passed(Caller):
    """A request that a standby passes on: the answer goes to the one who asked."""

    def __init__(self, node: "Node", effect: fx.Proxy, asked: Exchange) -> None:
        self.node = node
        self.effect = effect
        self.asked = asked
        self.is_over = False

    def _over(self) -> bool:
        before, self.is_over = self.is_over, True
        self.node.forget_exchange(self.effect.request)
        return before

    def answered(self, status: int, headers: dict[str, str], body: bytes) -> None:
        if not self._over():
            self.asked.answer(Response(status, headers, body), lose=False)

    def started(self, status: int, headers: dict[str, str]) -> None:
        self.asked.start(status, headers)

    def received(self, data: bytes) -> None:
        self.asked.send(data)

    def broken(self, reason: str, definite: bool) -> None:
        if self._over():
            return
        if self.asked.is_stream:
            self.asked.end(reason)
        else:
            self.asked.answer(self.effect.failure, lose=False)


class Calls:
    """Everything that one process has asked and not yet heard of."""

    def __init__(self, node: "Node", directory: "Directory") -> None:
        self.node = node
        self.streams: dict[str, _Stream] = {}
        self.pending_requests: dict[str, Request] = {}
        self.on_call: Callable[[fx.Call], None] = lambda effect: None
        self._directory = directory
        self._count = 0

    def drop_all(self) -> None:
        """The process has died: the other sides hear of it."""
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            stream.is_over = True
            if stream.exchange is not None:
                stream.exchange.leave()
        self.pending_requests.clear()

    def call(self, effect: fx.Call) -> None:
        """Perform a Call."""
        caller = _Call(self, effect)
        self.on_call(effect)
        self.node.world.mix(effect.body)
        self.node.world.at(effect.timeout_s, lambda: caller.broken("timed out", False))
        self._reach(effect.method, effect.url, effect.headers, effect.body, caller)

    def connect(self, effect: fx.Connect) -> None:
        """Perform a Connect."""
        self.disconnect(effect.stream)
        stream = self.streams[effect.stream] = _Stream(self, effect)
        self.node.world.mix(effect.body)
        stream.exchange = self._reach(
            effect.method, effect.url, effect.headers, effect.body, stream
        )
        self.node.world.at(effect.idle_s, stream.watch)

    def disconnect(self, name: str) -> None:
        """Perform a Disconnect."""
        stream = self.streams.pop(name, None)
        if stream is not None:
            stream.is_over = True
            if stream.exchange is not None:
                stream.exchange.leave()

    def probe(self, effect: fx.Probe) -> None:
        """Perform a Probe."""
        network, node = self.node.network, self.node
        listens = self._directory.tasks(effect.host, effect.port) is not None
        delay = 2 * network.delay(node.host, effect.host)
        if network.is_cut(node.host, effect.host) or network.is_cut(effect.host, node.host):
            listens, delay = False, effect.timeout_s
        reason = "" if listens else "connection refused"
        node.world.at(delay, lambda: node.deliver(on.Probed(effect.probe, listens, reason)))

    def proxy(self, effect: fx.Proxy, request: Request, asked: Exchange) -> None:
        """Perform a Proxy."""
        caller = _Passed(self.node, effect, asked)
        if HOP in request.headers:
            caller.broken("the request was passed on already", True)
            return
        headers = {**request.headers, HOP: "1", **effect.headers}
        query = "&".join(f"{name}={value}" for name, values in request.query.items()
                         for value in values)  # fmt: skip
        url = effect.base_url + request.path + (f"?{query}" if query else "")
        self.node.world.at(effect.timeout_s, lambda: caller.broken("timed out", False))
        self._reach(request.method, url, headers, request.body, caller)

    def _reach(
        self, method: str, url: str, headers: dict[str, str], body: bytes, caller: Caller
    ) -> Exchange:
        host, port, path, query = _split(url)
        node, network, world = self.node, self.node.network, self.node.world
        host = node.host if host in LOOPBACK else host
        self._count += 1
        name = f"{node.name}/{node.life}/{self._count}"
        exchange = Exchange(network, node.host, caller, name)
        life = node.life
        if network.is_cut(node.host, host) or network.is_cut(host, node.host):
            world.at(
                CONNECT_TIMEOUT_S,
                lambda: caller.broken("connect timed out", True) if life == node.life else None,
            )
            return exchange
        lower = {key.lower(): value for key, value in headers.items()}
        request = Request("", method, path, parse_qs(query), lower, body, node.host)

        def arrive() -> None:
            server = self._directory.find(f"{host}:{port}")
            if server is not None:
                server.receive(request, exchange)
                return
            serve = self._directory.tasks(host, port)
            if serve is None:
                exchange.refuse(host)
                return
            status = serve(path)
            network.carry(host, node.host, name, lambda: caller.answered(status, {}, b""))

        network.carry(node.host, host, name, arrive)
        return exchange
