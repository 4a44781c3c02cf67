"""Starts the processes of the supervisor: into files, pipes or a terminal. Standard library only.

`io` is what a container that can be attached to needs: `directory` (of the switchboard's socket),
`tty` ([rows, columns] of a terminal, [0, 0] where nobody said; None for pipes), `console` (the OCI
runtime makes the terminal and sends it), `owner` ([uid, gid] of who runs in it), `program` (argv
of the switchboard) and `waits` (nothing is read before somebody listens). The switchboard is
started first, with one end of everything; it goes on when this process is gone.
"""

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any

from mesosphere.agent.isolation.line_server import open_listener
from mesosphere.agent.isolation.processes import find_program, resize

Action = tuple[Any, ...]
CONSOLE = "@console"
"""Stands in the runtime's argv for the path of the socket that takes the terminal."""
USUAL = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
"""Every signal means to a container what it usually means, whatever is ignored here: a terminal's
key would else reach nobody."""
QUIET_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def to_files(out: str, err: str) -> list[Action]:
    """No input, output to the ends of two files."""
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, out, writing, 0o644),
        (os.POSIX_SPAWN_OPEN, 2, err, writing, 0o644),
    ]


def start(
    argv: list[str], environment: dict[str, str], directory: str, actions: list[Action]
) -> int:
    """Start a program in a session of its own; its process id. Raises OSError, ValueError."""
    os.chdir(directory)
    try:
        return os.posix_spawn(
            find_program(argv[0], environment, directory), argv, environment,
            file_actions=actions, setsid=True, setsigmask=[],
            setsigdef=USUAL,
        )  # fmt: skip
    finally:
        os.chdir("/")


class Wiring:
    """The ends of a container's input and output, and the switchboard at the other side.

    Raises OSError when made. `close` lets go of the container's ends, once it has them or failed.
    """

    def __init__(self, io: dict[str, Any], out: str, err: str) -> None:
        self._owner = io.get("owner")
        self._held: list[int] = []
        self._given: dict[str, int] = {}  # what the switchboard gets
        self.console = ""
        self.actions = to_files(out, err)
        try:
            self._lay(io)
            self.switchboard = self._start_switchboard(io, out, err)
        except OSError:
            self.close()
            raise
        finally:
            for descriptor in self._given.values():
                os.close(descriptor)

    def _lay(self, io: dict[str, Any]) -> None:
        directory = Path(io["directory"])
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._given["listener"] = open_listener(directory).detach()
        if io.get("console"):
            place = directory / "console"
            place.mkdir(exist_ok=True, mode=0o700)
            self._given["console"] = open_listener(place).detach()
            # The path of a socket must be short: it is reached through the switchboard.
            self._given["place"] = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        elif io.get("tty") is not None:
            self._lay_terminal(*io["tty"])
        else:
            self._lay_pipes()

    def _lay_terminal(self, rows: int, columns: int) -> None:
        self._given["terminal"], slave = os.openpty()
        self._held.append(slave)
        self._own(slave)
        if rows or columns:
            resize(slave, rows, columns)
        # The leader of a session that opens a terminal gets it as its own.
        self.actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, 0, 2),
        ]

    def _lay_pipes(self) -> None:
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            reader, writer = os.pipe()
            self._given[name], own = (writer, reader) if name == "stdin" else (reader, writer)
            self._held.append(own)
            self._own(own)
            self.actions[number] = (os.POSIX_SPAWN_DUP2, own, number)

    def _own(self, descriptor: int) -> None:
        if self._owner is not None:
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, *self._owner)

    def _start_switchboard(self, io: dict[str, Any], out: str, err: str) -> int:
        for descriptor in self._given.values():
            os.set_inheritable(descriptor, True)
        told = {**self._given, "waits": bool(io.get("waits"))}
        argv = [*io["program"], json.dumps(told)]
        pid = start(argv, QUIET_ENVIRONMENT, "/", to_files(out, err))
        if "place" in self._given:
            self.console = f"/proc/{pid}/fd/{self._given['place']}/socket"
        return pid

    def close(self) -> None:
        """Let go of the container's ends."""
        for descriptor in self._held:
            os.close(descriptor)
        self._held.clear()
