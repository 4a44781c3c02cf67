"""Runs the checks of containers: a command in a container, or a look at a port from within.

Every check ends in exactly one CheckFinished, in its time. What took too long is ended wherever it
runs: the runtime's own process dies without the one that it started in the container.
"""

import asyncio
import contextlib
import itertools
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from mesosphere.agent.isolation import plans
from mesosphere.agent.isolation.processes import program
from mesosphere.kernel.effects import RunCheck
from mesosphere.kernel.events import CheckFinished, Event

RUNTIME_PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
"""For the runtime itself; the check has its own environment."""


class Listener(Protocol):
    """What is used of the runtime's node."""

    def deliver(self, event: Event, cause: str | None = None) -> None:
        """Give an event to the machine."""


class Checker:
    """`kept(container)` is what is remembered of its plan, `leaders` its first process."""

    def __init__(
        self,
        runtime_dir: Path,
        kept: Callable[[str], dict[str, Any]],
        leaders: Mapping[str, int],
    ) -> None:
        self._runtime_dir = runtime_dir
        self._kept = kept
        self._leaders = leaders
        self._numbers = itertools.count()

    async def check(self, node: Listener, effect: RunCheck, cause: str | None) -> None:
        """Perform RunCheck; tells CheckFinished."""
        kept = self._kept(effect.container)
        if not kept:
            code, reason = None, "the container is not known"
        elif effect.url:
            code, reason = await self._look(effect)
        else:
            code, reason = await self._run(effect, kept)
        node.deliver(CheckFinished(effect.check, code, reason), cause)

    async def _look(self, effect: RunCheck) -> tuple[int | None, str]:
        """A look from within the container's network."""
        leader = self._leaders.get(effect.container)
        if not leader:
            return None, "the container is not running"
        module = "mesosphere.agent.isolation.looking"
        command = program(module, str(leader), effect.url, str(effect.timeout_s))
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            out, _ = await asyncio.wait_for(process.communicate(), effect.timeout_s)
            told = json.loads(out)
        except TimeoutError:
            kill_group(process.pid)
            await process.wait()
            return None, _late(effect)
        except ValueError:
            return None, "the look ended without an answer"
        return told.get("value"), told.get("reason", "")

    async def _run(self, effect: RunCheck, kept: dict[str, Any]) -> tuple[int | None, str]:
        """A command as the container's own would run."""
        pid_file = self._runtime_dir / f"check.{next(self._numbers)}.pid"
        command, environment = list(effect.argv), dict(effect.environment)
        if kept["isolation"] == "oci":
            words = [f"--env={name}={value}" for name, value in environment.items()]
            words.append(f"--pid-file={pid_file}")
            command = [*kept["execute"], *words, effect.container, *command]
            environment = RUNTIME_PATH
        else:
            command = [*plans.wrapping(kept, kept["user"]), *command]
        try:
            process = await asyncio.create_subprocess_exec(
                *command, env=environment, cwd=kept["directory"], start_new_session=True,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        except OSError as error:
            return None, f"can't start the check: {error.strerror}"
        try:
            return await asyncio.wait_for(process.wait(), effect.timeout_s), ""
        except TimeoutError:
            # It leads a session of its own there too; its pid is the host's.
            with contextlib.suppress(OSError, ValueError):
                kill_group(int(pid_file.read_text()))
            kill_group(process.pid)
            await process.wait()
            return None, _late(effect)
        finally:
            pid_file.unlink(missing_ok=True)


def _late(effect: RunCheck) -> str:
    return f"the check took longer than {effect.timeout_s:g} s"


def kill_group(pid: int) -> None:
    """Kill a process that leads a group, and all of the group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
