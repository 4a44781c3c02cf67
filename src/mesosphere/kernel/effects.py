"""The closed list of what a machine may ask of the world.

A machine (see `kernel.machine`) never acts: it returns these values, and a runtime performs them.
There are two runtimes, the real one (`mesosphere.runtime`) and the simulated one
(`mesosphere.simulation`); a tidy test holds both against `ALL_EFFECTS`. What each effect leads to
is named in its docstring as "Event: ...", from `kernel.events`.

Order: effects of one step are performed in the order returned. `then` of a `Commit` or a
`Checkpoint` is performed only after the store said yes; that is how "persist before you speak" is
written down. Effects that follow a `Commit` in the same list do not wait for it.
"""

from typing import Any

import msgspec

from mesosphere.kernel.http import Response
from mesosphere.kernel.store import Write


class Effect(msgspec.Struct, frozen=True, gc=False):
    """Base of every effect."""


# --- process and time -----------------------------------------------------------------------


class Log(Effect, frozen=True):
    """Write one structured line. `event` is a short past-tense name, `fields` its facts."""

    level: str  # "debug", "info", "warning", "error"
    event: str
    fields: dict[str, Any] = {}


class SetVerbosity(Effect, frozen=True):
    """Log more for a while: 0 is what was configured, above it everything."""

    level: int


class SetTimer(Effect, frozen=True):
    """(Re)arm the timer `name`, replacing an armed one. Event: TimerFired(name)."""

    name: str
    delay_s: float


class CancelTimer(Effect, frozen=True):
    """Disarm the timer `name`; nothing happens if it is not armed."""

    name: str


class TimeStep(Effect, frozen=True):
    """Say how long the step took that asked for it. Event: StepTimed(name, duration_s)."""

    name: str


class Halt(Effect, frozen=True):
    """End the process with an exit code of `kernel.exit_codes`; the service manager restarts it."""

    code: int
    reason: str


# --- durable state --------------------------------------------------------------------------


class Commit(Effect, frozen=True):
    """Write to the store in one transaction: all of `writes` or none.

    Event: Committed(token, versions) right after `then` was performed, or CommitFailed(token, ...).
    A commit that failed indefinitely (connection lost) may have happened: read before retrying.
    """

    token: str
    writes: tuple[Write, ...]
    then: tuple[Effect, ...] = ()


class Load(Effect, frozen=True):
    """Read `path` and everything below it. Event: Loaded(token, entries) or LoadFailed(token)."""

    token: str
    path: str


class Checkpoint(Effect, frozen=True):
    """Write a file of the daemon's own directory durably (write aside, fsync, rename).

    `path` is relative to the work directory. `append` adds one record to the end instead.
    Event: CheckpointFailed(path, reason) when it could not be written; `then` is then dropped.
    """

    path: str
    data: bytes
    append: bool = False
    then: tuple[Effect, ...] = ()


class SetAsideCheckpoint(Effect, frozen=True):
    """Rename a damaged checkpoint, whatever lies in its place, to `<path>.damaged`, or the first of
    `.damaged.2`, `.damaged.3`, .. that is free. Event: CheckpointFailed(path, reason)."""

    path: str


class RemoveCheckpoint(Effect, frozen=True):
    """Remove a checkpoint file or a directory tree; absent is fine."""

    path: str


# --- election -------------------------------------------------------------------------------


class Contend(Effect, frozen=True):
    """Stand for leader of `group` with an ephemeral sequential node `<group>/<label><sequence>`.

    Event: LeaderChanged(group, ..., mine=True) once elected. Without a coordination service the
    runtime elects the only candidate at once.
    """

    group: str
    label: str
    payload: bytes


class Withdraw(Effect, frozen=True):
    """Give up candidacy or leadership of `group`."""

    group: str


class Detect(Effect, frozen=True):
    """Follow who leads `group` ("zk://hosts/path", or "host:port" of a fixed leader).

    Event: LeaderChanged at once and at each change.
    """

    group: str
    label: str


# --- answering HTTP requests ----------------------------------------------------------------


class Reply(Effect, frozen=True):
    """Answer the pending request `request` (its id) completely."""

    request: str
    response: Response


class StartStream(Effect, frozen=True):
    """Answer `request` with headers now and a body that stays open; the stream id is `request`.

    Event: StreamClosed(stream) when the peer goes away or is too slow (`limit_bytes` unread).
    """

    request: str
    status: int = 200
    headers: dict[str, str] = {}
    limit_bytes: int = 8 * 1024 * 1024


class Send(Effect, frozen=True):
    """Write bytes (already framed) to a started stream. Unknown streams are ignored."""

    stream: str
    data: bytes


class EndStream(Effect, frozen=True):
    """Finish a started stream after what was sent has left."""

    stream: str


class Proxy(Effect, frozen=True):
    """Forward the pending request to another server and stream its answer back.

    `base_url` is "http://host:port"; the runtime adds `headers` and marks the hop. If the other
    server can't be reached the peer gets `failure`.
    """

    request: str
    base_url: str
    failure: Response
    headers: dict[str, str] = {}
    timeout_s: float = 120.0


# --- calling others -------------------------------------------------------------------------


class Call(Effect, frozen=True):
    """Make one HTTP request. Event: CallAnswered(call, ...) or CallFailed(call, ...).

    `follow` is how many redirects to follow. The answer's body is cut at `limit_bytes` (failure).
    """

    call: str
    method: str
    url: str
    headers: dict[str, str] = {}
    body: bytes = b""
    timeout_s: float = 15.0
    follow: int = 0
    limit_bytes: int = 64 * 1024 * 1024


