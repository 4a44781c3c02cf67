"""Agents that are alike, dealt out at once, against one agent after the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from mesosphere.kernel.resources import Resources
from mesosphere.master.core.allocator import cycle, dealing
from mesosphere.master.core.allocator.cycle import Grant
from mesosphere.master.core.allocator.quotas import Quota
from tests.unit.master.allocation import Cluster

ROLES = ("*", "a", "a/x", "a/x/y", "a/z", "b", "b/x")
KINDS = (
    Resources.of(cpus=2, mem=1024, disk=4096, ports=[(1, 2)]),
    Resources.of(cpus=1, mem=64),
    Resources.of(cpus=3, gpus=1),
)

clients_of = st.lists(
    st.sets(st.sampled_from(ROLES), min_size=1, max_size=3).map(lambda found: tuple(sorted(found))),
    min_size=1,
    max_size=12,
).map(lambda found: {f"f{number:02}": roles for number, roles in enumerate(found)})
holdings = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), max_size=12)
counts_of = st.lists(st.integers(0, 60), min_size=3, max_size=3)
weights_of = st.dictionaries(st.sampled_from(ROLES), st.sampled_from((0.5, 1.0, 3.0)))


@contextmanager
def at_least(few: int, depth: int = dealing.DEPTH_LEAST, many_others: int = 1) -> Iterator[None]:
    """Deal out together from so many agents on."""
    with (
        mock.patch.object(cycle, "FEW", few),
        mock.patch.object(cycle, "MANY_OTHERS", many_others),
        mock.patch.object(dealing, "DEPTH_LEAST", depth),
    ):
        yield


def made(
    counts: list[int],
    clients: dict[str, tuple[str, ...]],
    held: list[tuple[int, int]],
    weights: dict[str, float],
) -> Cluster:
    agents = {
        f"s{kind}-{number:02}": KINDS[kind]
        for kind, count in enumerate(counts)
        for number in range(count)
    }
    cluster = Cluster(agents, clients, weights=weights)
    cluster.tree.add_total(Resources.of(cpus=500, mem=90_000, disk=1000))
    pairs = [(role, name) for name, roles in clients.items() for role in roles]
    for place, kind in held:
        role, name = pairs[place % len(pairs)]
        cluster.tree.allocate(role, name, KINDS[kind])
    return cluster


@settings(max_examples=150, deadline=None)
@given(counts_of, clients_of, holdings, weights_of, st.integers(1, 5))
def test_what_is_dealt_at_once_is_what_one_after_the_other_would_get(
    counts: list[int],
    clients: dict[str, tuple[str, ...]],
    held: list[tuple[int, int]],
    weights: dict[str, float],
    depth: int,
) -> None:
    with at_least(1, depth):
        at_once = made(counts, clients, held, weights)
        dealt = at_once.cycle()
    with at_least(10_000, many_others=10_000):
        singly = made(counts, clients, held, weights)
        given_singly = singly.cycle()
    assert dealt == given_singly
    for role in ROLES:
        assert at_once.tree.allocated(role) == singly.tree.allocated(role)
        assert at_once.tree.share_of(role) == singly.tree.share_of(role)


def sums(grants: list[Grant]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for grant in grants:
        for name, amount in grant.resources.scalars().items():
            totals[name] = totals.get(name, 0) + amount
    return totals


@settings(max_examples=100, deadline=None)
@given(
    counts_of,
    clients_of,
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 99)), max_size=80),
    st.integers(0, 60),
    st.integers(0, 30),
)
def test_refusals_limits_and_guarantees_hold_when_agents_are_dealt_at_once(
    counts: list[int],
    clients: dict[str, tuple[str, ...]],
    refusals: list[tuple[int, int]],
    limit: int,
    guarantee: int,
) -> None:
    with at_least(1):
        cluster = made(counts, clients, [], {})
        cluster.allocator.set_quota("a", Quota(limits={"cpus": limit * 1000}))
        cluster.allocator.set_quota("absent", Quota({"cpus": guarantee * 1000}))
        pairs = [(role, name) for name, roles in clients.items() for role in roles]
        agents = list(cluster.slots)
        refused = {}
        for pair, place in refusals if agents else ():
            role, name = pairs[pair % len(pairs)]
            agent = agents[place % len(agents)]
            cluster.allocator.filters.add(name, role, agent, cluster.free[agent], 10.0)
            refused[name, role, agent] = True
        grants = cluster.cycle(now=1.0)
    for grant in grants:
        is_whole = grant.resources == cluster.slots[grant.agent].total
        assert not is_whole or (grant.framework, grant.role, grant.agent) not in refused
    consumed = cluster.tree.as_scalars(cluster.tree.consumed("a"))
    assert consumed.get("cpus", 0) <= limit * 1000
    left = sum(free.scalar("cpus") for free in cluster.free.values())
    whole = sum(slot.total.scalar("cpus") for slot in cluster.slots.values())
    assert left >= min(guarantee * 1000, whole)
    assert sums(grants).get("cpus", 0) == whole - left


def test_agents_that_nobody_can_take_rest_until_somebody_comes() -> None:
    cluster = Cluster({f"s{n:03}": KINDS[1] for n in range(100)}, {"f": ("a",)})
    cluster.enroll("f", "a", least=({"cpus": 2_000},))
    assert cluster.cycle() == []
    version = cluster.allocator.version
    assert all(slot.rests[0] == version for slot in cluster.slots.values())
    cluster.enroll("g", "b")
    assert len(cluster.cycle()) == 100
