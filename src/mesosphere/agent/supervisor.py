"""A small process that is the parent of every container of one agent, and outlives the agent.

It runs in an interpreter of its own (`main([DIRECTORY, "--private-root=PATH"])`) and uses only the
standard library, so that it starts fast, stays small and does not care which release of the
agent talks to it. It decides nothing: it spawns what it is told, waits, writes each exit status to
a file and only then tells. It speaks lines of JSON on a unix socket, to its own user only.

Requests carry `id`, `op` and `container`; answers carry the same `id` with `ok` or `error`.
  hello    program (that starts those of the agent's release) -> running {container: pid},
           exited {container: record}
  spawn    argv environment directory stdout stderr; with `pid_file` argv is a launcher that
           detaches the container (an OCI runtime); then `cleanup` (argv that releases everything;
           or `own_cleanup`, to be started by the latest `program`: the release that spawned the
           container may be gone by then), `processes` (its control group) and `memory` (files that
           tell about memory, by name); `rotation` ({path: [bytes, files]}) keeps output files
           small; `io` puts a switchboard before it (see `spawning`); it is destroyed when the
           container `parent` ends
  signal   signal: to every process of the container, or with `leader` to its first one
  destroy  SIGKILL to all of them, until none is left
  forget   the exit was taken over: drop its file
  quit     end, if nothing runs: another supervisor takes the place
Told without being asked: {"event": "exited", "container", "status", "memory"}.

Files below DIRECTORY: `socket`, `lock`, `containers/<id>.json` (what runs), `exits/<id>.json` (what
has ended and is not forgotten). No fsync: the files outlive this process, and a crash of the host
ends the containers too. After such a crash, or if this process was killed, a container's end is
reported with the status null: not known. On a full disk an exit waits in memory to be written.
"""

import contextlib
import fcntl
import os
import selectors
import signal
import socket
import time
from functools import partial
from pathlib import Path
from typing import Any

from mesosphere.agent.isolation import outputs, spawning
from mesosphere.agent.isolation.limitations import has_run_out
from mesosphere.agent.isolation.line_server import Client, LineServer, open_listener
from mesosphere.agent.isolation.processes import (
    PR_SET_CHILD_SUBREAPER,
    PROGRAM,
    Record,
    enter_private_root,
    processes_of_group,
    processes_of_tree,
    read_or_set_aside,
    read_record,
    remove_group,
    start_time,
    system_call,
    tail,
    take_no_privilege_of_memory,
    write_aside,
)

PROTOCOL_VERSION = 4
"""An agent that finds another version running, and no container, replaces it."""
IDLE_S = 10.0
"""Without a client and without a container for so long, the process ends."""
WATCH_S = 0.5
"""How often out-of-memory counters and output files of running containers are looked at."""
KILL_PASSES = 20
KEPT = (
    "pid_file", "cleanup", "own_cleanup", "processes", "memory", "log", "stderr", "rotation",
    "freezer", "parent",
)  # fmt: skip
"""What of a spawn is remembered."""


