"""Processes of one ensemble that stand, follow and write: by the real ZooKeeper or the simulated.

Both kinds offer the same: parties with what they were told, links that are cut, deaf or whole,
sessions that the servers give up. Time passes as the kind has it, so tests only `wait` for things.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from kazoo.client import KazooClient

from mesosphere.kernel.effects import Commit, Effect, Load
from mesosphere.kernel.events import Committed, Event, LeaderChanged, Loaded, SessionLost
from mesosphere.kernel.store import Write
from mesosphere.runtime.coordination import open_coordination
from mesosphere.runtime.store import StoreInDoubt
from mesosphere.simulation.ensemble import HOST, SESSION_S, Client, Ensemble
from mesosphere.simulation.network import Network
from mesosphere.simulation.world import World

GROUP = "/election"
REAL_SESSION_S = 3.0
PATIENCE_S = 30.0


class InDoubt(Exception):
    """A commit may have been made or not."""


class Party:
    """One process: what it was told, in order, and what it believes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: list[Event] = []

    def hear(self, event: Event) -> None:
        self.told.append(event)

    @property
    def leaders(self) -> list[str | None]:
        """The payloads it was told of, in order."""
        changes = [event for event in self.told if isinstance(event, LeaderChanged)]
        return [None if each.payload is None else each.payload.decode() for each in changes]

    @property
    def leads(self) -> bool:
        """Whether it believes that it leads."""
        changes = [e for e in self.told if isinstance(e, LeaderChanged | SessionLost)]
        return bool(changes) and isinstance(changes[-1], LeaderChanged) and changes[-1].mine

    @property
    def losses(self) -> int:
        """How often it was told that its session is lost."""
        return sum(isinstance(event, SessionLost) for event in self.told)


class Ensembles(Protocol):
    """What a test may do; `party` starts one that follows the group."""

    session_s: float

    async def party(self, name: str) -> Party: ...

    def stand(self, party: Party) -> None: ...

    def withdraw(self, party: Party) -> None: ...

    async def end(self, party: Party) -> None: ...

    def crash(self, party: Party) -> None: ...

    async def expire(self, party: Party) -> None: ...

    def cut(self, party: Party) -> None: ...

    def deafen(self, party: Party) -> None: ...

    def mend(self, party: Party) -> None: ...

    async def wait(self, is_so: Callable[[], bool], what: str) -> None: ...

    async def pass_time(self, seconds: float) -> None: ...

    async def commit(self, party: Party, writes: Sequence[Write]) -> dict[str, int]: ...

    async def load(self, party: Party, path: str) -> dict[str, tuple[bytes, int]]: ...


# --- the simulated ------------------------------------------------------------------------------


class _Process(Party):
    """As much of a simulated process as a client needs."""

    def __init__(self, name: str, host: str) -> None:
        super().__init__(name)
        self.host = host
        self.is_paused = False
        self.answer_loss = 0.0

    def deliver(self, event: Event) -> None:
        self.hear(event)

    def settle_commit(self, effect: Commit, event: Event) -> None:
        self.hear(event)


class SimulatedEnsembles:
    """See Ensembles; time is virtual."""

    session_s = SESSION_S

    def __init__(self) -> None:
        self._world = World(7)
        self._network = Network(self._world)
        self._ensemble = Ensemble(self._world, self._network)
        self._clients: dict[str, Client] = {}
        self._count = 0

    async def party(self, name: str) -> Party:
        process = _Process(name, f"10.0.0.{len(self._clients) + 1}")
        client = self._clients[name] = Client(self._ensemble, process, "/root")  # type: ignore[arg-type]
        client.detect(GROUP)
        return process

    def stand(self, party: Party) -> None:
        self._clients[party.name].contend(GROUP, party.name.encode())

    def withdraw(self, party: Party) -> None:
        self._clients[party.name].withdraw(GROUP)

    async def end(self, party: Party) -> None:
        self._clients[party.name].close(crash=False)

    def crash(self, party: Party) -> None:
        self._clients[party.name].close(crash=True)

    async def expire(self, party: Party) -> None:
        self._clients[party.name].lose_session()

    def cut(self, party: Party) -> None:
        host = self._clients[party.name].host
        self._network.cut(host, HOST)
        self._network.cut(HOST, host)

    def deafen(self, party: Party) -> None:
        self._network.cut(HOST, self._clients[party.name].host)

    def mend(self, party: Party) -> None:
        self._network.heal()

    async def wait(self, is_so: Callable[[], bool], what: str) -> None:
        end = self._world.elapsed_s + 10 * PATIENCE_S
        while not is_so():
            assert self._world.elapsed_s < end, f"waited in vain: {what}"
            self._world.run(self._world.elapsed_s + 0.01)

    async def pass_time(self, seconds: float) -> None:
        self._world.run(self._world.elapsed_s + seconds)

    async def _perform(self, party: Party, effect: Effect) -> Event:
        before = len(party.told)
        client = self._clients[party.name]
        if isinstance(effect, Commit):
            client.commit(effect)
        elif isinstance(effect, Load):
            client.load(effect)
        found: list[Event] = []

        def settled() -> bool:
            found[:] = [e for e in party.told[before:] if getattr(e, "token", None) == effect.token]  # type: ignore[union-attr]
            return bool(found)

        await self.wait(settled, f"an answer to {effect}")
        return found[0]

    async def commit(self, party: Party, writes: Sequence[Write]) -> dict[str, int]:
        self._count += 1
        event = await self._perform(party, Commit(f"c{self._count}", tuple(writes)))
        if isinstance(event, Committed):
            return event.versions
        assert not event.definite  # type: ignore[attr-defined]
        raise InDoubt

    async def load(self, party: Party, path: str) -> dict[str, tuple[bytes, int]]:
        self._count += 1
        event = await self._perform(party, Load(f"l{self._count}", path))
        assert isinstance(event, Loaded)
        return dict(event.entries)


