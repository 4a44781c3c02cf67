"""Store and election of a daemon: ZooKeeper's, or a directory's for a daemon that stands alone.

A `group` in `Contend` and `Detect` is "zk://hosts/path" (any ensemble), "host:port" (a leader that
is fixed), or a path below the daemon's own root.
"""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mesosphere.kernel.events import Event, LeaderChanged
from mesosphere.runtime.file_store import FileStore
from mesosphere.runtime.store import Store
from mesosphere.runtime.zookeeper import Ensembles, ZooKeeperStore

Deliver = Callable[[Event], None]

SESSION_TIMEOUT_S = 10.0


class Coordination(Protocol):
    """What the node needs."""

    async def open(self, deliver: Deliver) -> Store:
        """Start; returns the store."""

    def contend(self, group: str, label: str, payload: bytes) -> None:
        """Perform a Contend."""

    def withdraw(self, group: str) -> None:
        """Perform a Withdraw."""

    def detect(self, group: str, label: str) -> None:
        """Perform a Detect."""

    async def close(self) -> None:
        """Give everything up."""


def open_coordination(
    zk_url: str | None, state_dir: Path, session_timeout_s: float = SESSION_TIMEOUT_S
) -> Coordination:
    """Coordination by `zk://...`, or alone with the state in a directory."""
    if zk_url is None:
        return Alone(state_dir, session_timeout_s)
    return InEnsemble(zk_url, session_timeout_s)


class _Following:
    """What both kinds share: following leaders elsewhere."""

    def __init__(self, session_timeout_s: float) -> None:
        self._ensembles = Ensembles(session_timeout_s)
        self._deliver: Deliver = lambda event: None

    def detect(self, group: str, label: str) -> None:
        """See Coordination."""
        if group.startswith("zk://"):
            self._ensembles.detect(group, label, group, self._deliver)
            return
        host, _, port = group.rpartition(":")
        try:
            ip = socket.gethostbyname(host)
        except OSError:
            ip = host
        address = {"hostname": host, "ip": ip, "port": int(port)}
        payload = json.dumps({"address": address}).encode()
        self._deliver(LeaderChanged(group, payload))

    async def close(self) -> None:
        """See Coordination."""
        await self._ensembles.close()


class Alone(_Following):
    """The only candidate, with a file store."""

    def __init__(self, state_dir: Path, session_timeout_s: float) -> None:
        super().__init__(session_timeout_s)
        self._state_dir = state_dir

    async def open(self, deliver: Deliver) -> Store:
        """See Coordination."""
        self._deliver = deliver
        return FileStore(self._state_dir)

    def contend(self, group: str, label: str, payload: bytes) -> None:
        """See Coordination."""
        self._deliver(LeaderChanged(group, payload, mine=True))

    def withdraw(self, group: str) -> None:
        """See Coordination."""
        self._deliver(LeaderChanged(group, None))


class InEnsemble(_Following):
    """A member of a ZooKeeper ensemble's clients."""

    def __init__(self, zk_url: str, session_timeout_s: float) -> None:
        super().__init__(session_timeout_s)
        self._zk_url = zk_url.rstrip("/")

    async def open(self, deliver: Deliver) -> Store:
        """See Coordination."""
        self._deliver = deliver
        client, root = self._ensembles.open(self._zk_url)
        return ZooKeeperStore(client, root)

    def _absolute(self, group: str) -> str:
        return group if group.startswith("zk://") else self._zk_url + group

    def contend(self, group: str, label: str, payload: bytes) -> None:
        """See Coordination."""
        self._ensembles.contend(self._absolute(group), label, payload, group, self._deliver)

    def withdraw(self, group: str) -> None:
        """See Coordination."""
        self._ensembles.withdraw(self._absolute(group))

    def detect(self, group: str, label: str) -> None:
        """See Coordination."""
        if group.startswith("/"):
            self._ensembles.detect(self._absolute(group), label, group, self._deliver)
        else:
            super().detect(group, label)
