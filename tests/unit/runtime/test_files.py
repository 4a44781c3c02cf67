"""Checkpoints are durable with everything that leads to them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mesosphere.runtime.files import append_checkpoint, write_checkpoint

WRITERS = pytest.mark.parametrize("write", [write_checkpoint, append_checkpoint])
Writer = Callable[[Path, bytes], None]


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directories that are fsynced, in order."""
    found: list[str] = []
    fsync = os.fsync

    def record(handle: int) -> None:
        path = os.readlink(f"/proc/self/fd/{handle}")
        if os.path.isdir(path):
            found.append(path)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", record)
    return found


@WRITERS
def test_each_directory_with_a_new_entry_is_synced(
    tmp_path: Path, synced: list[str], write: Writer
) -> None:
    write(tmp_path / "a" / "b" / "c" / "file", b"x")
    assert synced == [str(tmp_path / each) for each in ("a/b/c", "a/b", "a", "")]
    synced.clear()
    write(tmp_path / "a" / "d" / "file", b"x")
    assert synced == [str(tmp_path / "a" / "d"), str(tmp_path / "a")]


@WRITERS
def test_directories_are_synced_also_when_the_file_can_not_be_written(
    tmp_path: Path, synced: list[str], monkeypatch: pytest.MonkeyPatch, write: Writer
) -> None:
    def refuse(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "a" / "b" / "file", b"x")
    assert synced == [str(tmp_path / "a"), str(tmp_path)]


@WRITERS
def test_a_file_in_the_place_of_a_directory_fails_the_write(tmp_path: Path, write: Writer) -> None:
    (tmp_path / "a").write_text("in the way")
    with pytest.raises(OSError, match="a"):
        write(tmp_path / "a" / "b" / "file", b"x")
    assert (tmp_path / "a").read_text() == "in the way"
