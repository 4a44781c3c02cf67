"""Agents that differ, dealt out level by level, against one agent after the other."""

from types import SimpleNamespace
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from mesosphere.kernel.resources import Resources
from mesosphere.master.core.allocator import cycle
from mesosphere.master.core.allocator.claims import LEAST, NEEDS_GPUS, part_for
from mesosphere.master.core.allocator.quotas import Quota
from mesosphere.master.core.allocator.succession import everybodys
from tests.unit.master.allocation import Cluster
from tests.unit.master.test_dealing import ROLES, at_least, clients_of, weights_of

sizes_of = st.lists(
    st.tuples(st.integers(0, 64), st.integers(0, 2**16), st.integers(0, 9), st.integers(0, 1)),
    min_size=1,
    max_size=50,
)
leasts_of = st.lists(
    st.sampled_from((LEAST, (), ({"cpus": 9_000, "mem": 999_000}, {"disk": 5_000}), ({"x": 1},))),
    min_size=1,
    max_size=3,
)
refusals_of = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 99)), max_size=9)


def made(
    sizes: list[tuple[int, int, int, int]],
    clients: dict[str, tuple[str, ...]],
    weights: dict[str, float],
    leasts: list[object],
    refusals: list[tuple[int, int]],
) -> Cluster:
    """Agents with GPUs are for every third framework."""
    agents = {
        f"s{place:02}": Resources.of(cpus=cpus, mem=mem, disk=disk, ports=[(1, 2)])
        for place, (cpus, mem, disk, _) in enumerate(sizes)
    }
    cluster = Cluster(agents, clients, weights=weights)
    for place, (_, _, _, needs) in enumerate(sizes):
        cluster.slots[f"s{place:02}"].needs = NEEDS_GPUS * (needs and len(clients) > 3)
    for place, (name, roles) in enumerate(clients.items()):
        for role in roles:
            can = NEEDS_GPUS if place % 3 else 0
            cluster.enroll(name, role, least=leasts[place % len(leasts)], can=can)
    pairs = [(role, name) for name, roles in clients.items() for role in roles]
    for pair, place in refusals:
        (role, name), agent = pairs[pair % len(pairs)], list(agents)[place % len(agents)]
        cluster.allocator.filters.add(name, role, agent, agents[agent], 10.0)
    for name, slot in cluster.slots.items():
        slot.refresh(cluster.free[name], cluster.tree)
    return cluster


@settings(max_examples=200, deadline=None)
@given(sizes_of, clients_of, weights_of, leasts_of, refusals_of)
def test_level_by_level_each_agent_goes_where_one_after_the_other_would(
    sizes: list[tuple[int, int, int, int]],
    clients: dict[str, tuple[str, ...]],
    weights: dict[str, float],
    leasts: list[object],
    refusals: list[tuple[int, int]],
) -> None:
    by_level = made(sizes, clients, weights, leasts, refusals)
    # Those that anybody would take are dealt out first.
    first = [slot.id for slot in everybodys(by_level.tree, list(by_level.slots.values()))]
    others = [name for name in by_level.slots if name not in first]
    with at_least(10_000, many_others=1):
        dealt = by_level.cycle(*first, *others)
    with at_least(10_000, many_others=10_000):
        singly = made(sizes, clients, weights, leasts, refusals)
        assert dealt == singly.cycle(*first, *others)
    for role in ROLES:
        assert by_level.tree.allocated(role) == singly.tree.allocated(role)
        assert by_level.tree.consumed(role) == singly.tree.consumed(role)
        assert by_level.tree.share_of(role) == singly.tree.share_of(role)


@settings(max_examples=200, deadline=None)
@given(
    sizes_of,
    clients_of,
    weights_of,
    st.dictionaries(st.sampled_from("ab*"), st.integers(0, 2_000), min_size=1),
    st.integers(1, 9),
)
def test_limits_hold_as_one_after_the_other(
    sizes: list[tuple[int, int, int, int]],
    clients: dict[str, tuple[str, ...]],
    weights: dict[str, float],
    limits: dict[str, int],
    at_once: int,
) -> None:
    by_level = made(sizes, clients, weights, [LEAST], [])
    singly = made(sizes, clients, weights, [LEAST], [])
    for cluster in (by_level, singly):
        for top, limit in limits.items():
            cluster.allocator.set_quota(top, Quota(limits={"cpus": limit * 1000}))
    first = [slot.id for slot in everybodys(by_level.tree, list(by_level.slots.values()))]
    others = [name for name in by_level.slots if name not in first]
    with at_least(10_000, many_others=1), mock.patch.object(cycle, "AT_ONCE", at_once):
        dealt = by_level.cycle(*first, *others)
    with at_least(10_000, many_others=10_000):
        assert dealt == singly.cycle(*first, *others)
    for role in ROLES:
        assert by_level.tree.consumed(role) == singly.tree.consumed(role)
        assert by_level.tree.share_of(role) == singly.tree.share_of(role)
    for top, limit in limits.items():
        consumed = by_level.tree.as_scalars(by_level.tree.consumed(top))
        assert consumed.get("cpus", 0) <= limit * 1000


@settings(max_examples=200, deadline=None)
@given(sizes_of, clients_of, leasts_of, refusals_of)
def test_what_is_everybodys_everybody_would_take_whole(
    sizes: list[tuple[int, int, int, int]],
    clients: dict[str, tuple[str, ...]],
    leasts: list[object],
    refusals: list[tuple[int, int]],
) -> None:
    cluster = made(sizes, clients, {}, leasts, refusals)
    claimants = [client.claimant for _, client in cluster.tree.claimants()]
    slots = list(cluster.slots.values())
    found = everybodys(cluster.tree, slots)
    taken_by_all = [
        slot
        for slot in slots
        if all(part_for(0.0, slot, claimant, None) is slot.free for claimant in claimants)
    ]
    assert found == [] or found == taken_by_all
    assert found == taken_by_all or refusals


def test_nothing_is_everybodys_while_somebody_has_constraints() -> None:
    cluster = Cluster({"s": Resources.of(cpus=1, mem=64)}, {"f": ("a",), "g": ("a",)})
    slot = cluster.slots["s"]
    slot.refresh(slot.total, cluster.tree)
    assert everybodys(cluster.tree, [slot]) == [slot]
    cluster.enroll("g", "a", constraint=SimpleNamespace(allows=lambda facts: True))
    assert everybodys(cluster.tree, [slot]) == []