class Connect(Effect, frozen=True):
    """Open a long-lived streaming request. Events: Connected, Received (per record), Disconnected.

    `framing`: "recordio" or "sse" (a record is then one SSE event's JSON: {"event":..,"data":..}).
    `stream` is the caller's name for it; connecting again under a name replaces the old one
    silently (no Disconnected for the replaced). `idle_s`: no byte for so long = Disconnected.
    """

    stream: str
    url: str
    method: str = "POST"
    headers: dict[str, str] = {}
    body: bytes = b""
    framing: str = "recordio"
    connect_timeout_s: float = 10.0
    idle_s: float = 75.0


class Disconnect(Effect, frozen=True):
    """Close a stream opened by Connect; no Disconnected event follows."""

    stream: str


class Probe(Effect, frozen=True):
    """Check a TCP port by connecting. Event: Probed(probe, ok, reason)."""

    probe: str
    host: str
    port: int
    timeout_s: float


# --- files for reading ----------------------------------------------------------------------


class ServeFile(Effect, frozen=True):
    """Answer `request` from a file or directory on disk (agent and master `/files/*`).

    `action`: "browse", "read" or "download"; `path` is the real path; `shown` the virtual one.
    `offset` -1 asks for the size only. `media` is the media type of the operator API's answer;
    without it the answer has the shape of `/files/*`.
    """

    request: str
    action: str
    path: str
    shown: str
    offset: int = -1
    length: int | None = None
    media: str = ""


# --- containers (performed by agent/service) ------------------------------------------------


class LaunchContainer(Effect, frozen=True):
    """Prepare (sandbox, fetch) and start a container by its plan.

    `plan` is `agent.core`'s ContainerPlan as a plain value (printable JSON).
    Events: ContainerStarted or ContainerFailed(phase), later ContainerExited.
    """

    container: str
    plan: dict[str, Any]


class SignalContainer(Effect, frozen=True):
    """Send `signal` to the processes of a container, or only to its first one; an unknown container
    is ignored."""

    container: str
    signal: int
    leader_only: bool = False


class DestroyContainer(Effect, frozen=True):
    """Kill everything in the container and release its cgroups, mounts and network.

    Event: ContainerExited if it had not been reported yet.
    """

    container: str


class AttachContainer(Effect, frozen=True):
    """Join a request to the `direction` ("input", "output") of a container that allows it.

    Output: the request becomes a stream with `headers`, of records written in `media`, one of them
    a heartbeat every `heartbeat_s`. Input: what follows the first record of the request's streamed
    body goes to the container, then the request is answered.
    Event: AttachmentEnded(request) when nothing more is to be carried, or if it can't be.
    """

    request: str
    container: str
    direction: str
    media: str
    headers: dict[str, str] = {}
    heartbeat_s: float = 30.0


class DetachContainer(Effect, frozen=True):
    """Let go of what AttachContainer joined; no event follows."""

    request: str


class UpdateContainer(Effect, frozen=True):
    """Change the limits of a running container; None is no limit."""

    container: str
    cpu_shares: int
    cpu_quota_us: int | None
    mem_soft_bytes: int
    mem_bytes: int | None


class RecoverContainers(Effect, frozen=True):
    """Find the containers of an earlier life: `known` ids are kept, all others destroyed.

    Event: ContainersRecovered(running, exited).
    """

    known: tuple[str, ...]


class RunCheck(Effect, frozen=True):
    """Run a command check inside a container. Event: CheckFinished(check, ...).

    With a `url` (http, https, or tcp://host:port) it is looked at from within the container's
    network instead; the answer's `exit_code` is then the HTTP status, or 1 and 0 for tcp.
    """

    check: str
    container: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    timeout_s: float
    url: str = ""


class PruneImages(Effect, frozen=True):
    """Remove the images that no container has, but for those named."""

    excluded: tuple[str, ...] = ()


class RemoveSandbox(Effect, frozen=True):
    """Delete an old sandbox directory (absolute path below the work directory)."""

    path: str


class ChangeVolumes(Effect, frozen=True):
    """Make and remove the directories of persistent volumes (absolute paths), in this order.

    One that is there already, or gone already, is as it should be. Event: VolumesChanged(token,
    failed) once the makings are done and nothing of the removed ones can be seen any more.
    """

    token: str
    make: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


# --- proxy configuration (performed by haproxy/service) -------------------------------------


class ApplyProxyConfiguration(Effect, frozen=True):
    """Validate `text`, replace the file atomically, and bring HAProxy to it.

    `commands`: runtime API lines that lead from the active configuration to this one; when given
    no reload is made. Events: ProxyApplied(generation) or ProxyRefused(generation, output).
    """

    generation: int
    text: str
    commands: tuple[str, ...] = ()
    reload: bool = True


class ReadProxyState(Effect, frozen=True):
    """Ask HAProxy what it runs now. Event: ProxyState(alive, servers text)."""


ALL_EFFECTS: tuple[type[Effect], ...] = (
    Log, SetVerbosity, SetTimer, CancelTimer, TimeStep, Halt,
    Commit, Load, Checkpoint, SetAsideCheckpoint, RemoveCheckpoint,
    Contend, Withdraw, Detect,
    Reply, StartStream, Send, EndStream, Proxy,
    Call, Connect, Disconnect, Probe, ServeFile,
    LaunchContainer, SignalContainer, DestroyContainer, UpdateContainer, RecoverContainers,
    AttachContainer, DetachContainer,
    RunCheck, PruneImages, RemoveSandbox, ChangeVolumes,
    ApplyProxyConfiguration, ReadProxyState,
)  # fmt: skip
