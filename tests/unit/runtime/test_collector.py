"""Full collections are made seldom, but are made."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from mesosphere.runtime import collector


@pytest.fixture
def tuned() -> Iterator[None]:
    threshold = gc.get_threshold()
    collector.tune()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


class Node:
    """Something that can refer to itself."""

    other: "Node"


@pytest.mark.usefixtures("tuned")
def test_cycles_are_found_while_they_are_young() -> None:
    node = Node()
    node.other = node
    seen = weakref.ref(node)
    del node
    kept = [[number] for number in range(3 * collector.YOUNG)]
    assert seen() is None and kept


@pytest.mark.usefixtures("tuned")
def test_old_cycles_go_with_the_next_full_collection_and_not_before() -> None:
    node = Node()
    node.other = node
    seen = weakref.ref(node)
    gc.collect(1)  # it has grown old
    del node
    found = collector.Collector(100.0)
    assert not found.tick(100.0 + collector.FULL_INTERVAL_S - 1) and seen() is not None
    assert found.tick(100.0 + collector.FULL_INTERVAL_S) and seen() is None
    assert not found.tick(101.0 + collector.FULL_INTERVAL_S)
