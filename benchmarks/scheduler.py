"""A light framework over real sockets: subscribes, takes offers, launches, acknowledges, times."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
from benchmarks import messages
from benchmarks.connection import Calls, Connection, request

from mesosphere.wire.recordio import Decoder

PATH = "/api/v1/scheduler"


class _Id(msgspec.Struct, gc=False, frozen=True):
    value: str = ""


class Offer(msgspec.Struct, gc=False, frozen=True):
    """What is read of an offer."""

    id: _Id
    agent_id: _Id


class _Offers(msgspec.Struct, gc=False, frozen=True):
    offers: list[Offer] = []


class _Status(msgspec.Struct, gc=False, frozen=True):
    task_id: _Id
    state: str
    agent_id: _Id = _Id()
    uuid: str | None = None


class _Update(msgspec.Struct, gc=False, frozen=True):
    status: _Status


class _Subscribed(msgspec.Struct, gc=False, frozen=True):
    framework_id: _Id


class _Event(msgspec.Struct, gc=False, frozen=True):
    type: str
    subscribed: _Subscribed | None = None
    offers: _Offers | None = None
    update: _Update | None = None


_EVENTS = msgspec.json.Decoder(_Event)


class Scheduler(Connection):
    """One framework. `on_offer(offer)` says how many tasks to launch from it."""

    def __init__(self, host: str, port: int, framework_id: str = "") -> None:
        super().__init__()
        self.address = (host, port)
        self.calls = Calls(host, port, 16)
        self.id = framework_id
        self.stream_id = ""
        self.subscribed_at = self.first_offer_at = self.began_at = 0.0
        self.on_offer: Callable[[Offer], int] = lambda offer: 0
        self.offers = self.launched = self.running = self.updates = 0
        self.launched_at: dict[str, float] = {}
        self.latencies: list[float] = []
        self._decoder = Decoder()
        self._wake = asyncio.Event()

    async def subscribe(self, name: str = "bench") -> None:
        """Open the stream and wait for SUBSCRIBED."""
        await self.calls.open()
        await asyncio.get_running_loop().create_connection(lambda: self, *self.address)
        self.began_at = time.monotonic()
        self.transport.write(request("POST", PATH, messages.subscribe_scheduler(name, self.id)))
        await self.until(lambda: self.subscribed_at > 0)

    async def until(self, is_done: Callable[[], bool], timeout_s: float = 120.0) -> None:
        """Wait for something that events bring about."""
        async with asyncio.timeout(timeout_s):
            while not is_done():
                self._wake.clear()
                await self._wake.wait()

    def close(self) -> None:
        """Drop every connection."""
        self.calls.close()
        self.transport.abort()

    def on_answer(self, status: int) -> None:
        self.stream_id = self.headers.get("mesos-stream-id", "")

    def on_data(self, data: bytes) -> None:
        for record in self._decoder.feed(data):
            self._take(_EVENTS.decode(record))
        self._wake.set()

    def _take(self, event: _Event) -> None:
        now = time.monotonic()
        if event.subscribed is not None:
            self.id, self.subscribed_at = event.subscribed.framework_id.value, now
        elif event.offers is not None:
            self.first_offer_at = self.first_offer_at or now
            for offer in event.offers.offers:
                self.offers += 1
                self.accept(offer, self.on_offer(offer))
        elif event.update is not None:
            self.updates += 1
            status = event.update.status
            if status.uuid is not None:
                self._acknowledge(status)
            began = self.launched_at.pop(status.task_id.value, None)
            if began is not None and status.state == "TASK_RUNNING":
                self.running += 1
                self.latencies.append(now - began)

    def accept(self, offer: Offer, count: int) -> None:
        """Launch tasks from an offer; 0: keep it."""
        if count == 0:
            return
        names = [f"{self.id}-{self.launched + number}" for number in range(count)]
        self.launched += count
        body = messages.accept(self.id, offer.agent_id.value, offer.id.value, names)
        now = time.monotonic()
        for name in names:
            self.launched_at[name] = now
        self.call(body)

    def _acknowledge(self, status: _Status) -> None:
        self.call(
            b'{"type":"ACKNOWLEDGE","framework_id":{"value":"%b"},"acknowledge":{"agent_id":'
            b'{"value":"%b"},"task_id":{"value":"%b"},"uuid":"%b"}}'
            % tuple(
                text.encode()
                for text in (
                    self.id, status.agent_id.value, status.task_id.value, status.uuid or ""
                )
            )
        )  # fmt: skip

    def call(self, body: bytes) -> None:
        """Make a call."""
        self.calls.send(request("POST", PATH, body, f"Mesos-Stream-Id: {self.stream_id}\r\n"))

    def ask(self, kind: str, body: dict[str, Any] | None = None) -> None:
        """Make a call of a kind."""
        call: dict[str, Any] = {"type": kind, "framework_id": {"value": self.id}}
        if body is not None:
            call[kind.lower()] = body
        self.call(msgspec.json.encode(call))
