"""The supervisor with real processes: starts, ends, signals, and its own sudden death."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesosphere.agent.isolation.processes import processes_of_group, remove_group
from mesosphere.agent.isolation.starting import connect, start_supervisor

DEADLINE_S = 30.0


class Talk:
    """A blocking client of one supervisor."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None
        self.events: list[dict[str, Any]] = []
        self.buffer = b""
        self.connection: socket.socket | None = None
        self.count = 0

    def start(self) -> None:
        self.process = start_supervisor(self.directory)
        until = time.monotonic() + DEADLINE_S
        while True:
            try:
                self.connection = connect(self.directory)
                break
            except OSError:
                assert time.monotonic() < until, "the supervisor does not answer"
                time.sleep(0.02)
        self.connection.settimeout(DEADLINE_S)

    def stop(self) -> None:
        if self.connection is not None:
            with contextlib.suppress(OSError):
                for name in self.ask(op="hello")["running"]:
                    self.ask(op="destroy", container=name)
            self.connection.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        assert self.process is not None and self.connection is not None
        self.process.kill()
        self.process.wait()
        self.connection.close()
        self.buffer = b""

    def _record(self) -> dict[str, Any]:
        assert self.connection is not None
        while b"\n" not in self.buffer:
            data = self.connection.recv(65536)
            if not data:
                raise ConnectionError("the supervisor hung up")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        record: dict[str, Any] = json.loads(line)
        return record

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.connection is not None
        self.count += 1
        self.connection.sendall(json.dumps({"id": self.count, **request}).encode() + b"\n")
        while True:
            record = self._record()
            if record.get("id") == self.count:
                return record
            self.events.append(record)

    def wait_exit(self, container: str) -> dict[str, Any]:
        while True:
            for event in self.events:
                if event.get("event") == "exited" and event["container"] == container:
                    return event
            self.events.append(self._record())

    def spawn(self, container: str, script: str, **more: Any) -> dict[str, Any]:
        sandbox = self.directory / "sandbox" / container
        sandbox.mkdir(parents=True, exist_ok=True)
        request = {
            "argv": ["/bin/sh", "-c", script],
            "environment": {
                "PATH": os.environ["PATH"],
                "MESOS_CONTAINER_ID": container,
                "GREETING": "hello",
            },
            "directory": str(sandbox),
            "stdout": str(sandbox / "stdout"),
            "stderr": str(sandbox / "stderr"),
            **more,
        }
        return self.ask(op="spawn", container=container, **request)


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    talking = Talk(tmp_path / ("deep" * 20) / "supervisor")
    talking.start()
    yield talking
    talking.stop()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Any) -> None:
    until = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_process_runs_in_its_directory_and_its_status_is_told(talk: Talk) -> None:
    started = talk.spawn("a", 'echo "$GREETING"; pwd; echo oops >&2; exit 7')
    assert started["ok"] and started["pid"] > 1
    assert talk.wait_exit("a")["status"] == 7 << 8
    sandbox = talk.directory / "sandbox" / "a"
    assert (sandbox / "stdout").read_text() == f"hello\n{sandbox}\n"
    assert (sandbox / "stderr").read_text() == "oops\n"


def test_an_exit_is_kept_until_it_is_forgotten(talk: Talk) -> None:
    talk.spawn("a", "exit 3")
    talk.wait_exit("a")
    assert talk.ask(op="hello")["exited"]["a"]["status"] == 3 << 8
    assert "exists" in talk.spawn("a", "true")["error"]
    talk.ask(op="forget", container="a")
    assert talk.ask(op="hello")["exited"] == {}


def test_an_unknown_command_is_an_error_with_its_name(talk: Talk) -> None:
    answer = talk.spawn("a", "", argv=["no-such-command"])
    assert "no-such-command" in answer["error"] and "not found" in answer["error"]
    assert talk.ask(op="hello")["running"] == {}


