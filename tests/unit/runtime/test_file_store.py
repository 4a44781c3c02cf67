"""The store in files: what a crash, a full disk and damage may leave behind."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesosphere.kernel.store import ANY, Put
from mesosphere.runtime import file_store
from mesosphere.runtime.file_store import FileStore, StoreDamaged
from mesosphere.runtime.store import Entries, StoreInDoubt

SYSTEM_CALLS = ("open", "write", "fsync", "fdatasync", "rename", "close", "ftruncate")


class Crash(BaseException):
    """The process is gone."""


async def fill(directory: Path, count: int) -> list[Entries]:
    """Commit `count` transactions; what the store held before each and after the last."""
    store = FileStore(directory)
    states = [await store.load("/")]
    for number in range(count):
        await store.commit([Put(f"/a/{number % 3}", b"value %d" % number, ANY)])
        states.append(await store.load("/"))
    await store.close()
    return states


async def read(directory: Path) -> Entries:
    store = FileStore(directory)
    entries = await store.load("/")
    await store.close()
    return entries


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot after every transaction or two."""
    monkeypatch.setattr(file_store, "COMPACT_BYTES", 40)


async def test_a_log_cut_anywhere_holds_whole_transactions(tmp_path: Path) -> None:
    states = await fill(tmp_path / "store", 4)
    log = (tmp_path / "store/log.0").read_bytes()
    seen = []
    for size in range(len(log) + 1):
        for tail in (b"", bytes(40)):
            there = tmp_path / f"cut.{size}.{len(tail)}"
            there.mkdir()
            (there / "log.0").write_bytes(log[:size] + tail)
            found = await read(there)
            assert found in states
            assert await read(there) == found
            seen.append(states.index(found))
    assert seen == sorted(seen) and set(seen) == {0, 1, 2, 3, 4}


async def test_damage_before_whole_records_is_told_and_nothing_is_touched(tmp_path: Path) -> None:
    await fill(tmp_path, 4)
    log = tmp_path / "log.0"
    whole = log.read_bytes()
    size = len(whole) // 4
    for position in range(3 * size):
        damaged = bytearray(whole)
        damaged[position] ^= 0x41
        log.write_bytes(damaged)
        before = files(tmp_path)
        with pytest.raises(StoreDamaged, match=r"log\.0 is broken at byte \d+.*backup"):
            FileStore(tmp_path)
        assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda d, n: (d / f"snapshot.{n}").write_bytes(b"x" * 30), "is not what was written"),
        (lambda d, n: (d / f"snapshot.{n}").write_bytes(b""), "is not what was written"),
        (lambda d, n: (d / f"snapshot.{n}").unlink(), "is missing"),
        (lambda d, n: (d / f"log.{n}").unlink(), "is missing"),
    ],
)
async def test_a_pair_that_is_not_whole_is_told_and_nothing_is_touched(
    spoil: Callable[[Path, int], Any], fault: str, small: None, tmp_path: Path
) -> None:
    await fill(tmp_path, 60)
    store = FileStore(tmp_path)
    if not next(tmp_path.glob("log.*")).stat().st_size:
        await store.commit([Put("/b", b"x", ANY)])
    await store.close()
    number = int(next(tmp_path.glob("snapshot.*")).suffix[1:])
    assert number > 1
    spoil(tmp_path, number)
    before = files(tmp_path)
    with pytest.raises(StoreDamaged, match=fault):
        FileStore(tmp_path)
    assert files(tmp_path) == before


async def test_a_crash_between_any_two_system_calls_loses_nothing(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, crashes = 0, 0
    while True:
        directory = tmp_path / str(count)
        store = FileStore(directory)
        left = count

        def counted(real: Any) -> Callable[..., Any]:
            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal left
                if left == 0:
                    raise Crash
                left -= 1
                return real(*arguments, **options)

            return call

        acknowledged: list[int] = []
        crashed = False
        with monkeypatch.context() as patch:
            patch.setattr(file_store.asyncio, "to_thread", here)
            for name in SYSTEM_CALLS:
                patch.setattr(file_store.os, name, counted(getattr(os, name)))
            try:
                for number in range(8):
                    await store.commit([Put(f"/{number}", b"v", ANY)])
                    acknowledged.append(number)
            except Crash:
                crashed = True
        found = {int(path.strip("/")) for path in await read(directory) if path != "/"}
        assert found - set(acknowledged) <= {len(acknowledged)}  # at most the one under way
        assert set(acknowledged) <= found
        shutil.rmtree(directory)
        crashes += crashed
        if not crashed:
            break
        count += 1
    assert crashes > 20


async def here(work: Callable[..., Any], *arguments: Any) -> Any:
    return work(*arguments)


async def test_a_full_disk_puts_off_the_snapshot_and_no_transaction(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(store, "_prepare", full)
        for number in range(9):
            await store.commit([Put(f"/{number}", b"v", ANY)])
    assert [path.name for path in tmp_path.glob("snapshot.*[0-9]")] == []
    for number in range(9, 13):
        await store.commit([Put(f"/{number}", b"v", ANY)])
    await store.close()
    assert len(list(tmp_path.glob("snapshot.*[0-9]"))) == 1
    assert set(await read(tmp_path)) >= {f"/{number}" for number in range(13)}


def full(number: int) -> tuple[int, int]:
    raise OSError(28, "No space left on device")


async def test_after_a_write_that_failed_nothing_is_acknowledged_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(tmp_path)
    await store.commit([Put("/a", b"1", ANY)])
    with monkeypatch.context() as patch:
        patch.setattr(file_store.os, "fdatasync", full)
        with pytest.raises(StoreInDoubt):
            await store.commit([Put("/a", b"2", ANY)])
    with pytest.raises(StoreInDoubt):
        await store.commit([Put("/a", b"3", ANY)])
    await store.close()
    assert (await read(tmp_path))["/a"][0] in (b"1", b"2")
