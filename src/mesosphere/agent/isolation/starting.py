"""Starts the supervisor of an agent, detached, and reaches its socket."""

import os
import socket
import subprocess
from pathlib import Path

from mesosphere.agent.isolation.processes import program


def supervisor_command(directory: Path, private_root: Path | None) -> list[str]:
    """How a supervisor is started."""
    command = program("mesosphere.agent.supervisor", str(directory))
    return command if private_root is None else [*command, f"--private-root={private_root}"]


def start_supervisor(directory: Path, private_root: Path | None = None) -> subprocess.Popen[bytes]:
    """Start one in its own session; it ends at once if another one serves the directory."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (directory / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            supervisor_command(directory, private_root),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )


def connect(directory: Path) -> socket.socket:
    """A connection to the supervisor; raises OSError when none is there."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            connection.connect(f"/proc/self/fd/{descriptor}/socket")
        finally:
            os.close(descriptor)
    except OSError:
        connection.close()
        raise
    return connection