class Container:
    """A container: its record on disk, its leader, and which child of ours works for it."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.pid: int | None = record.get("pid")
        self.watch: int | None = None  # pidfd, when the leader is not our child
        self.doomed = False
        self.request: tuple[Client, Any] | None = None


class Supervisor:
    """The loop: requests in, children's ends in, answers and files out."""

    def __init__(self, directory: Path, listener: socket.socket, private_root: str = "") -> None:
        self.directory = directory
        self.running = directory / "containers"
        self.exits = directory / "exits"
        self.selector = selectors.DefaultSelector()
        self.containers: dict[str, Container] = {}
        self.children: dict[int, tuple[str, str]] = {}  # pid -> (role, container)
        self.server = LineServer(self.selector, listener, self._answer)
        self.boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        self.idle_since = time.monotonic()
        self.private_root = private_root
        self.unwritten: dict[str, Record] = {}
        self.watched_at = 0.0
        self.groups: list[str] = []  # of ended containers, whose last processes are still dying
        self.program = PROGRAM
        self.quits = False

    # --- the loop ------------------------------------------------------------------------

    def run(self, wakeup: int) -> None:
        """Serve until nobody needs us any more."""
        self.selector.register(wakeup, selectors.EVENT_READ, "children")
        self.recover()
        while not self._is_done():
            timeout = WATCH_S if self.containers or self.unwritten or self.groups else IDLE_S / 4
            for key, mask in self.selector.select(timeout):
                if key.data == "listener":
                    self.server.accept()
                elif key.data == "children":
                    with contextlib.suppress(BlockingIOError):
                        os.read(wakeup, 4096)
                elif isinstance(key.data, Client):
                    self.server.serve(key.data, mask)
                else:
                    self._leader_ended(key.data, None)
            self._wait_for_children()
            if time.monotonic() >= self.watched_at + WATCH_S:
                self._watch()

    def _watch(self) -> None:
        self.watched_at = time.monotonic()
        self._watch_memory()
        for container in list(self.containers.values()):
            outputs.look(container.record, partial(self._processes, container))
        for name, record in list(self.unwritten.items()):
            self._keep_exit(name, record)
        self.groups = [group for group in self.groups if not remove_group(group)]

    def _is_done(self) -> bool:
        if self.quits and not self.containers:
            return True
        if self.server.clients or self.containers:
            self.idle_since = time.monotonic()
        return time.monotonic() - self.idle_since > IDLE_S

    # --- requests ------------------------------------------------------------------------

    def _answer(self, client: Client, request: Record) -> Record | None:
        operation = request["op"]
        if operation == "hello":
            self.program = request.get("program", self.program)
            return {
                "ok": True,
                "pid": os.getpid(),
                "version": PROTOCOL_VERSION,
                "private_root": self.private_root,
                "running": {name: each.pid for name, each in self.containers.items()},
                "exited": {
                    **{path.stem: read_record(path) for path in self.exits.glob("*.json")},
                    **self.unwritten,
                },
            }
        if operation == "quit":
            self.quits = True
            return {"ok": not self.containers}
        name = request["container"]
        if "/" in name or name.startswith("."):
            raise ValueError("a container id is a plain name")
        if operation == "spawn":
            return self._spawn(client, name, request)
        if operation == "forget":
            self.unwritten.pop(name, None)
            (self.exits / f"{name}.json").unlink(missing_ok=True)
            return {"ok": True}
        container = self.containers.get(name)
        if container is None:
            return {"ok": False}
        if operation == "signal":
            self._signal(container, int(request["signal"]), bool(request.get("leader")))
        elif operation == "destroy":
            self._destroy(container)
        else:
            raise ValueError(f"unknown op {operation}")
        return {"ok": True}

    def _spawn(self, client: Client, name: str, request: Record) -> Record | None:
        if name in self.containers or (self.exits / f"{name}.json").exists():
            return {"error": "a container of this id exists"}
        record = {key: request[key] for key in KEPT if request.get(key)}
        container = Container({**record, "container": name, "boot_id": self.boot_id, "pid": None})
        try:
            container.record["outputs"] = outputs.identify(record.get("rotation") or {})
            self._write(container)
            pid = self._start(container, request)
        except (OSError, ValueError) as error:
            # ValueError: a null byte, or a variable's name that is none.
            (self.running / f"{name}.json").unlink(missing_ok=True)
            reason = getattr(error, "strerror", None) or error
            return {"error": f"can't start {request['argv'][0]}: {reason}"}
        self.containers[name] = container
        if request.get("pid_file"):
            self.children[pid] = ("launcher", name)
            container.request = (client, request.get("id"))
            return None
        self.children[pid] = ("leader", name)
        self._started(container, pid)
        return {"ok": True, "pid": pid}

    def _start(self, container: Container, request: Record) -> int:
        """Start the container's program, and before it the switchboard if it has one."""
        argv, out, err = request["argv"], request["stdout"], request["stderr"]
        environment, directory = request["environment"], request["directory"]
        if not request.get("io"):
            return spawning.start(argv, environment, directory, spawning.to_files(out, err))
        wiring = spawning.Wiring(request["io"], out, err)
        try:
            self.children[wiring.switchboard] = ("switchboard", "")
            board = wiring.switchboard
            container.record["switchboard"] = [board, start_time(board)]
            argv = [wiring.console if word == spawning.CONSOLE else word for word in argv]
            return spawning.start(argv, environment, directory, wiring.actions)
        finally:
            wiring.close()

    def _started(self, container: Container, pid: int) -> None:
        container.pid = pid
        container.record.update(pid=pid, start=start_time(pid))
        # On a full disk: it is found again by its mark or its pid file.
        with contextlib.suppress(OSError):
            self._write(container)

    def _write(self, container: Container) -> None:
        write_aside(self.running / f"{container.record['container']}.json", container.record)

    # --- signals -------------------------------------------------------------------------

    def _processes(self, container: Container) -> list[int]:
        group = container.record.get("processes")
        if group:
            return processes_of_group(group)
        return processes_of_tree(container.pid) if container.pid else []

    def _signal(self, container: Container, number: int, leader_only: bool) -> None:
        leader = [container.pid] if container.pid is not None else []
        for pid in leader if leader_only else self._processes(container):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def _destroy(self, container: Container) -> None:
        container.doomed = True
        for _ in range(KILL_PASSES):
            pids = [pid for pid in self._processes(container) if start_time(pid) is not None]
            if not pids:
                return
            for pid in pids:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)

    def _watch_memory(self) -> None:
        for container in list(self.containers.values()):
            path = (container.record.get("memory") or {}).get("events")
            if path and container.pid and not container.doomed:
                with contextlib.suppress(OSError):
                    if has_run_out(Path(path).read_text()):
                        self._destroy(container)

    # --- ends ----------------------------------------------------------------------------

    def _wait_for_children(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            role, name = self.children.pop(pid, ("orphan", ""))
            if role == "orphan":
                self._adopted_ended(pid, status)
            elif role == "launcher":
                self._launcher_ended(name, status)
            elif role == "leader":
                self._leader_ended(name, status)
            elif role == "cleanup":
                self._finish(name)

    def _adopted_ended(self, pid: int, status: int) -> None:
        # A detached container's leader became our child when its launcher ended. It may even end
        # before we have read the launcher's own end.
        for name, container in self.containers.items():
            file = container.record.get("pid_file")
            if container.pid == pid or (container.pid is None and self._pid_in(file) == pid):
                container.record["early"] = status
                if container.pid == pid:
                    self._leader_ended(name, status)
                return

    @staticmethod
    def _pid_in(path: str | None) -> int | None:
        if not path:
            return None
        try:
            return int(Path(path).read_text())
        except (OSError, ValueError):
            return None

    def _launcher_ended(self, name: str, status: int) -> None:
        container = self.containers[name]
        pid = self._pid_in(container.record.get("pid_file")) if status == 0 else None
        if pid is None:
            reason = tail(container.record.get("log")) or tail(container.record.get("stderr"))
            # Told once everything is released: the files that this needs are then let go.
            container.record["failed"] = f"the runtime ended with {status >> 8}: {reason}"
            self._clean(name, container)
            return
        self._started(container, pid)
        self._reply(container, {"ok": True, "pid": pid})
        if "early" in container.record:
            self._leader_ended(name, container.record["early"])
        elif container.doomed:
            self._destroy(container)

    def _reply(self, container: Container, answer: Record) -> None:
        if container.request is not None:
            client, number = container.request
            container.request = None
            self.server.send(client, {"id": number, **answer})

    def _leader_ended(self, name: str, status: int | None) -> None:
        container = self.containers.get(name)
        if container is None or "ended" in container.record:
            return
        if container.watch is not None:
            self.selector.unregister(container.watch)
            os.close(container.watch)
            container.watch = None
        container.record["ended"] = True
        self._destroy_orphans()
        files = container.record.get("memory") or {}
        memory = {}
        for key, path in files.items():
            with contextlib.suppress(OSError):
                memory[key] = Path(path).read_text()
        self._keep_exit(name, {"status": status, "memory": memory})
        self._clean(name, container)

    def _keep_exit(self, name: str, record: Record) -> None:
        try:
            write_aside(self.exits / f"{name}.json", record)
        except OSError:
            self.unwritten[name] = record
        else:
            self.unwritten.pop(name, None)

    def _clean(self, name: str, container: Container) -> None:
        command = container.record.get("cleanup")
        if command:
            if container.record.get("own_cleanup"):
                command = [*self.program, *container.record["own_cleanup"]]
            try:
                out = str(self.directory / "cleanup.log")
                files = spawning.to_files(out, out)
                pid = spawning.start(command, dict(os.environ), "/", files)
            except OSError:
                self._finish(name)
                return
            self.children[pid] = ("cleanup", name)
            return
        if container.pid is not None:
            self._kill_leftovers(name, container.pid)
        self._finish(name)

    def _kill_leftovers(self, name: str, leader: int) -> None:
        """What the leader left behind: its group, and strays that became our children."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
        mark = f"MESOS_CONTAINER_ID={name}".encode()
        for _ in range(KILL_PASSES):
            strays = []
            for pid in self._strangers():
                with contextlib.suppress(OSError):
                    if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                        strays.append(pid)
            if not strays:
                return
            for pid in strays:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)

    def _strangers(self) -> list[int]:
        pid = os.getpid()
        try:
            words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return []
        leaders = {each.pid for each in self.containers.values()}
        found = [int(word) for word in words]
        return [each for each in found if each not in self.children and each not in leaders]

    def _finish(self, name: str) -> None:
        container = self.containers.pop(name)
        group = container.record.get("processes")
        if group and not remove_group(group):
            # The runtime does not wait long for many processes to die.
            self.groups.append(group)
        (self.running / f"{name}.json").unlink(missing_ok=True)
        if container.record.get("failed"):
            self._reply(container, {"error": container.record["failed"]})
            return
        record = self.unwritten.get(name) or read_record(self.exits / f"{name}.json")
        record = record or {"status": None, "memory": {}}
        self.server.tell_all({"event": "exited", "container": name, **record})

    # --- recovery ------------------------------------------------------------------------

    def recover(self) -> None:
        """Take over what an earlier supervisor, that was killed, has left."""
        for path in sorted(self.running.glob("*.json")):
            name = path.stem
            # Without its record it is found by its mark, and what else was known is lost.
            lost: Record = {"container": name, "boot_id": self.boot_id, "pid": None}
            record = read_or_set_aside(path) or lost
            container = Container(record)
            self.containers[name] = container
            pid = self._living_leader(name, record)
            if pid is None:
                if (self.exits / f"{name}.json").exists():
                    record["ended"] = True
                    self._clean(name, container)
                else:
                    self._leader_ended(name, None)
                continue
            if record.get("pid") is None:
                self._started(container, pid)
            container.watch = os.pidfd_open(pid)
            self.selector.register(container.watch, selectors.EVENT_READ, name)
        self._destroy_orphans()

    def _destroy_orphans(self) -> None:
        """End the containers whose parents have ended."""
        for container in list(self.containers.values()):
            parent = container.record.get("parent")
            above = self.containers.get(parent) if parent else container
            if above is None or "ended" in above.record:
                self._destroy(container)

    def _living_leader(self, name: str, record: Record) -> int | None:
        if record.get("boot_id") != self.boot_id:
            return None
        pid = record.get("pid")
        if pid is not None:
            return pid if start_time(pid) == record.get("start") else None
        pid = self._pid_in(record.get("pid_file"))
        if pid is not None:
            return pid if start_time(pid) is not None else None
        return self._marked_leader(name)

    def _marked_leader(self, name: str) -> int | None:
        # Killed between spawn and writing the pid: the container's own mark finds it.
        mark = f"MESOS_CONTAINER_ID={name}".encode()
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) != os.getpid():
                with contextlib.suppress(OSError):
                    environment = Path(f"/proc/{entry}/environ").read_bytes()
                    if mark in environment.split(b"\0") and os.getsid(int(entry)) == int(entry):
                        return int(entry)
        return None


def main(arguments: list[str]) -> int:
    """Run as the supervisor of `arguments[0]`; returns 0 when another one already is."""
    directory = Path(arguments[0])
    os.umask(0o022)
    for name in ("containers", "exits"):
        (directory / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    private_root = ""
    for argument in arguments[1:]:
        if argument.startswith("--private-root="):
            private_root = argument.partition("=")[2]
            enter_private_root(private_root)
    take_no_privilege_of_memory()
    system_call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Supervisor(directory, open_listener(directory), private_root).run(reader)
    (directory / "socket").unlink(missing_ok=True)
    return 0
