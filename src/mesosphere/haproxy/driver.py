"""Runs HAProxy and carries out what the machine decides: validate, replace, command, reload.

HAProxy is started in master-worker mode in a session of its own, so that it outlives this daemon; a
daemon that starts finds it again by its pid file. A HAProxy that has died is started again with the
file as it is, which always holds the current servers.

Order of an application. Runtime commands only: the commands, then the file (their servers differ
from a good configuration by address and port alone, so nothing is validated on the fast path). A
reload: validate a file aside, archive, replace, signal, and wait until the new worker answers.
"""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from mesosphere.kernel.effects import ApplyProxyConfiguration
from mesosphere.kernel.events import Event, ProxyApplied, ProxyRefused, ProxyState

VALIDATE_TIMEOUT_S = 30.0
RELOAD_TIMEOUT_S = 30.0
COMMAND_TIMEOUT_S = 5.0
POLL_S = 0.05
OUTPUT_LIMIT = 4_000

_HARMLESS = ("No such server", "still has connections", "must be in maintenance")
"""Answers to `del server` and `enable health` that change nothing about what is served."""


class Driver:
    """One HAProxy. Methods block; call them in a thread, one at a time (`lock`)."""

    def __init__(self, binary: str, config: Path, run_dir: Path, archive_versions: int) -> None:
        self._binary = binary
        self._config = config
        self._run_dir = run_dir
        self._archive_versions = archive_versions
        self._pid_file = run_dir / "haproxy.pid"
        self.admin_socket = run_dir / "admin.sock"
        self.lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        run_dir.mkdir(parents=True, exist_ok=True, mode=0o755)
        config.parent.mkdir(parents=True, exist_ok=True)

    # --- the process --------------------------------------------------------------------------

    def master_pid(self) -> int | None:
        """The pid of a running HAProxy master of ours, None if there is none."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        if self._child is not None:
            # HAProxy replaces the file while it starts; without it a second one would be started.
            return self._child.pid
        try:
            pid = int(self._pid_file.read_text().split()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError, IndexError):
            return None
        # A pid may have been given to somebody else since.
        return pid if str(self._config).encode() in command else None

    def start(self) -> str | None:
        """Start HAProxy with the file; the fault if it does not come up."""
        log = (self._run_dir / "haproxy.log").open("ab")
        with log:
            self._child = subprocess.Popen(
                [
                    self._binary,
                    "-W",
                    "-db",
                    "-f",
                    str(self._config),
                    "-p",
                    str(self._pid_file),
                    "-S",
                    f"{self._run_dir}/master.sock,mode,600",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
        # With -db HAProxy writes no pid file; the master is our child.
        self._pid_file.write_text(f"{self._child.pid}\n")
        deadline = time.monotonic() + RELOAD_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._child.poll() is not None:
                return f"haproxy ended with {self._child.returncode}: {self._last_log()}"
            if self.ask("show info") is not None:
                return None
            time.sleep(POLL_S)
        return "haproxy did not answer on its socket"

    def _last_log(self) -> str:
        with contextlib.suppress(OSError):
            data = (self._run_dir / "haproxy.log").read_bytes()[-OUTPUT_LIMIT:]
            return data.decode("utf-8", "replace").strip()
        return ""

    def ask(self, command: str) -> str | None:
        """The answer to a runtime command; None when nobody answers."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(COMMAND_TIMEOUT_S)
                connection.connect(str(self.admin_socket))
                connection.sendall(command.encode() + b"\n")
                parts = []
                while data := connection.recv(65536):
                    parts.append(data)
        except OSError:
            return None
        return b"".join(parts).decode("utf-8", "replace")

    # --- applying -----------------------------------------------------------------------------

    def apply(self, effect: ApplyProxyConfiguration) -> Event:
        """Perform ApplyProxyConfiguration."""
        with self.lock:
            try:
                if self.master_pid() is None:
                    return self._bring_up(effect)
                if not effect.reload:
                    fault = self._command(effect.commands)
                    if fault is None:
                        self._write(effect.text)
                        return ProxyApplied(effect.generation, reloaded=False)
                return self._reload(effect)
            except (OSError, subprocess.SubprocessError) as error:
                return ProxyRefused(effect.generation, str(error))

    def _bring_up(self, effect: ApplyProxyConfiguration) -> Event:
        fault = self._validate(effect.text)
        if fault is None:
            self._replace(effect.text)
            fault = self.start()
        if fault is not None:
            return ProxyRefused(effect.generation, fault)
        return ProxyApplied(effect.generation, reloaded=True)

    def _reload(self, effect: ApplyProxyConfiguration) -> Event:
        if effect.reload and not effect.commands and self._current() == effect.text:
            return ProxyApplied(effect.generation, reloaded=False)  # it runs just this
        fault = self._validate(effect.text)
        if fault is not None:
            return ProxyRefused(effect.generation, fault)
        before = self._worker()
        earlier = self._current()
        self._replace(effect.text)
        pid = self.master_pid()
        if pid is None:
            fault = self.start()
            if fault is not None:
                return ProxyRefused(effect.generation, fault)
            return ProxyApplied(effect.generation, reloaded=True)
        os.kill(pid, signal.SIGUSR2)
        deadline = time.monotonic() + RELOAD_TIMEOUT_S
        while time.monotonic() < deadline:
            worker = self._worker()
            if worker is not None and worker != before:
                return ProxyApplied(effect.generation, reloaded=True)
            time.sleep(POLL_S)
        # A port that somebody else holds passes validation and fails the reload: the old worker
        # serves on, and a restart must find its configuration.
        if earlier is not None:
            self._write(earlier)
        return ProxyRefused(effect.generation, f"no new worker came up: {self._last_log()}")

    def _worker(self) -> str | None:
        answer = self.ask("show info")
        for line in (answer or "").splitlines():
            if line.startswith("Pid:"):
                return line.split(":", 1)[1].strip()
        return None

    def _command(self, commands: Sequence[str]) -> str | None:
        """Send runtime commands; the first answer that is a fault."""
        for command in commands:
            answer = self.ask(command)
            if answer is None:
                return "haproxy did not answer on its socket"
            text = answer.strip()
            if not text or text.startswith(("New server registered", "Server deleted")):
                continue
            if command.startswith(("del ", "enable health")) or any(
                known in text for known in _HARMLESS
            ):
                continue
            return f"{command}: {text[:OUTPUT_LIMIT]}"
        return None

    def _validate(self, text: str) -> str | None:
        aside = self._config.with_name(f".{self._config.name}.check")
        aside.write_text(text)
        found = subprocess.run(
            [self._binary, "-c", "-f", str(aside)],
            capture_output=True,
            timeout=VALIDATE_TIMEOUT_S,
            check=False,
        )
        if found.returncode == 0:
            return None
        output = (found.stderr + found.stdout).decode("utf-8", "replace")
        alerts = [line for line in output.splitlines() if "[ALERT]" in line] or [output]
        return "\n".join(alerts)[:OUTPUT_LIMIT]

    def _current(self) -> str | None:
        try:
            return self._config.read_text()
        except OSError:
            return None

    def _replace(self, text: str) -> None:
        """Archive the file and put the new text in its place."""
        current = self._current()
        if current is not None and current != text and self._archive_versions > 0:
            archive = self._config.parent / "archive"
            archive.mkdir(exist_ok=True)
            stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
            (archive / f"{self._config.name}.{stamp}.{time.monotonic_ns()}").write_text(current)
            kept = sorted(archive.iterdir())
            for old in kept[: -self._archive_versions]:
                old.unlink(missing_ok=True)
        self._write(text)

    def _write(self, text: str) -> None:
        aside = self._config.with_name(f".{self._config.name}.writing")
        with aside.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(self._config)

    # --- watching -----------------------------------------------------------------------------

    def read_state(self) -> Event:
        """Perform ReadProxyState."""
        answer = self.ask("show servers state") if self.master_pid() is not None else None
        return ProxyState(alive=answer is not None, servers=answer or "")

    def keep_running(self) -> str | None:
        """Start HAProxy again if it has died; says what happened, None if nothing did."""
        if self._current() is None or not self.lock.acquire(blocking=False):
            return None
        try:
            if self.master_pid() is not None:
                return None
            fault = self.start()
            return f"haproxy had died: {fault or 'started again'}"
        except OSError as error:
            return f"haproxy had died and can't be started: {error}"
        finally:
            self.lock.release()

    def stop(self) -> None:
        """End HAProxy; used when the service is taken away, not when the daemon restarts."""
        pid = self.master_pid()
        if pid is not None:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGTERM)