# --- the real -----------------------------------------------------------------------------------


class _Relay:
    """A TCP relay whose bytes stop: both ways, or only those that come back."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._flows = asyncio.Event()
        self._answers = asyncio.Event()
        self.mend()

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers += [writer, back]
            await asyncio.gather(
                self._pump(reader, back, ()), self._pump(there, writer, (self._answers,))
            )

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        gates: tuple[asyncio.Event, ...],
    ) -> None:
        while data := await reader.read(65536):
            for gate in (self._flows, *gates):
                await gate.wait()
            writer.write(data)
            await writer.drain()
        writer.close()

    def cut(self) -> None:
        self._flows.clear()

    def deafen(self) -> None:
        self._answers.clear()

    def mend(self) -> None:
        """What was held back goes on, as TCP would repeat it."""
        self._flows.set()
        self._answers.set()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()


class _Member(Party):
    def __init__(self, name: str, relay: _Relay, coordination: Any) -> None:
        super().__init__(name)
        self.relay = relay
        self.coordination = coordination
        self.store: Any = None


class RealEnsembles:
    """See Ensembles; each party has a relay of its own before the server."""

    session_s = REAL_SESSION_S

    def __init__(self, port: int, root: str, directory: Path) -> None:
        self._port = port
        self._root = root
        self._directory = directory
        self._members: dict[str, _Member] = {}

    async def party(self, name: str) -> Party:
        relay = _Relay(self._port)
        url = f"zk://127.0.0.1:{await relay.open()}{self._root}"
        coordination = open_coordination(url, self._directory, REAL_SESSION_S)
        member = self._members[name] = _Member(name, relay, coordination)
        member.store = await coordination.open(member.hear)
        coordination.detect(GROUP, "")
        return member

    def stand(self, party: Party) -> None:
        self._members[party.name].coordination.contend(GROUP, "", party.name.encode())

    def withdraw(self, party: Party) -> None:
        self._members[party.name].coordination.withdraw(GROUP)

    async def end(self, party: Party) -> None:
        await self._members[party.name].coordination.close()

    def crash(self, party: Party) -> None:
        self.cut(party)

    async def expire(self, party: Party) -> None:
        """Whoever has a session's id and password may end it."""
        client = self._client(party)
        twin = KazooClient(f"127.0.0.1:{self._port}", REAL_SESSION_S, client_id=client.client_id)
        await asyncio.to_thread(twin.start)
        await asyncio.to_thread(twin.stop)
        twin.close()

    def _client(self, party: Party) -> KazooClient:
        [client] = self._members[party.name].coordination._ensembles._clients.values()
        return client

    def cut(self, party: Party) -> None:
        self._members[party.name].relay.cut()

    def deafen(self, party: Party) -> None:
        self._members[party.name].relay.deafen()

    def mend(self, party: Party) -> None:
        self._members[party.name].relay.mend()

    async def wait(self, is_so: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < end, f"waited in vain: {what}"
            await asyncio.sleep(0.02)

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def commit(self, party: Party, writes: Sequence[Write]) -> dict[str, int]:
        try:
            return dict(await self._members[party.name].store.commit(writes))
        except StoreInDoubt as error:
            raise InDoubt from error

    async def load(self, party: Party, path: str) -> dict[str, tuple[bytes, int]]:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return dict(await self._members[party.name].store.load(path))
            except StoreInDoubt:  # a client that was cut off may still be on its way back
                if time.monotonic() > end:
                    raise
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        """End all of it."""
        for member in self._members.values():
            member.relay.mend()
        for member in self._members.values():
            await member.coordination.close()
            member.relay.close()


@contextlib.asynccontextmanager
async def real_ensembles(port: int, root: str, directory: Path) -> AsyncIterator[RealEnsembles]:
    """The real kind, for one test."""
    found = RealEnsembles(port, root, directory)
    try:
        yield found
    finally:
        await found.close()
