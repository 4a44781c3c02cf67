"""The real runtime: feeds a machine with events and performs its effects.

One thread, one step at a time: `deliver` is the only way in. Each step has a cause id: an event
that an effect led to inherits the effect's cause, so that the log of one chain can be joined.
Programmer errors (`Broken`, an event or effect nobody knows) end the process; the world's errors
are events.
"""

import asyncio
import fcntl
import itertools
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import uvloop

from mesosphere.kernel import effects as fx
from mesosphere.kernel.effects import Effect
from mesosphere.kernel.events import (
    CheckpointFailed,
    CommitFailed,
    Committed,
    Event,
    Loaded,
    LoadFailed,
    Sampled,
    StepTimed,
    StopRequested,
    StreamClosed,
    TimerFired,
)
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.http import Api, Request, Response, Unfinished
from mesosphere.kernel.machine import Machine
from mesosphere.runtime import files, gauges
from mesosphere.runtime.collector import Collector, tune
from mesosphere.runtime.coordination import Coordination
from mesosphere.runtime.disk import Disk, Job
from mesosphere.runtime.http_client import HttpClient
from mesosphere.runtime.http_server import HttpServer, bind
from mesosphere.runtime.logs import Log, adopt_libraries
from mesosphere.runtime.pages import PageMaker
from mesosphere.runtime.store import Store, StoreInDoubt, StoreRefused

SAMPLE_INTERVAL_S = 10.0
DRAIN_S = 2.0
"""How long replies under way may take when the process ends."""

Performer = Callable[["Node", Any, str], object]


