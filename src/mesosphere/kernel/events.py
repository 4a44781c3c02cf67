"""What a runtime tells a machine. Past tense; the effect that leads to each is named.

Components add their own events (commands made by their `api` module) as subclasses of `Event`.
`definite` on a failure says whether the thing certainly did not happen (True) or may have
happened (False).
"""

import msgspec


class Event(msgspec.Struct, frozen=True, gc=False):
    """Base of every event."""


class StopRequested(Event, frozen=True):
    """The process was asked to end (TERM, INT), an agent perhaps for good (USR1).

    The machine ends with Halt(CLEAN).
    """

    signal: str = "TERM"


class Sampled(Event, frozen=True):
    """Gauges of host and process, every 10 s: "system/load_1min", "process/rss_bytes", ..."""

    values: dict[str, float]


class TimerFired(Event, frozen=True):
    """SetTimer's delay has passed."""

    name: str


class StepTimed(Event, frozen=True):
    """TimeStep's answer: for so long the machine was busy with that step."""

    name: str
    duration_s: float


class Committed(Event, frozen=True):
    """Commit was made; `versions` holds the new version of each path put (ZooKeeper's count)."""

    token: str
    versions: dict[str, int]


class CommitFailed(Event, frozen=True):
    """Commit was refused (`definite`: version conflict or limit) or is in doubt (not definite)."""

    token: str
    reason: str
    definite: bool


class Loaded(Event, frozen=True):
    """Load's answer: path -> (data, version) of the node and all below it; empty if absent."""

    token: str
    entries: dict[str, tuple[bytes, int]]


class LoadFailed(Event, frozen=True):
    """Load could not be answered."""

    token: str
    reason: str


class CheckpointFailed(Event, frozen=True):
    """A file could not be written; nothing that waited on it was done."""

    path: str
    reason: str


class LeaderChanged(Event, frozen=True):
    """The leader of `group` is now `payload` (None: nobody). `mine`: it is our own candidacy."""

    group: str
    payload: bytes | None
    mine: bool = False


class SessionLost(Event, frozen=True):
    """The coordination session expired: every candidacy of ours is gone."""

    reason: str


class StreamClosed(Event, frozen=True):
    """A stream that we serve has ended at the peer's side, or was cut for being too slow."""

    stream: str
    reason: str


class CallAnswered(Event, frozen=True):
    """Call's answer, whatever its status. Header names are lower case."""

    call: str
    status: int
    headers: dict[str, str]
    body: bytes


class CallFailed(Event, frozen=True):
    """Call got no answer. `definite` is True when the request certainly was not executed."""

    call: str
    reason: str
    definite: bool


class Connected(Event, frozen=True):
    """Connect got response headers. On any status but 200 `body` is the answer and no record
    will follow: the stream is already closed."""

    stream: str
    status: int
    headers: dict[str, str]
    body: bytes = b""


class Received(Event, frozen=True):
    """One record of a stream opened by Connect."""

    stream: str
    record: bytes


class Disconnected(Event, frozen=True):
    """A stream opened by Connect could not be opened, broke, ended, or stayed silent too long."""

    stream: str
    reason: str


class Probed(Event, frozen=True):
    """Probe's answer."""

    probe: str
    ok: bool
    reason: str


class ContainerStarted(Event, frozen=True):
    """The container's first process runs. `pid` is the host's process id.

    `networks` are (name, addresses) of the networks that it joined; none: it has the host's.
    """

    container: str
    pid: int
    networks: tuple[tuple[str, tuple[str, ...]], ...] = ()


class ContainerFailed(Event, frozen=True):
    """The container could not be prepared or started. `phase`: "sandbox", "fetch" or "launch"."""

    container: str
    phase: str
    reason: str


class ContainerExited(Event, frozen=True):
    """The container has ended and is cleaned up.

    `status` is the raw wait status of the first process, None when it is not known any more.
    `limitation`: "" or "memory", "disk", "pids", with the facts in `message` and the amount that
    was passed (memory used, disk allowed) in `amount_mib`.
    """

    container: str
    status: int | None
    limitation: str = ""
    message: str = ""
    amount_mib: float = 0.0


class ContainersRecovered(Event, frozen=True):
    """RecoverContainers' answer: container id -> pid still running; id -> raw status if ended."""

    running: dict[str, int]
    exited: dict[str, int | None]


class AttachmentEnded(Event, frozen=True):
    """A request that AttachContainer joined to a container was answered, or its stream has ended at
    the container's side."""

    request: str


class VolumesChanged(Event, frozen=True):
    """ChangeVolumes' answer; `failed` says by path why a directory is not as it should be."""

    token: str
    failed: dict[str, str] = {}


class CheckFinished(Event, frozen=True):
    """RunCheck's answer; `exit_code` None means it timed out or could not run (`reason`)."""

    check: str
    exit_code: int | None
    reason: str = ""


class ProxyApplied(Event, frozen=True):
    """HAProxy runs generation `generation`."""

    generation: int
    reloaded: bool


class ProxyRefused(Event, frozen=True):
    """HAProxy refused the configuration, or the runtime commands failed; the old one runs on."""

    generation: int
    reason: str


class ProxyState(Event, frozen=True):
    """What HAProxy says of itself (`show servers state` text)."""

    alive: bool
    servers: str
