"""A real master and its emulated agents as processes, and what they cost."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Master:
    """A master process on a free port, of this checkout or another; its registry is in files."""

    def __init__(self, directory: Path, *flags: str, tree: Path | None = None) -> None:
        self.port = free_port()
        self.directory = directory
        self.flags = flags
        self._environ = dict(os.environ)
        if tree is not None:
            self._environ["PYTHONPATH"] = str(tree.resolve() / "src")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it leads. BENCH_MASTER_PYTHON may name a profiler."""
        python = os.environ.get("BENCH_MASTER_PYTHON", sys.executable).split()
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *python, "-m", "mesosphere.cli", "master", "--ip=127.0.0.1",
                    f"--port={self.port}", f"--work_dir={self.directory}", "--hostname=127.0.0.1",
                    "--logging_level=WARNING", *self.flags,
                ],
                stdout=log, stderr=log, env=self._environ,
            )  # fmt: skip
        for _ in range(12_000):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/roles"):
                    return
            except OSError:
                time.sleep(0.005)
        raise SystemExit(f"no master: see {self.directory / 'log'}")

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def rss_kb(self) -> int:
        """Resident memory."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
        raise SystemExit("the master has gone")

    def cpu_s(self) -> float:
        """User and system time so far: less noisy than the clock on a shared machine."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


class Fleet:
    """The process of the emulated agents."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.emulator", f"--port={self._port}",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**26,
        )  # fmt: skip

    async def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """One command and its answer."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        line = await process.stdout.readline()
        if not line:
            raise SystemExit("the emulator ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