def test_a_signal_reaches_the_whole_tree(talk: Talk) -> None:
    talk.spawn("a", "sh -c 'sleep 1000; :' & echo $! > child; wait")
    child_file = talk.directory / "sandbox" / "a" / "child"
    wait_until(lambda: child_file.exists() and child_file.read_text().strip())
    child = int(child_file.read_text())
    talk.ask(op="signal", container="a", signal=signal.SIGTERM)
    assert talk.wait_exit("a")["status"] == signal.SIGTERM
    wait_until(lambda: not is_alive(child))


def test_strays_in_other_sessions_end_with_their_container(talk: Talk) -> None:
    talk.spawn("a", "setsid sleep 1000 & sleep 0.2; pgrep -s 0 x; exit 0")
    talk.spawn("b", "setsid sh -c 'echo $$ > stray; exec sleep 1000' & sleep 0.5; exit 0")
    talk.wait_exit("b")
    stray = int((talk.directory / "sandbox" / "b" / "stray").read_text())
    wait_until(lambda: not is_alive(stray))


def test_destroy_kills_what_ignores_the_term_signal(talk: Talk) -> None:
    talk.spawn("a", "trap '' TERM; echo ready > ready; while :; do sleep 1; done")
    wait_until((talk.directory / "sandbox" / "a" / "ready").exists)
    talk.ask(op="signal", container="a", signal=signal.SIGTERM)
    assert "a" in talk.ask(op="hello")["running"]
    talk.ask(op="destroy", container="a")
    assert talk.wait_exit("a")["status"] == signal.SIGKILL


def test_containers_are_found_again_when_the_supervisor_was_killed(talk: Talk) -> None:
    running = talk.spawn("a", "sleep 1000")["pid"]
    ended = talk.spawn("b", "sleep 1000")["pid"]
    talk.spawn("c", "exit 5")
    talk.wait_exit("c")
    talk.kill()
    os.kill(ended, signal.SIGKILL)
    wait_until(lambda: not is_alive(ended))
    talk.start()
    hello = talk.ask(op="hello")
    assert hello["running"] == {"a": running}
    assert hello["exited"]["b"]["status"] is None
    assert hello["exited"]["c"]["status"] == 5 << 8
    talk.ask(op="destroy", container="a")
    assert talk.wait_exit("a")["status"] is None


def test_what_is_nested_ends_with_its_parent_whoever_saw_that(talk: Talk) -> None:
    for name, parent in (("a", ""), ("a.n", "a"), ("a.n.m", "a.n"), ("b", ""), ("b.n", "b")):
        talk.spawn(name, "sleep 1000", parent=parent)
    pids = talk.ask(op="hello")["running"]
    talk.ask(op="destroy", container="a")
    for name in ("a", "a.n", "a.n.m"):
        assert talk.wait_exit(name)["status"] == signal.SIGKILL
    talk.kill()
    os.kill(pids["b"], signal.SIGKILL)
    wait_until(lambda: not is_alive(pids["b"]))
    assert is_alive(pids["b.n"])
    talk.start()
    wait_until(lambda: not is_alive(pids["b.n"]))
    assert talk.ask(op="hello")["exited"]["b"]["status"] is None


