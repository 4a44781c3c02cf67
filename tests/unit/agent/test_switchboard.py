"""The switchboard of a container: real pipes and terminals, clients on its socket."""

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mesosphere.agent.containerizer import Containerizer
from mesosphere.agent.isolation import frames, outputs, spawning
from mesosphere.agent.isolation.processes import program, start_time
from mesosphere.agent.isolation.rotation import identity
from mesosphere.agent.isolation.starting import connect
from mesosphere.agent.isolation.switchboard import UNREAD_BYTES

PATIENCE_S = 20.0


class Peer:
    """A client of a switchboard."""

    def __init__(self, directory: Path, kind: bytes) -> None:
        self.socket = connect(directory)
        self.socket.settimeout(PATIENCE_S)
        self.received = bytearray()
        self.frames: list[tuple[bytes, bytes]] = []
        self.say(kind)
        self.answer = self.next()[0]

    def say(self, kind: bytes, content: bytes = b"") -> None:
        self.socket.sendall(frames.encode(kind, content))

    def next(self) -> tuple[bytes, bytes]:
        """The next frame; (b"", b"") after the last."""
        while not self.frames:
            data = self.socket.recv(1 << 16)
            if not data:
                return b"", b""
            self.received += data
            self.frames = frames.split(self.received)
        return self.frames.pop(0)

    def until(self, wanted: bytes) -> bytes:
        """What was put out, as far as this."""
        told = b""
        while wanted not in told:
            kind, content = self.next()
            assert kind, f"it ended with {told!r}"
            told += content
        return told

    def rest(self) -> bytes:
        told = []
        while (frame := self.next())[0]:
            told.append(frame[1])
        return b"".join(told)


class Bench:
    """A container's program behind a switchboard, as the supervisor starts them."""

    def __init__(self, directory: Path, script: str, **io: Any) -> None:
        self.directory = directory / "attach"
        self.out, self.err = directory / "stdout", directory / "stderr"
        board = program("mesosphere.agent.isolation.switchboard")
        wired = {"directory": str(self.directory), "program": board, **io}
        wiring = spawning.Wiring(wired, str(self.out), str(self.err))
        self.switchboard = wiring.switchboard
        self.pid = spawning.start(
            ["/bin/sh", "-c", script], {"PATH": os.defpath}, "/", wiring.actions
        )
        wiring.close()

    def attach(self, kind: bytes = frames.OUTPUT) -> Peer:
        return Peer(self.directory, kind)

    def status(self) -> int:
        return os.waitpid(self.pid, 0)[1]

    def close(self) -> None:
        for pid in (self.pid, self.switchboard):
            try:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue


@pytest.fixture(autouse=True)
def _stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the supervisor goes where its programs start, and to / again


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(script: str, **io: Any) -> Bench:
        made.append(Bench(tmp_path, script, **io))
        return made[-1]

    yield make
    for each in made:
        each.close()


