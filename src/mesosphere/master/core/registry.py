"""The registry: what a new leader must know before it may act.

Nodes below the store's root: `/agents/<bucket>` hold the agents by id, each admitted, unreachable
or gone, in 64 buckets, because a write costs per node and hardly per byte; `/frameworks/<id>` hold
the frameworks, so that a failover timeout survives a change of leader (the original forgets it);
`/maintenance` holds the schedule and which machines are down. Whatever else is small and written
whole (quotas, weights) is a *document*, a node of its own, whose content its module knows.

Source: Mesos, src/master/registry.proto and registrar.cpp, for what is kept.
"""

import zlib

import msgspec

from mesosphere.kernel.ledger import EPOCH, Ledger
from mesosphere.kernel.store import Put, Remove, Write
from mesosphere.master.core.schedule import Key, Maintenance, key_of
from mesosphere.wire import mesos
from mesosphere.wire.mesos import codec

BUCKETS = 64

ADMITTED = "admitted"
UNREACHABLE = "unreachable"
GONE = "gone"
MAINTENANCE = "/maintenance"


class AgentRecord(msgspec.Struct, gc=False, omit_defaults=True):
    """`since` is when it came into this state, seconds since 1970.

    `drain` and `is_deactivated` are an operator's wishes, which hold until it takes them back.
    """

    info: mesos.AgentInfo
    state: str
    since: float
    drain: mesos.DrainInfo | None = None
    is_deactivated: bool = False


class FrameworkRecord(msgspec.Struct, gc=False):
    """`registered_at` in seconds since 1970."""

    info: mesos.FrameworkInfo
    registered_at: float


_AGENTS = msgspec.json.Decoder(dict[str, AgentRecord])


def _read_agents(data: bytes) -> dict[str, AgentRecord]:
    try:
        return _AGENTS.decode(data)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error


def bucket_of(agent_id: str) -> str:
    """The node of an agent."""
    return f"/agents/{zlib.crc32(agent_id.encode()) % BUCKETS:02d}"


class Registry:
    """The records, and the ledger that writes them."""

    def __init__(self) -> None:
        self.agents: dict[str, AgentRecord] = {}
        self.frameworks: dict[str, FrameworkRecord] = {}
        self.maintenance = Maintenance()
        self.down: dict[Key, None] = {}
        self.documents: dict[str, bytes] = {}  # path -> content
        # Node -> agent id -> its part of the node: a write costs no encoding of the neighbours.
        self._buckets: dict[str, dict[str, bytes]] = {}
        self.ledger = Ledger("registry", self._render)

    def put_agent(self, agent_id: str, record: AgentRecord) -> None:
        """Set an agent's record."""
        path = bucket_of(agent_id)
        self.agents[agent_id] = record
        part = b"%b:%b" % (codec.encode(agent_id), codec.encode(record))
        self._buckets.setdefault(path, {})[agent_id] = part
        self.ledger.mark(path)

    def remove_agent(self, agent_id: str) -> None:
        """Forget an agent."""
        path = bucket_of(agent_id)
        if self.agents.pop(agent_id, None) is not None:
            del self._buckets[path][agent_id]
            self.ledger.mark(path)

    def put_maintenance(self, maintenance: Maintenance) -> None:
        """Set the schedule and the machines that are down."""
        self.maintenance = maintenance
        self.down = dict.fromkeys(key_of(machine) for machine in maintenance.down)
        self.ledger.mark(MAINTENANCE)

    def put_framework(self, framework_id: str, record: FrameworkRecord) -> None:
        """Set a framework's record."""
        self.frameworks[framework_id] = record
        self.ledger.mark(f"/frameworks/{framework_id}")

    def remove_framework(self, framework_id: str) -> None:
        """Forget a framework."""
        if self.frameworks.pop(framework_id, None) is not None:
            self.ledger.mark(f"/frameworks/{framework_id}")

    def put_document(self, path: str, data: bytes) -> None:
        """Set a document, at most 500 kB."""
        self.documents[path] = data
        self.ledger.mark(path)

    def size_bytes(self) -> int:
        """What the nodes hold together, but for the frameworks'."""
        return sum(len(part) for parts in self._buckets.values() for part in parts.values()) + sum(
            map(len, self.documents.values())
        )

    def load(self, entries: dict[str, tuple[bytes, int]]) -> None:
        """Read the store's content. Raises ValueError for what can't be read."""
        for path in sorted(entries):
            data = entries[path][0]
            if path.startswith("/agents/"):
                for agent_id, agent in _read_agents(data).items():
                    self.put_agent(agent_id, agent)
            elif path.startswith("/frameworks/"):
                record = codec.decode(data, FrameworkRecord)
                self.put_framework(path.removeprefix("/frameworks/"), record)
            elif path == MAINTENANCE:
                self.put_maintenance(Maintenance.unpacked(data))
            elif path != EPOCH:
                self.documents[path] = data
        self.ledger.forget()

    def _render(self, path: str) -> Write:
        if path.startswith("/agents/"):
            return Put(path, b"{%b}" % b",".join(self._buckets.get(path, {}).values()))
        if path == MAINTENANCE:
            return Put(path, self.maintenance.packed())
        if path in self.documents:
            return Put(path, self.documents[path])
        record = self.frameworks.get(path.removeprefix("/frameworks/"))
        return Remove(path) if record is None else Put(path, codec.encode(record))