UNIFIED = next((path for path in (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
                if (path / "cgroup.subtree_control").exists()), None)  # fmt: skip


@pytest.mark.skipif(
    UNIFIED is None or not os.access(UNIFIED, os.W_OK), reason="no control groups of version 2"
)
def test_processes_of_a_threaded_control_group_are_found() -> None:
    assert UNIFIED is not None
    above = UNIFIED / f"mesos-test-{os.getpid()}-threads"
    below = above / "nested"
    below.mkdir(parents=True)
    running = subprocess.Popen(["sleep", "1000"])
    try:
        (below / "cgroup.type").write_text("threaded")
        (below / "cgroup.procs").write_text(str(running.pid))
        with pytest.raises(OSError, match="not supported"):
            (below / "cgroup.procs").read_text()
        assert processes_of_group(str(below)) == [running.pid]
        assert set(processes_of_group(str(above))) == {running.pid}
    finally:
        running.kill()
        running.wait()
        wait_until(lambda: remove_group(str(above)))


def test_a_container_without_a_readable_record_is_found_by_its_mark(talk: Talk) -> None:
    running = talk.spawn("a", "sleep 1000")["pid"]
    ended = talk.spawn("b", "sleep 1000")["pid"]
    talk.spawn("c", "exit 5")
    talk.wait_exit("c")
    talk.kill()
    os.kill(ended, signal.SIGKILL)
    wait_until(lambda: not is_alive(ended))
    for name in ("containers/a", "containers/b", "exits/c"):
        path = talk.directory / f"{name}.json"
        data = path.read_bytes()
        path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    talk.start()
    hello = talk.ask(op="hello")
    assert hello["running"] == {"a": running}
    assert hello["exited"]["b"]["status"] is None
    assert hello["exited"]["c"] is None
    assert (talk.directory / "containers" / "a.json.damaged").exists()
    assert "a.json can't be read" in (talk.directory / "supervisor.log").read_text()
    talk.ask(op="destroy", container="a")
    assert talk.wait_exit("a")["status"] is None


def test_a_cleanup_of_ours_is_started_by_the_release_that_spoke_last(talk: Talk) -> None:
    out = talk.directory / "told"
    talk.spawn("a", "sleep 0.3", cleanup=["/gone/python", "old"], own_cleanup=["words"])
    talk.ask(op="hello", program=["/bin/sh", "-c", f'echo "$0" > {out}'])
    assert talk.wait_exit("a")["status"] == 0
    assert out.read_text() == "words\n"


def test_a_second_supervisor_leaves_at_once(talk: Talk) -> None:
    second = start_supervisor(talk.directory)
    assert second.wait(DEADLINE_S) == 0
    assert talk.ask(op="hello")["ok"]


def test_malformed_requests_are_refused_and_do_no_harm(talk: Talk) -> None:
    assert talk.connection is not None
    talk.connection.sendall(b"not json\n[1]\n{}\n")
    for _ in range(3):
        assert "malformed" in talk._record()["error"]
    assert "malformed" in talk.ask(op="spawn", container="../etc")["error"]
    assert talk.ask(op="hello")["ok"]


def test_many_short_processes_are_all_told(talk: Talk) -> None:
    for number in range(100):
        assert talk.spawn(f"n{number}", f"exit {number % 50}")["ok"]
    for number in range(100):
        assert talk.wait_exit(f"n{number}")["status"] == (number % 50) << 8


def test_quitting_waits_for_the_last_container(talk: Talk) -> None:
    talk.spawn("a", "sleep 1000")
    assert talk.ask(op="quit")["ok"] is False
    talk.ask(op="destroy", container="a")
    assert talk.process is not None and talk.process.wait(DEADLINE_S) == 0


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_on_a_full_disk_an_exit_is_told_and_written_once_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted")
    talking = Talk(disk / "supervisor")
    try:
        talking.start()
        talking.spawn("a", "sleep 0.5; exit 5")
        fill(disk / "filler")
        assert talking.wait_exit("a")["status"] == 5 << 8
        assert talking.ask(op="hello")["exited"]["a"]["status"] == 5 << 8
        (disk / "supervisor" / "sandbox" / "b").mkdir()
        fill(disk / "filler")
        assert "error" in talking.spawn("b", "true")
        (disk / "filler").unlink()
        wait_until((disk / "supervisor" / "exits" / "a.json").exists)
        assert talking.spawn("c", "exit 1")["ok"]
        assert talking.wait_exit("c")["status"] == 1 << 8
    finally:
        talking.stop()
        subprocess.run(["umount", "-l", str(disk)], check=True)