class Node:
    """One daemon. See docs/architecture.md, "The runtime's promises"."""

    def __init__(
        self,
        *,
        name: str,
        machine: Machine,
        api: Api | None,
        listen: tuple[str, int] | None,
        coordination: Coordination,
        work_dir: Path | None = None,
        performers: Mapping[type[Effect], Performer] | None = None,
        log_level: str = "INFO",
        on_stop: Callable[[], None] | None = None,
        make_room: Callable[[], bool] | None = None,
        streamed_bodies: frozenset[str] = frozenset(),
    ) -> None:
        self.name = name
        self.machine = machine
        self.log = Log(name, log_level)
        self._api = api
        self._listen = listen
        self._coordination = coordination
        self._work_dir = work_dir
        self._on_stop = on_stop
        self._streamed_bodies = streamed_bodies
        self._performers: dict[type[Effect], Performer] = {**PERFORMERS, **(performers or {})}
        self._inbox: deque[tuple[Event, str]] = deque()
        self._stepping = False
        self._causes = itertools.count(1)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._streams: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._disk = Disk(make_room)
        self._halted: asyncio.Future[int] | None = None
        self._last_now = 0.0
        self._step_s = 0.0
        self.client = HttpClient()
        self.server: HttpServer | None = None
        self._pages: PageMaker | None = None
        self.store: Store | None = None

    # --- the way in ---------------------------------------------------------------------------

    def now(self) -> float:
        """Wall-clock seconds; never less than before."""
        self._last_now = max(self._last_now, time.time())
        return self._last_now

    def deliver(self, event: Event, cause: str | None = None) -> None:
        """Give the machine an event. Call it on the event loop's thread only."""
        self._inbox.append((event, cause or f"{self.name}-{next(self._causes)}"))
        if not self._stepping:  # else an effect answered at once: its event waits for the step
            self._drain()

    def _drain(self) -> None:
        self._stepping = True
        try:
            while self._inbox and not self._is_halted:
                self._step(*self._inbox.popleft())
        finally:
            self._stepping = False

    @property
    def _is_halted(self) -> bool:
        return self._halted is not None and self._halted.done()

    def _step(self, event: Event, cause: str) -> None:
        done = False
        try:
            began = time.perf_counter()
            effects = self.machine.handle(self.now(), event)
            self._step_s = time.perf_counter() - began
            if self.log.writes("debug"):
                names = ",".join(type(effect).__name__ for effect in effects)
                fields = {"cause": cause, "on": type(event).__name__, "effects": names}
                self.log.write("debug", "step", fields)
            self.perform(effects, cause)
            done = True
        finally:
            if not done:  # a bug of ours ends the process with its story, whatever its type
                self._break(traceback.format_exc(), cause)

    def _break(self, story: str, cause: str) -> None:
        self.log.write("error", "invariant_broken", {"cause": cause, "story": story})
        self.halt(ExitCode.INVARIANT_BROKEN, story.strip().rsplit("\n", 1)[-1])

    def perform(self, effects: list[Effect] | tuple[Effect, ...], cause: str) -> None:
        """Perform effects in order."""
        for effect in effects:
            if self._is_halted:
                return
            self._performers[type(effect)](self, effect, cause)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine beside; a failure that it does not handle ends the process."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._break("".join(traceback.format_exception(error)), "background")

    def halt(self, code: int, reason: str) -> None:
        """End the process."""
        level = "info" if code == ExitCode.CLEAN else "error"
        if self._halted is not None and not self._halted.done():
            self.log.write(level, "halt", {"code": int(code), "reason": reason})
            self._halted.set_result(int(code))

    # --- life ---------------------------------------------------------------------------------

    async def run(self) -> int:
        """Run to the end; the exit code."""
        loop = asyncio.get_running_loop()
        self._halted = loop.create_future()
        adopt_libraries(self.log)
        lock = self._lock_work_dir()
        if lock is None and self._work_dir is not None:
            return int(ExitCode.WORK_DIR_FAILED)
        serving = None
        if self._listen is not None and self._api is not None:
            try:
                listener = bind(*self._listen)
            except OSError as error:
                reason = f"can't listen on {self._listen[0]}:{self._listen[1]}: {error.strerror}"
                self.log.write("error", "halt", {"code": 65, "reason": reason})
                return int(ExitCode.PORT_TAKEN)
            self.server = HttpServer(
                listener, self._on_request, self._on_stream_closed, "mesosphere",
                streamed_bodies=self._streamed_bodies,
            )  # fmt: skip
            self._pages = PageMaker(self.server)
            serving = loop.create_task(self.server.run())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            return await self._live(serving)
        finally:
            if lock is not None:
                os.close(lock)

    async def _live(self, serving: "asyncio.Task[None] | None") -> int:
        assert self._halted is not None
        try:
            self.store = await self._coordination.open(self._from_coordination)
        except (OSError, ValueError) as error:
            self.log.write("error", "halt", {"code": 66, "reason": f"the store: {error}"})
            self.halt(ExitCode.STORE_FAILED, str(error))
        else:
            self.log.write("info", "started", {"pid": os.getpid(), "listen": self._listen or ""})
            self.spawn(self._sample())
            self._stepping = True
            self.perform(self.machine.start(self.now()), f"{self.name}-start")
            self._drain()
        code = await self._halted
        await self._wind_up(serving)
        return code

    async def _wind_up(self, serving: "asyncio.Task[None] | None") -> None:
        for timer in self._timers.values():
            timer.cancel()
        if self.server is not None and serving is not None:
            await self.server.stop()
            await asyncio.wait((serving,), timeout=DRAIN_S)
            serving.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.close()
        if self._on_stop is not None:
            self._on_stop()
        if self.store is not None:
            await self.store.close()
        await self._coordination.close()

    def _lock_work_dir(self) -> int | None:
        if self._work_dir is None:
            return None
        try:
            self._work_dir.mkdir(parents=True, exist_ok=True, mode=0o755)
            handle = os.open(self._work_dir / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            reason = f"the work directory {self._work_dir}: {error.strerror}"
            if isinstance(error, BlockingIOError):
                reason = f"the work directory {self._work_dir} belongs to a running daemon"
            self.log.write("error", "halt", {"code": 71, "reason": reason})
            return None
        return handle

    async def _sample(self) -> None:
        garbage = Collector(time.monotonic())
        while True:
            self.deliver(Sampled(gauges.sample()))
            await asyncio.sleep(SAMPLE_INTERVAL_S)
            garbage.tick(time.monotonic())

    # --- callbacks of the parts ---------------------------------------------------------------

    def _on_signal(self, number: int) -> None:
        self.deliver(StopRequested(signal.Signals(number).name.removeprefix("SIG")))

    def _from_coordination(self, event: Event) -> None:
        self.deliver(event)

    def _on_stream_closed(self, stream: str, reason: str) -> None:
        self.deliver(StreamClosed(stream, reason))

    def _on_request(self, request: Request) -> None:
        assert self._api is not None and self.server is not None and self._pages is not None
        # A handler that fails is answered 500 by the server and logged; the daemon lives on.
        answer = self._api.begin(self.now(), request)
        if isinstance(answer, Response):
            self.server.reply(request.id, answer)
        elif isinstance(answer, Unfinished):
            self._pages.answer(request.id, answer)
        else:
            self.deliver(answer)

    # --- performing ---------------------------------------------------------------------------

    def work_path(self, path: str) -> Path:
        """A path of a checkpoint below the work directory."""
        assert self._work_dir is not None, "checkpoints need a work directory"
        return self._work_dir / path

    def fire(self, name: str, cause: str) -> None:
        """A timer's time has come."""
        self._timers.pop(name, None)
        self.deliver(TimerFired(name), cause)

    def set_timer(self, effect: fx.SetTimer, cause: str) -> None:
        """Perform SetTimer."""
        earlier = self._timers.get(effect.name)
        if earlier is not None:
            earlier.cancel()
        self._timers[effect.name] = asyncio.get_running_loop().call_later(
            max(effect.delay_s, 0.0), self.fire, effect.name, cause
        )

    def cancel_timer(self, name: str) -> None:
        """Perform CancelTimer."""
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    async def commit(self, effect: fx.Commit, cause: str) -> None:
        """Perform Commit."""
        assert self.store is not None
        try:
            versions = await self.store.commit(effect.writes)
        except StoreRefused as error:
            self.deliver(CommitFailed(effect.token, str(error), definite=True), cause)
        except StoreInDoubt as error:
            self.deliver(CommitFailed(effect.token, str(error), definite=False), cause)
        else:
            self.perform(effect.then, cause)
            self.deliver(Committed(effect.token, versions), cause)

    async def load(self, effect: fx.Load, cause: str) -> None:
        """Perform Load."""
        assert self.store is not None
        try:
            entries = await self.store.load(effect.path)
        except StoreInDoubt as error:
            self.deliver(LoadFailed(effect.token, str(error)), cause)
        else:
            self.deliver(Loaded(effect.token, entries), cause)

    def checkpoint(self, effect: fx.Checkpoint, cause: str) -> None:
        """Perform Checkpoint: what it promises is done once it is on disk."""

        def done(error: OSError | None) -> None:
            if error is None:
                self.perform(effect.then, cause)
            else:
                self.deliver(CheckpointFailed(effect.path, str(error)), cause)

        path = str(self.work_path(effect.path))
        self._put(Job(path, effect.data, effect.append, done))

    def set_checkpoint_aside(self, effect: fx.SetAsideCheckpoint, cause: str) -> None:
        """Perform SetAsideCheckpoint."""
        self._take_away(effect.path, cause, is_kept=True)

    def remove_checkpoint(self, effect: fx.RemoveCheckpoint, cause: str) -> None:
        """Perform RemoveCheckpoint."""
        self._take_away(effect.path, cause, is_kept=False)

    def _take_away(self, path: str, cause: str, *, is_kept: bool) -> None:
        def done(error: OSError | None) -> None:
            if error is not None:
                self.deliver(CheckpointFailed(path, str(error)), cause)

        self._put(Job(str(self.work_path(path)), None, False, done, is_kept))

    def _put(self, job: Job) -> None:
        if self._disk.put(job):
            self.spawn(self._disk.run())

    def connect(self, effect: fx.Connect, cause: str) -> None:
        """Perform Connect, replacing a stream of the same name."""
        self.disconnect(effect.stream)
        task: asyncio.Task[None]

        def deliver(event: Event) -> None:
            # What a replaced stream still had to say is nobody's business.
            if self._streams.get(effect.stream) is task:
                self.deliver(event, cause)

        task = self.spawn(self.client.connect(effect, deliver))
        self._streams[effect.stream] = task

    def disconnect(self, stream: str) -> None:
        """Perform Disconnect."""
        task = self._streams.pop(stream, None)
        if task is not None:
            task.cancel()

    async def serve_file(self, effect: fx.ServeFile) -> None:
        """Perform ServeFile."""
        answer = await asyncio.to_thread(files.serve, effect)
        if isinstance(answer, Response):
            _served(self).reply(effect.request, answer)
            return
        try:
            await self._send_file(effect.request, answer)
        finally:
            answer.close()

    async def _send_file(self, request: str, download: files.Download) -> None:
        server = _served(self)
        asked = server.find(request)
        if asked is None:
            return
        limit_bytes = files.PIECE_BYTES * 4
        server.start_stream(request, 200, download.headers, limit_bytes, is_paced=True)
        while asked.method != "HEAD" and download.left_bytes:
            try:
                data = await asyncio.to_thread(download.read)
            except OSError:
                data = b""
            if not data:
                server.break_stream(request)
            if not data or not await server.write(request, data):
                return
        server.end_stream(request)

    def proxy(self, effect: fx.Proxy) -> None:
        """Perform Proxy."""
        assert self.server is not None
        request = self.server.find(effect.request)
        if request is not None:
            self.spawn(self.client.proxy(effect, request, self.server))

    def with_cause(self, cause: str) -> Callable[[Event], None]:
        """A deliver that hands the cause on."""
        return lambda event: self.deliver(event, cause)


def _served(node: Node) -> HttpServer:
    assert node.server is not None, "a daemon without a server can't answer"
    return node.server


PERFORMERS: Mapping[type[Effect], Performer] = {
    fx.Log: lambda node, e, cause: node.log.write(e.level, e.event, {**e.fields, "cause": cause}),
    fx.SetVerbosity: lambda node, e, cause: node.log.raise_to(e.level),
    fx.SetTimer: lambda node, e, cause: node.set_timer(e, cause),
    fx.CancelTimer: lambda node, e, cause: node.cancel_timer(e.name),
    fx.TimeStep: lambda node, e, cause: node.deliver(StepTimed(e.name, node._step_s), cause),
    fx.Halt: lambda node, e, cause: node.halt(e.code, e.reason),
    fx.Commit: lambda node, e, cause: node.spawn(node.commit(e, cause)),
    fx.Load: lambda node, e, cause: node.spawn(node.load(e, cause)),
    fx.Checkpoint: Node.checkpoint,
    fx.SetAsideCheckpoint: Node.set_checkpoint_aside,
    fx.RemoveCheckpoint: Node.remove_checkpoint,
    fx.Contend: lambda node, e, cause: node._coordination.contend(e.group, e.label, e.payload),
    fx.Withdraw: lambda node, e, cause: node._coordination.withdraw(e.group),
    fx.Detect: lambda node, e, cause: node._coordination.detect(e.group, e.label),
    fx.Reply: lambda node, e, cause: _served(node).reply(e.request, e.response),
    fx.StartStream: lambda node, e, cause: _served(node).start_stream(
        e.request, e.status, e.headers, e.limit_bytes
    ),
    fx.Send: lambda node, e, cause: _served(node).send(e.stream, e.data),
    fx.EndStream: lambda node, e, cause: _served(node).end_stream(e.stream),
    fx.Proxy: lambda node, e, cause: node.proxy(e),
    fx.Call: lambda node, e, cause: node.spawn(node.client.call(e, node.with_cause(cause))),
    fx.Connect: lambda node, e, cause: node.connect(e, cause),
    fx.Disconnect: lambda node, e, cause: node.disconnect(e.stream),
    fx.Probe: lambda node, e, cause: node.spawn(node.client.probe(e, node.with_cause(cause))),
    fx.ServeFile: lambda node, e, cause: node.spawn(node.serve_file(e)),
}
"""What every daemon can do; a service adds what only it can (containers, HAProxy)."""


def serve(node: Node) -> int:
    """Run a node on uvloop to its end; returns the exit code."""
    tune()
    try:
        return uvloop.run(node.run())
    except KeyboardInterrupt:
        return int(ExitCode.CLEAN)
    finally:
        sys.stderr.flush()
