"""One contract for every store: in files, in the real ZooKeeper, and in the simulated one."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from tests.integration.marathon_stack import Stack

from mesosphere.kernel.store import (
    ABSENT,
    TRANSACTION_LIMIT_WRITES,
    VALUE_LIMIT_BYTES,
    Check,
    Put,
    Remove,
    Write,
)
from mesosphere.runtime.file_store import FileStore
from mesosphere.runtime.store import StoreRefused
from mesosphere.runtime.zookeeper import ZooKeeperStore
from mesosphere.simulation.zookeeper import Refused, SimulatedStore

KINDS = ("files", "zookeeper", "simulated")


class Simulated:
    """The simulated store in the form of the real ones."""

    def __init__(self) -> None:
        self.inner = SimulatedStore()

    async def commit(self, writes: Sequence[Write]) -> dict[str, int]:
        try:
            return self.inner.commit("/root", writes)
        except Refused as error:
            raise StoreRefused(str(error)) from error

    async def load(self, path: str) -> dict[str, tuple[bytes, int]]:
        return self.inner.load("/root", path)

    async def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    stack = Stack(tmp_path_factory.mktemp("ensemble"))
    try:
        stack.start_zookeeper()
        yield stack.zookeeper.removeprefix("zk://")
    finally:
        stack.close()


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    if request.param == "files":
        files = FileStore(tmp_path)
        yield files
        await files.close()
    elif request.param == "simulated":
        yield Simulated()
    else:
        hosts = request.getfixturevalue("ensemble")
        client = KazooClient(hosts=hosts, timeout=10)
        await asyncio.to_thread(client.start, 60)
        root = f"/{request.node.name.replace('[', '-').replace(']', '')}"
        yield ZooKeeperStore(client, root)
        await asyncio.to_thread(client.stop)
        client.close()


async def test_what_was_put_is_loaded_with_its_version(store: Any) -> None:
    assert await store.commit([Put("/a/b", b"1"), Put("/a/c", b"2")]) == {"/a/b": 0, "/a/c": 0}
    assert await store.commit([Put("/a/b", b"3")]) == {"/a/b": 1}
    entries = await store.load("/a")
    assert entries["/a/b"] == (b"3", 1) and entries["/a/c"] == (b"2", 0)


async def test_nothing_is_loaded_from_where_nothing_is(store: Any) -> None:
    assert await store.load("/nobody") == {}


async def test_only_what_is_below_is_loaded(store: Any) -> None:
    await store.commit([Put("/a/x", b"1"), Put("/ab/y", b"2")])
    assert [path for path, (data, _) in (await store.load("/a")).items() if data] == ["/a/x"]


async def test_a_version_that_does_not_fit_refuses_everything(store: Any) -> None:
    await store.commit([Put("/v", b"1")])
    with pytest.raises(StoreRefused):
        await store.commit([Put("/other", b"x"), Put("/v", b"2", 7)])
    assert await store.load("/other") == {}
    assert (await store.load("/v"))["/v"] == (b"1", 0)
    assert await store.commit([Put("/v", b"2", 0)]) == {"/v": 1}


async def test_absent_creates_and_only_once(store: Any) -> None:
    assert await store.commit([Put("/new", b"1", ABSENT)]) == {"/new": 0}
    with pytest.raises(StoreRefused):
        await store.commit([Put("/new", b"2", ABSENT)])
    assert (await store.load("/new"))["/new"] == (b"1", 0)


async def test_a_check_guards_a_transaction(store: Any) -> None:
    await store.commit([Put("/epoch", b"me")])
    await store.commit([Check("/epoch", 0), Put("/data", b"1")])
    await store.commit([Put("/epoch", b"another")])
    with pytest.raises(StoreRefused):
        await store.commit([Check("/epoch", 0), Put("/data", b"2")])
    assert (await store.load("/data"))["/data"][0] == b"1"


async def test_a_check_for_absence(store: Any) -> None:
    await store.commit([Check("/gone", ABSENT), Put("/x", b"1")])
    await store.commit([Put("/gone", b"")])
    with pytest.raises(StoreRefused):
        await store.commit([Check("/gone", ABSENT), Put("/x", b"2")])


async def test_removing(store: Any) -> None:
    await store.commit([Put("/r", b"1")])
    with pytest.raises(StoreRefused):
        await store.commit([Remove("/r", 5)])
    await store.commit([Remove("/r")])
    assert await store.load("/r") == {}
    await store.commit([Remove("/r")])  # absent is fine
    with pytest.raises(StoreRefused):
        await store.commit([Remove("/r", 0)])


async def test_a_node_with_children_stays(store: Any) -> None:
    await store.commit([Put("/p", b""), Put("/p/child", b"1")])
    with pytest.raises(StoreRefused):
        await store.commit([Remove("/p")])
    await store.commit([Remove("/p/child"), Remove("/p")])
    assert await store.load("/p") == {}


async def test_a_removed_node_begins_anew(store: Any) -> None:
    await store.commit([Put("/again", b"1")])
    await store.commit([Put("/again", b"2")])
    await store.commit([Remove("/again")])
    assert await store.commit([Put("/again", b"3")]) == {"/again": 0}


async def test_commits_are_made_in_the_order_they_were_given(store: Any) -> None:
    commits = [store.commit([Put("/n", str(number).encode())]) for number in range(50)]
    results = await asyncio.gather(*commits)
    assert [result["/n"] for result in results] == list(range(50))
    assert (await store.load("/n"))["/n"] == (b"49", 49)


async def test_limits_refuse_and_do_not_break(store: Any) -> None:
    with pytest.raises(StoreRefused):
        await store.commit([Put("/big", b"x" * (VALUE_LIMIT_BYTES + 1))])
    with pytest.raises(StoreRefused):
        await store.commit([Put(f"/m/{n}", b"") for n in range(TRANSACTION_LIMIT_WRITES + 1)])
    for path in ("relative", "/a//b", "/a\0b"):
        with pytest.raises(StoreRefused):
            await store.commit([Put(path, b"")])
    assert await store.commit([Put("/small", b"1")]) == {"/small": 0}


async def test_a_large_transaction_is_made(store: Any) -> None:
    writes = [Put(f"/l/{number:04}", b"x" * 400) for number in range(1500)]
    assert len(await store.commit(writes)) == 1500
    assert len([1 for data, _ in (await store.load("/l")).values() if data]) == 1500
    value = b"y" * (VALUE_LIMIT_BYTES - 100_000)
    await store.commit([Put("/large", value)])
    assert (await store.load("/large"))["/large"][0] == value