def wait_for(is_so: Callable[[], Any]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_output_goes_to_its_files_and_to_who_listens_from_then_on(
    bench: Callable[..., Bench],
) -> None:
    found = bench("echo before; read line; echo after $line; echo trouble >&2")
    wait_for(lambda: found.out.read_text() == "before\n")
    listener, talker = found.attach(), found.attach(frames.INPUT)
    assert (listener.answer, talker.answer) == (frames.OK, frames.OK)
    assert found.attach(frames.INPUT).answer == frames.REFUSED
    talker.say(frames.DATA, b"all\n")
    told = sorted([listener.next(), listener.next()], reverse=True)
    assert told == [(frames.OUT, b"after all\n"), (frames.ERR, b"trouble\n")]
    assert listener.next() == (b"", b"")
    assert talker.next() == (frames.OVER, b"")
    assert (found.out.read_text(), found.err.read_text()) == ("before\nafter all\n", "trouble\n")
    assert found.status() == 0
    assert os.waitpid(found.switchboard, 0)[1] == 0  # it does not outlive what it is for


def test_the_end_of_the_input_is_told_and_another_may_give_input_then(
    bench: Callable[..., Bench],
) -> None:
    found = bench("cat; sleep 30")
    listener = found.attach()
    first = found.attach(frames.INPUT)
    first.say(frames.DATA, b"one ")
    first.socket.close()
    assert listener.until(b"one ") == b"one "
    second = found.attach(frames.INPUT)
    while second.answer == frames.REFUSED:
        second = found.attach(frames.INPUT)
    second.say(frames.DATA, b"two")
    second.say(frames.CLOSE)
    assert listener.until(b"two") == b"two"
    second.say(frames.DATA, b"late")
    assert second.next() == (frames.FAILED, b"Failed writing to stdin: it is closed")


def test_a_terminal_is_the_session_leaders_own_and_has_a_size(bench: Callable[..., Bench]) -> None:
    found = bench("tty; stty size; read line; stty size; exit 3", tty=[11, 22], waits=True)
    listener, talker = found.attach(), found.attach(frames.INPUT)
    assert listener.until(b"11 22").startswith(b"/dev/pts/")
    talker.say(frames.WINDOW, frames.SIZE.pack(33, 44))
    talker.say(frames.DATA, b"\n")
    assert b"33 44" in listener.rest()
    assert found.status() == 3 << 8


def test_a_container_ignores_no_signal_that_its_starter_ignores(tmp_path: Path) -> None:
    out = tmp_path / "stdout"
    ignored = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
    earlier = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    try:
        command = ["grep", "SigIgn", "/proc/self/status"]
        actions = spawning.to_files(str(out), str(tmp_path / "stderr"))
        pid = spawning.start(command, {"PATH": os.environ["PATH"]}, str(tmp_path), actions)
    finally:
        for number, action in earlier.items():
            signal.signal(number, action)
    assert os.waitpid(pid, 0)[1] == 0
    of_the_c_library = 0b11 << 31  # which keeps two for itself
    assert int(out.read_text().split()[1], 16) & ~of_the_c_library == 0


def test_a_key_reaches_who_is_in_the_foreground(bench: Callable[..., Bench]) -> None:
    # No `wait`: some shells lose a signal that comes just before it.
    script = "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.1; done"
    found = bench(script, tty=[0, 0])
    listener, talker = found.attach(), found.attach(frames.INPUT)
    wait_for(lambda: "ready" in found.out.read_text())
    talker.say(frames.DATA, b"\x03")
    assert b"caught" in listener.rest()
    assert found.status() == 4 << 8


def test_a_window_without_a_terminal_is_refused(bench: Callable[..., Bench]) -> None:
    talker = bench("sleep 30").attach(frames.INPUT)
    talker.say(frames.WINDOW, frames.SIZE.pack(1, 2))
    kind, reason = talker.next()
    assert (kind, reason[:30]) == (frames.FAILED, b"Unable to set the window size:")


def test_a_listener_that_does_not_read_is_cut_and_the_container_goes_on(
    bench: Callable[..., Bench],
) -> None:
    step = f"head -c {UNREAD_BYTES // 4} /dev/zero; sleep 0.2"
    found = bench(f"read line; for n in 1 2 3 4 5 6 7 8 9 10 11 12; do {step}; done; echo done")
    stuck, listener = found.attach(), found.attach()
    found.attach(frames.INPUT).say(frames.DATA, b"\n")
    assert len(listener.rest()) == 3 * UNREAD_BYTES + len(b"done\n")
    assert found.status() == 0
    assert len(stuck.rest()) < UNREAD_BYTES  # what the kernel held for it, and then the end


def test_a_session_waits_for_its_owner_and_for_nobody_else(bench: Callable[..., Bench]) -> None:
    size = 2 * UNREAD_BYTES
    found = bench(f"head -c {size} /dev/zero; echo done >&2", waits=True)
    time.sleep(0.3)
    assert os.waitpid(found.pid, os.WNOHANG) == (0, 0)  # a pipe is full, and nobody is there
    owner, other = found.attach(), found.attach()
    time.sleep(0.3)
    assert os.waitpid(found.pid, os.WNOHANG) == (0, 0)
    assert len(owner.rest()) == size + len(b"done\n")
    assert found.status() == 0
    assert other.rest()


def test_a_session_whose_owner_left_is_not_stuck(bench: Callable[..., Bench]) -> None:
    found = bench(f"head -c {2 * UNREAD_BYTES} /dev/zero; exit 5", waits=True)
    owner = found.attach()
    time.sleep(0.2)
    owner.socket.close()
    assert found.status() == 5 << 8


def test_what_a_short_session_said_waits_for_its_owner(bench: Callable[..., Bench]) -> None:
    for io in ({}, {"tty": [0, 0]}):
        found = bench("echo short", waits=True, **io)
        assert found.status() == 0
        time.sleep(0.2)
        assert found.attach().rest().strip() == b"short"
        found.close()


def test_input_that_nobody_reads_holds_its_giver_back(bench: Callable[..., Bench]) -> None:
    found = bench("sleep 30")
    talker = found.attach(frames.INPUT)
    talker.socket.settimeout(0.5)
    frame = frames.encode(frames.DATA, b"x" * 60_000)
    with pytest.raises(TimeoutError):
        for _ in range(200):
            talker.socket.sendall(frame)
    assert found.attach().answer == frames.OK


def test_a_peer_that_talks_nonsense_is_cut(bench: Callable[..., Bench]) -> None:
    found = bench("sleep 30")
    with socket.socket(socket.AF_UNIX) as nonsense:
        nonsense.connect(str(found.directory / "socket"))
        nonsense.sendall(b"d" + b"\xff" * 64)
        nonsense.settimeout(PATIENCE_S)
        assert nonsense.recv(100) == b""
    assert found.attach().answer == frames.OK


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no /dev/shm to write")
def test_its_files_are_rotated_while_it_writes_and_nothing_is_lost() -> None:
    directory = Path(tempfile.mkdtemp(dir="/dev/shm"))  # whose files can't be cut in one step
    try:
        # With pauses: one that has ended before the first look is not rotated at all.
        part = "seq $((n * 10000 + 1)) $((n * 10000 + 10000)); sleep 0.1"
        found = Bench(directory, f"for n in 0 1 2 3 4 5 6 7 8 9; do {part}; done; exit 6")
        out = str(found.out)
        record = {
            "rotation": {out: [40_000, 1_000]}, "outputs": {out: identity(out)},
            "switchboard": [found.switchboard, start_time(found.switchboard)],
        }  # fmt: skip
        while os.waitpid(found.switchboard, os.WNOHANG)[0] == 0:
            outputs.look(record, list)
        assert found.status() == 6 << 8
        old = sorted(directory.glob("stdout.*"), key=lambda path: -int(path.suffix[1:]))
        assert old
        told = "".join(path.read_text() for path in (*old, found.out))
        assert told == "".join(f"{number}\n" for number in range(1, 100_001))
    finally:
        shutil.rmtree(directory)


async def test_a_supervisor_of_an_earlier_release_is_not_asked_for_what_it_does_not_know(
    tmp_path: Path,
) -> None:
    containerizer = Containerizer(tmp_path, None)
    containerizer._supervision.version = 3
    answer = await containerizer._spawn("c1", {"op": "spawn", "io": {"waits": True}})
    assert "earlier release" in answer["error"]
