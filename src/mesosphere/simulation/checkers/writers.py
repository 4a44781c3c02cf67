"""One writer per epoch: who was deposed without noticing changes nothing in the store."""

from mesosphere.kernel import effects as fx
from mesosphere.kernel.store import Put
from mesosphere.simulation.ensemble import Client
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation


class Writers:
    """Whoever wrote the epoch last is the only one who may write."""

    def __init__(self, taps: Taps) -> None:
        self._writer: dict[str, Client] = {}
        taps.on_commit.append(self.committed)

    def committed(self, client: Client, commit: fx.Commit) -> None:
        """A transaction was made."""
        for write in commit.writes:
            if isinstance(write, Put) and write.path.endswith("/epoch"):
                self._writer[client.root] = client
        writer = self._writer.get(client.root)
        if writer is not client:
            known = "nobody" if writer is None else writer.host
            raise Violation(f"{client.host} writes below {client.root}, whose writer is {known}")
