"""The dependency graph: cycles, release, inheritance."""

from mesosphere.chronos.core.graph import (
    children_of,
    count_success,
    dot,
    find_cycle,
    parents_without,
)


def test_a_cycle_is_found_and_told() -> None:
    parents = {"b": ("a",), "c": ("b",), "a": ("c",)}
    assert find_cycle(parents, "a") == ("a", "c", "b", "a")


def test_a_diamond_is_no_cycle() -> None:
    parents = {"b": ("a",), "c": ("a",), "d": ("b", "c")}
    assert find_cycle(parents, "d") is None


def test_a_child_of_one_parent_is_released_each_time() -> None:
    edges: dict[str, int] = {}
    for _ in range(3):
        edges, released = count_success(edges, ("a",), "a")
        assert released


def test_a_child_of_two_waits_for_both() -> None:
    edges, released = count_success({}, ("a", "b"), "a")
    assert not released
    edges, released = count_success(edges, ("a", "b"), "b")
    assert released


def test_a_parent_that_ran_ahead_does_not_release_again() -> None:
    edges, _ = count_success({}, ("a", "b"), "a")
    edges, released = count_success(edges, ("a", "b"), "a")
    assert not released
    edges, released = count_success(edges, ("a", "b"), "b")
    assert released


def test_a_success_of_a_stranger_counts_nothing() -> None:
    assert count_success({"a": 1}, ("a",), "x") == ({"a": 1}, False)


def test_children_inherit_the_parents_of_a_deleted_job() -> None:
    assert parents_without("b", ("a",), ("b", "c", "a")) == ("a", "c")


def test_children_are_listed_in_order() -> None:
    assert children_of({"c": ("a",), "b": ("a", "x"), "d": ("x",)}, "a") == ["c", "b"]


def test_dot_names_every_node_and_edge() -> None:
    text = dot(["a", "b"], {"b": ("a",)})
    assert 'label="a"' in text
    assert "0 -> 1;" in text
