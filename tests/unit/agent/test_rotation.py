"""Output files that are cut while they are written, and a disk that is full."""

import contextlib
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesosphere.agent.disk_reserve import DiskReserve
from mesosphere.agent.isolation import rotation
from mesosphere.agent.isolation.rotation import Policy, identity, is_due, rotate
from mesosphere.runtime.files import append_checkpoint, write_checkpoint

SMALL = Policy(16 * 1024, 1000)
"""Keeps more old files than the whole output fills, however finely it is cut."""


def places() -> list[Any]:
    """A directory of a file system that cuts, if there is one, and one that does not."""
    return ["tmp", pytest.param("memory", marks=pytest.mark.skipif(
        not os.access("/dev/shm", os.W_OK), reason="no /dev/shm to write"))]  # fmt: skip


@pytest.fixture
def directory(tmp_path: Path, request: Any) -> Iterator[Path]:
    if request.param == "tmp":
        yield tmp_path
        return
    path = Path(f"/dev/shm/rotation-{os.getpid()}")
    path.mkdir()
    yield path
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


class Writer:
    """Appends numbered lines until told to stop; `paused` holds it as a frozen group is held."""

    def __init__(self, path: Path, count: int) -> None:
        self.lock = threading.Lock()
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.thread = threading.Thread(target=self.run, args=(count,))

    def run(self, count: int) -> None:
        for number in range(count):
            with self.lock:
                os.write(self.file, b"%07d %s\n" % (number, b"x" * (number % 90)))

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        with self.lock:
            yield


def pieces(path: Path) -> list[Path]:
    old = [each for each in path.parent.iterdir() if each.name.startswith(f"{path.name}.")]
    return [*sorted(old, key=lambda each: -int(each.suffix[1:])), path]


@pytest.mark.parametrize("directory", places(), indirect=True)
def test_no_line_is_lost_while_the_file_is_cut_under_its_writer(directory: Path) -> None:
    path = directory / "stdout"
    writer = Writer(path, 30_000)
    known = identity(str(path))
    writer.thread.start()
    rotations = 0
    while writer.thread.is_alive():
        if is_due(str(path), SMALL):
            rotations += rotate(str(path), known, SMALL, writer.paused)
    writer.thread.join()
    whole = b"".join(piece.read_bytes() for piece in pieces(path))
    assert rotations > 0 and identity(str(path)) == known
    assert [int(line[:7]) for line in whole.splitlines()] == list(range(30_000))


def test_only_so_many_old_files_are_kept_and_they_belong_to_the_task(tmp_path: Path) -> None:
    path = tmp_path / "stdout"
    policy = Policy(8192, 2)
    for number in range(5):
        with path.open("ab") as file:
            file.write(b"%d" % number * 20_000)
        rotate(str(path), identity(str(path)), policy, contextlib.nullcontext)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["stdout", "stdout.1", "stdout.2"]
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) < 3 * 8192
    assert (tmp_path / "stdout.1").stat().st_uid == path.stat().st_uid
    assert (tmp_path / "stdout.1").read_bytes()[-1:] == b"4"


def test_nothing_but_the_very_file_is_touched(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"p" * 50_000)
    home = tmp_path / "sandbox"
    home.mkdir()
    path = home / "stdout"
    path.write_bytes(b"")
    known = identity(str(path))
    path.unlink()
    path.symlink_to(precious)
    assert not is_due(str(path), SMALL)
    assert not rotate(str(path), known, SMALL, contextlib.nullcontext)
    path.unlink()
    os.link(precious, path)
    assert not rotate(str(path), known, SMALL, contextlib.nullcontext)
    path.unlink()
    path.write_bytes(b"o" * 50_000)
    (home / "stdout.1").symlink_to(precious)
    assert rotate(str(path), identity(str(path)), SMALL, contextlib.nullcontext)
    assert precious.read_bytes() == b"p" * 50_000
    assert not rotate(str(home / "absent" / "x"), known, SMALL, contextlib.nullcontext)


def test_a_file_system_that_can_not_cut_is_emptied_in_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "cut", lambda file, length: False)
    path = tmp_path / "stdout"
    path.write_bytes(bytes(range(256)) * 300)
    wrote = []

    @contextlib.contextmanager
    def paused() -> Iterator[None]:
        with path.open("ab") as file:
            file.write(b"at the last moment")
        wrote.append(True)
        yield

    whole = path.read_bytes() + b"at the last moment"
    assert rotate(str(path), identity(str(path)), Policy(1 << 20, 9), paused)
    assert wrote and path.read_bytes() == b""
    assert (tmp_path / "stdout.1").read_bytes() == whole


# --- a full disk ----------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)],
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filler").open("wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()


def test_the_reserve_gives_a_full_disk_room_for_what_was_promised(small_disk: Path) -> None:
    reserve = DiskReserve(small_disk, 1 << 20)
    assert reserve.hold() and reserve.hold() and reserve.is_held
    fill(small_disk)
    with pytest.raises(OSError, match=re.escape(os.strerror(28))):
        write_checkpoint(small_disk / "meta" / "task.info", b"x" * 9000)
    assert reserve.release() and not reserve.release()
    write_checkpoint(small_disk / "meta" / "task.info", b"x" * 9000)
    assert not reserve.hold()
    (small_disk / "filler").unlink()
    assert reserve.hold()


def test_a_record_that_found_no_room_leaves_nothing_behind(small_disk: Path) -> None:
    log = small_disk / "task.updates"
    append_checkpoint(log, b"first\n")
    fill(small_disk)
    with pytest.raises(OSError, match=re.escape(os.strerror(28))):
        append_checkpoint(log, b"y" * 100_000 + b"\n")
    (small_disk / "filler").unlink()
    append_checkpoint(log, b"second\n")
    assert log.read_bytes() == b"first\nsecond\n"


def test_no_reserve_is_taken_where_none_is_asked_or_there_is_no_room(small_disk: Path) -> None:
    assert not DiskReserve(small_disk, 0).hold()
    assert not DiskReserve(small_disk, 3 << 20).hold()
    assert not list(small_disk.iterdir())
