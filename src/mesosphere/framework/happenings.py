"""What the framework client tells its holder, beside the events of the scheduler API."""

import msgspec


class Subscribed(msgspec.Struct, frozen=True):
    """SUBSCRIBED arrived: keep the framework id durably before launching anything."""

    framework_id: str
    master: str  # "http://host:port" of the leader


class Lost(msgspec.Struct, frozen=True):
    """The subscription broke: every offer is gone; the client is already trying again."""

    reason: str


class Refused(msgspec.Struct, frozen=True):
    """The master refused this framework; the client has stopped. `for_good`: the id is burnt."""

    message: str
    for_good: bool


class CallLost(msgspec.Struct, frozen=True):
    """A call was refused or did not certainly arrive. Its `tasks` are being reconciled."""

    type: str
    tasks: tuple[str, ...]
    reason: str
    definite: bool
