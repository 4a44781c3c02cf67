"""Runs extra containers: nested in one that runs, or standalone, launched by an operator's call.

Decides what becomes of LAUNCH_, WAIT_, KILL_ and REMOVE_CONTAINER, by the table of `extra_life`.
Vocabulary: the *parent* is the container that a nested one is in, of whatever kind; a *session* is
a nested container that dies with the connection that launched it; the *termination* is what WAIT
answers, and is kept until the container is removed or its parent ends.

A container can be attached to if it has a terminal or is a session; a session ends when its stream
does, at whichever side.

Invariants: nothing is launched before it is on disk, no end is told before it is on disk; an extra
container never outlives its parent; WAIT answers for any container, and once for each that asks;
lists of living, ended and waiting ones are bounded.
Source: apache/mesos src/slave/http.cpp, src/slave/containerizer/mesos/containerizer.cpp.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mesosphere.agent.core.commands import (
    AttachRequested,
    ContainerKillRequested,
    ContainerLaunchRequested,
    ContainerRemoveRequested,
    ContainerWaitRequested,
)
from mesosphere.agent.core.containers import build_plan
from mesosphere.agent.core.exits import Circumstances, judge_exit, limitation
from mesosphere.agent.core.extra_life import EXTRA_LIFE, ExtraAction, ExtraInput, ExtraPhase
from mesosphere.agent.core.extra_records import (
    ExtraContainer,
    ExtraFile,
    Waiter,
    named_by,
    read_files,
)
from mesosphere.agent.core.extra_requests import Home, extra_request, find_home, place
from mesosphere.agent.core.refusals import Unsupported
from mesosphere.agent.core.sessions import request_of, session_plan
from mesosphere.agent.core.state import FrameworkRecord, State
from mesosphere.kernel.effects import (
    AttachContainer,
    Checkpoint,
    DestroyContainer,
    DetachContainer,
    Effect,
    EndStream,
    LaunchContainer,
    Log,
    RemoveCheckpoint,
    RemoveSandbox,
    Reply,
    Send,
    SignalContainer,
    StartStream,
)
from mesosphere.kernel.events import (
    CheckpointFailed,
    ContainerExited,
    ContainerFailed,
    ContainersRecovered,
    ContainerStarted,
)
from mesosphere.kernel.http import Response, text_response
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos.agent_operator import Response as Answer
from mesosphere.wire.mesos.agent_operator import WaitContainer

LIVING_MOST = 1_000
"""Extra containers of one agent that have not ended; more are refused."""
ENDED_MOST = 1_000
"""Ended ones whose termination is kept; the oldest go."""
WAITING_MOST = 1_000
"""Requests that wait for ends; more are refused."""
ATTACHED_MOST = 1_000
"""Requests that are attached; more are refused."""
SIGKILL = 9


class ExtraContainers:
    """The extra containers of one agent."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._config = state.config
        self._waiting: dict[str, Waiter] = {}
        self._attached: dict[str, str] = {}  # request -> container
        self._actions: dict[ExtraAction, Callable[[ExtraContainer], list[Effect]]] = {
            ExtraAction.ANSWER: self._answer,
            ExtraAction.DESTROY: lambda extra: [DestroyContainer(extra.name)],
            ExtraAction.TELL_END: self._tell_end,
        }

    # --- what operators ask for ----------------------------------------------------------

    def launch(self, now: float, event: ContainerLaunchRequested) -> list[Effect]:
        """LAUNCH_CONTAINER, LAUNCH_NESTED_CONTAINER and sessions."""
        order, name = event.order, event.order.name
        state = self._state
        home = find_home(state, order.parent)
        fault = self._fault(name, order.parent, home)
        if find_home(state, name) is not None:
            return [Reply(event.request, Response(202))]
        if fault:
            return [Reply(event.request, text_response(400, fault))]
        file = place(order, home, self._config, now)
        framework = state.frameworks.get(file.framework_id)
        try:
            plan = self._plan(file, home, framework)
        except (Unsupported, WireError) as error:
            return [Reply(event.request, text_response(400, str(error)))]
        plan["parent"] = order.parent
        durable = not order.is_session and (framework is None or framework.info.checkpoint)
        extra = state.extras[name] = ExtraContainer(file, durable, request=event.request)
        if order.is_session:
            extra.stream = AttachContainer(
                event.request, name, "output", event.media.value, event.headers,
                self._config.http_heartbeat_s,
            )  # fmt: skip
        effects: list[Effect] = [
            Log("info", "extra_container_launched", {"container": name}),
            LaunchContainer(name, plan),
        ]
        return self._write(extra, effects)

    def _plan(
        self, file: ExtraFile, home: Home | None, framework: FrameworkRecord | None
    ) -> dict[str, Any]:
        order = file.order
        has_value = order.command.value is not None
        if order.is_session:
            if home is None or not has_value:
                raise Unsupported("the command has no value")
            return session_plan(file, home, request_of(self._state, home), self._config)
        agent_id = self._state.agent_id or ""
        request = extra_request(file, home, framework, agent_id, self._config)
        if not has_value and (order.command.shell or request.around.image is None):
            raise Unsupported("the command has no value")
        return build_plan(request, self._config.host)

    def _fault(self, name: str, parent: str, home: Home | None) -> str:
        if parent and home is None:
            return f"Parent container {parent} does not exist"
        if home is not None and home.is_ending:
            return f"Parent container {parent} is in 'DESTROYING' state"
        if home is not None and not home.is_running:
            return f"Parent container {parent} does not run yet"
        inside = self._state.extras.get(parent)
        if inside is not None and inside.file.order.is_session:
            return f"Parent container {parent} is a session, which nothing can be launched in"
        living = sum(1 for each in self._state.extras.values() if _lives(each))
        if living >= LIVING_MOST:
            return f"{living} containers were launched by such calls and run, no more are taken"
        return ""

    def wait(self, now: float, event: ContainerWaitRequested) -> list[Effect]:
        """WAIT_CONTAINER: the answer is a stream, which may take as long as the container."""
        extra = self._state.extras.get(event.container)
        if extra is not None and extra.file.termination is not None:
            kind, told = event.call, extra.file.termination
            return [Reply(event.request, event.media.answer(_answered(kind, told)))]
        if find_home(self._state, event.container) is None:
            text = f"Container {event.container} cannot be found"
            return [Reply(event.request, text_response(404, text))]
        if len(self._waiting) >= WAITING_MOST:
            return [Reply(event.request, text_response(503, "too many requests wait"))]
        asked = Waiter(event.request, event.container, event.call, event.media)
        self._waiting[event.request] = asked
        return [StartStream(event.request, headers={"Content-Type": event.media.value})]

    def kill(self, now: float, event: ContainerKillRequested) -> list[Effect]:
        """KILL_CONTAINER: a signal for its first process; SIGKILL ends the whole container."""
        name = event.container
        home = find_home(self._state, name)
        if home is None:
            text = f"Container '{name}' cannot be found (or is already killed)"
            return [Reply(event.request, text_response(404, text))]
        done = Reply(event.request, Response(200))
        if event.signal != SIGKILL and home.is_running:
            return [SignalContainer(name, event.signal, leader_only=True), done]
        extra = self._state.extras.get(name)
        if extra is None:
            return [DestroyContainer(name), done]
        return [*self.step(extra, ExtraInput.DESTROY), done]

    def remove(self, now: float, event: ContainerRemoveRequested) -> list[Effect]:
        """REMOVE_CONTAINER: forget one that has ended, with its sandbox."""
        name = event.container
        if find_home(self._state, name) is not None:
            kind = "Nested container" if "." in name else "Container"
            return [Reply(event.request, text_response(500, f"{kind} has not terminated yet"))]
        extra = self._state.extras.get(name)
        root = name.partition(".")[0]
        if extra is None and root != name and find_home(self._state, root) is None:
            return [Reply(event.request, text_response(500, "Unknown root container"))]
        forgotten = self._forget(extra) if extra is not None else []
        return [*forgotten, Reply(event.request, Response(200))]

    def attach(self, now: float, event: AttachRequested) -> list[Effect]:
        """ATTACH_CONTAINER_INPUT and ATTACH_CONTAINER_OUTPUT."""
        home = find_home(self._state, event.container)
        fault = None
        if home is None:
            fault = self._missing(event.container)
        elif not self._has_ends(home):
            text = "I/O switchboard server was disabled for this container"
            fault = text_response(500, text)
        elif not home.is_running:
            fault = text_response(503, f"Container {event.container} does not run yet")
        elif len(self._attached) >= ATTACHED_MOST:
            fault = text_response(503, "too many requests are attached to containers")
        if fault is not None:
            return [Reply(event.request, fault)]
        self._attached[event.request] = event.container
        return [
            AttachContainer(
                event.request, event.container, event.direction, event.media.value, event.headers,
                self._config.http_heartbeat_s,
            )
        ]  # fmt: skip

    def _missing(self, name: str) -> Response:
        """Clients take 404 for a mistake of theirs, and 500 for what was short-lived."""
        if find_home(self._state, name.partition(".")[0]) is None:
            return text_response(404, f"Container {name} cannot be found")
        return text_response(500, f"Unknown container {name}")

    def _has_ends(self, home: Home) -> bool:
        extra = self._state.extras.get(home.name)
        if extra is not None and extra.file.order.is_session:
            return True
        return home.container is not None and home.container.tty_info is not None

    def left(self, stream: str) -> list[Effect]:
        """A peer went away, of whatever kind."""
        self._waiting.pop(stream, None)
        if stream not in self._attached:
            return []
        return [DetachContainer(stream), *self.detached(stream)]

    def detached(self, stream: str) -> list[Effect]:
        """An attachment has ended; a session ends with that of who launched it."""
        extra = self._state.extras.get(self._attached.pop(stream, ""))
        if extra is None or extra.stream is None or extra.stream.request != stream:
            return []
        return self.step(extra, ExtraInput.DESTROY) if _lives(extra) else []

    # --- what happens to them ------------------------------------------------------------

    def started(self, event: ContainerStarted) -> list[Effect] | None:
        """A container runs; None if it is none of ours."""
        extra = self._state.extras.get(event.container)
        if extra is None:
            return None
        extra.pid = event.pid
        return self.step(extra, ExtraInput.STARTED)

    def failed(self, event: ContainerFailed) -> list[Effect] | None:
        """A container could not be started; None if it is none of ours."""
        extra = self._state.extras.get(event.container)
        if extra is None:
            return None
        extra.file.termination = WaitContainer(
            state="TASK_FAILED",
            reason="REASON_CONTAINER_LAUNCH_FAILED",
            message=event.reason,
        )
        return self.step(extra, ExtraInput.FAILED)

    def exited(self, event: ContainerExited) -> list[Effect] | None:
        """A container has ended; None if it is none of ours."""
        extra = self._state.extras.get(event.container)
        if extra is None or extra.phase is ExtraPhase.ENDED:
            return None
        extra.file.termination = _termination(event)
        return self.step(extra, ExtraInput.EXITED)

    def tell_waiting(self, event: ContainerExited) -> list[Effect]:
        """Answer who waits for the end of a container that is none of ours."""
        return _told(self._take_waiting(event.container), _termination(event))

    def step(self, extra: ExtraContainer, given: ExtraInput) -> list[Effect]:
        """Move an extra container along the table and gather what follows."""
        step = EXTRA_LIFE.step(extra.phase, given)
        if step is None:
            fields = {"container": extra.name, "phase": extra.phase.value, "input": given.value}
            return [Log("debug", "extra_container_input_ignored", fields)]
        extra.phase = step.state
        effects: list[Effect] = []
        for action in step.actions:
            effects += self._actions[action](extra)
        return effects

    def settle(self) -> list[Effect]:
        """End the extra containers whose parents have ended, and forget those that had ended."""
        effects: list[Effect] = []
        for extra in list(self._state.extras.values()):
            parent = extra.file.order.parent
            if not parent or extra.is_orphan or find_home(self._state, parent) is not None:
                continue
            extra.is_orphan = True
            if _lives(extra):
                effects += self.step(extra, ExtraInput.DESTROY)
            else:
                effects += self._forget(extra, sandbox=False)
        return effects

    # --- actions -------------------------------------------------------------------------

    def _answer(self, extra: ExtraContainer) -> list[Effect]:
        request, extra.request = extra.request, ""
        if request and extra.stream is not None:
            self._attached[request] = extra.name
            return [extra.stream]
        return [Reply(request, Response(200))] if request else []

    def _tell_end(self, extra: ExtraContainer) -> list[Effect]:
        told = extra.file.termination or WaitContainer()
        words = {"container": extra.name, "message": told.message or "", "status": told.exit_status}
        effects: list[Effect] = [DestroyContainer(extra.name)]
        if extra.request:
            text = told.message or "the container has ended"
            effects.append(Reply(extra.request, text_response(400, text)))
            extra.request = ""
        extra.waiting = self._take_waiting(extra.name)
        effects += _told(extra.waiting, told)
        log = Log("info", "extra_container_ended", words)
        if extra.is_orphan:
            return [log, *effects, *self._forget(extra, sandbox=False)]
        return [log, *self._write(extra, effects), *self._forget_oldest()]

    def _take_waiting(self, container: str) -> list[Waiter]:
        taken = [each for each in self._waiting.values() if each.container == container]
        for each in taken:
            del self._waiting[each.request]
        return taken

    def _write(self, extra: ExtraContainer, then: list[Effect]) -> list[Effect]:
        """Put it on disk; only then the rest."""
        if not extra.durable:
            return then
        return [Checkpoint(extra.path, extra.encode(), then=tuple(then))]

    def _forget(self, extra: ExtraContainer, sandbox: bool = True) -> list[Effect]:
        del self._state.extras[extra.name]
        effects: list[Effect] = []
        if extra.durable:
            effects.append(RemoveCheckpoint(extra.path.rpartition("/")[0]))
        return [*effects, RemoveSandbox(extra.file.sandbox)] if sandbox else effects

    def _forget_oldest(self) -> list[Effect]:
        ended = [each for each in self._state.extras.values() if not _lives(each)]
        return [
            effect for each in ended[: max(0, len(ended) - ENDED_MOST)]
            for effect in self._forget(each)
        ]  # fmt: skip

    # --- restarts ------------------------------------------------------------------------

    def recover(self, files: Mapping[str, bytes]) -> list[Effect]:
        """Take up what an earlier life has written."""
        found, damaged = read_files(files)
        self._state.extras.update((extra.name, extra) for extra in found)
        effects: list[Effect] = []
        for path, reason in damaged.items():
            effects += self._state.set_aside(path, reason)
        return effects

    def known(self) -> tuple[str, ...]:
        """Those that may still run."""
        return tuple(each.name for each in self._state.extras.values() if _lives(each))

    def recovered(self, event: ContainersRecovered) -> list[Effect]:
        """The supervisor has told what runs, and tasks and executors are where they were."""
        effects: list[Effect] = []
        for extra in list(self._state.extras.values()):
            if not _lives(extra):
                effects.append(DestroyContainer(extra.name))
            elif extra.name in event.running:
                pid = event.running[extra.name]
                effects += self.started(ContainerStarted(extra.name, pid)) or []
            else:
                status = event.exited.get(extra.name)
                effects += self.exited(ContainerExited(extra.name, status)) or []
        return [*effects, *self.settle()]

    def checkpoint_failed(self, event: CheckpointFailed) -> list[Effect] | None:
        """A file could not be written; None if it is none of ours."""
        extra = self._state.extras.get(named_by(event.path))
        if extra is None:
            return [] if named_by(event.path) else None
        extra.durable = False
        if extra.phase is ExtraPhase.ENDED:
            termination = extra.file.termination or WaitContainer()
            return [DestroyContainer(extra.name), *_told(extra.waiting, termination)]
        reason = f"the container can't be written to disk: {event.reason}"
        return self.failed(ContainerFailed(extra.name, "sandbox", reason))


def _answered(call: str, told: WaitContainer) -> Answer:
    if call == "WAIT_CONTAINER":
        return Answer(type=call, wait_container=told)
    return Answer(type=call, wait_nested_container=told)


def _told(waiting: list[Waiter], termination: WaitContainer) -> list[Effect]:
    effects: list[Effect] = []
    for asked in waiting:
        data = asked.media.encode(_answered(asked.call, termination))
        effects += [Send(asked.request, data), EndStream(asked.request)]
    return effects


def _lives(extra: ExtraContainer) -> bool:
    return extra.phase is not ExtraPhase.ENDED


def _termination(event: ContainerExited) -> WaitContainer:
    """What WAIT says of an end: the wait status, and the limit that was passed if one was."""
    if not event.limitation:
        return WaitContainer(exit_status=event.status, message=event.message or None)
    end = judge_exit(
        event.status, event.limitation, event.message, Circumstances(), event.amount_mib
    )
    return WaitContainer(
        exit_status=event.status,
        state=end.state,
        reason=end.reason,
        limitation=limitation(end),
        message=end.message,
    )
