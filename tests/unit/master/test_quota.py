"""Quota: limits are never exceeded, guarantees are met when they can be, headroom is kept."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mesosphere.kernel.resources import EMPTY, Identity, Resources
from mesosphere.master.core.allocator.cycle import Grant
from mesosphere.master.core.allocator.quotas import Budget, Quota, headroom
from tests.unit.master.allocation import Cluster, reserved

TOPS = ("a", "b", "c", "d")
ROLES = ("a", "a/x", "a/y/z", "b", "c", "c/x", "d")

sizes = st.tuples(st.integers(0, 8), st.integers(0, 8)).map(
    lambda pair: Resources.of(cpus=pair[0], mem=pair[1] * 64, ports=[(1, 5)])
)
reservations = st.tuples(st.sampled_from(TOPS), st.integers(1, 4)).map(
    lambda pair: reserved(pair[0], cpus=pair[1])
)
agents_of = st.lists(
    st.tuples(sizes, st.one_of(st.just(EMPTY), reservations)).map(lambda pair: pair[0] + pair[1]),
    min_size=1,
    max_size=6,
).map(lambda found: {f"s{number}": each for number, each in enumerate(found)})
clients_of = st.lists(
    st.sets(st.sampled_from(ROLES), min_size=1).map(lambda roles: tuple(sorted(roles))),
    min_size=1,
    max_size=4,
).map(lambda found: {f"f{number}": roles for number, roles in enumerate(found)})


def as_quota(pair: tuple[int, int, int, int]) -> Quota:
    cpus, more_cpus, mem, more_mem = pair
    guarantees = {"cpus": cpus * 1000, "mem": mem * 64_000}
    limits = {"cpus": (cpus + more_cpus) * 1000, "mem": (mem + more_mem) * 64_000}
    return Quota(
        {name: amount for name, amount in guarantees.items() if amount},
        limits if more_cpus + more_mem < 8 else {},
    )


quotas_of = st.dictionaries(
    st.sampled_from(TOPS), st.tuples(*[st.integers(0, 6)] * 4).map(as_quota), max_size=3
)


def with_quotas(cluster: Cluster, quotas: dict[str, Quota]) -> Cluster:
    for top, quota in quotas.items():
        cluster.allocator.set_quota(top, quota)
    return cluster


def consumed(cluster: Cluster, top: str) -> dict[str, int]:
    return cluster.tree.as_scalars(cluster.tree.consumed(top))


def free_open(cluster: Cluster, name: str) -> int:
    return sum(free.unreserved().scalar(name) for free in cluster.free.values())


@settings(max_examples=300, deadline=None)
@given(agents_of, clients_of, quotas_of, st.lists(st.integers(0, 20), max_size=12))
def test_no_role_is_ever_given_more_than_its_limit_and_no_agent_more_than_it_has(
    agents: dict[str, Resources],
    clients: dict[str, tuple[str, ...]],
    quotas: dict[str, Quota],
    returned: list[int],
) -> None:
    cluster = with_quotas(Cluster(agents, clients), quotas)
    at_first = {top: consumed(cluster, top) for top in quotas}
    held: list[Grant] = []
    for number in (*returned, 0):
        held += cluster.cycle()
        for top, quota in quotas.items():
            now = consumed(cluster, top)
            for name, limit in quota.limits.items():
                assert now.get(name, 0) <= max(limit, at_first[top].get(name, 0))
        for agent, total in agents.items():
            out = EMPTY
            for grant in held:
                out = out + grant.resources if grant.agent == agent else out
            assert total.contains(out) and cluster.free[agent] == total - out
        if held:
            cluster.give_back(held.pop(number % len(held)))


@settings(max_examples=300, deadline=None)
@given(agents_of, clients_of, quotas_of)
def test_guarantees_are_met_when_they_can_be(
    agents: dict[str, Resources], clients: dict[str, tuple[str, ...]], quotas: dict[str, Quota]
) -> None:
    cluster = with_quotas(Cluster(agents, clients), quotas)
    needed = headroom(cluster.tree, cluster.allocator.quotas)
    if any(free_open(cluster, name) < amount for name, amount in needed.items()):
        return
    cluster.cycle()
    present = {role.partition("/")[0] for roles in clients.values() for role in roles}
    left = Budget(cluster.tree, cluster.allocator.quotas, ()).unmet
    assert not present.intersection(left)
    # Who is not here finds as much as it is guaranteed when it comes.
    for name, amount in headroom(cluster.tree, cluster.allocator.quotas).items():
        assert free_open(cluster, name) >= amount


@settings(max_examples=200, deadline=None)
@given(agents_of, clients_of)
def test_without_quota_nothing_useful_is_left_lying(
    agents: dict[str, Resources], clients: dict[str, tuple[str, ...]]
) -> None:
    cluster = with_quotas(Cluster(agents, clients), {"d": Quota()})
    cluster.cycle()
    for free in cluster.free.values():
        assert free.unreserved().scalars() == {}


def test_offers_are_made_smaller_to_hold_a_limit() -> None:
    agents = {"s0": Resources.of(cpus=4, mem=1024, ports=[(1, 9)])}
    cluster = with_quotas(Cluster(agents, {"f": ("a",)}), {"a": Quota(limits={"cpus": 1500})})
    [grant] = cluster.cycle()
    assert grant.resources == Resources.of(cpus=1.5, mem=1024, ports=[(1, 9)])


def test_what_one_role_may_not_take_goes_to_the_next() -> None:
    agents = {"s0": Resources.of(cpus=4, mem=1024)}
    clients = {"f": ("a",), "g": ("b",)}
    cluster = with_quotas(Cluster(agents, clients), {"a": Quota(limits={"cpus": 1000, "mem": 0})})
    told = {grant.framework: grant.resources.scalars() for grant in cluster.cycle()}
    assert told == {"f": {"cpus": 1000}, "g": {"cpus": 3000, "mem": 1_024_000}}


def test_a_limit_holds_for_a_role_and_all_below_it() -> None:
    agents = {f"s{n}": Resources.of(cpus=1, mem=64) for n in range(6)}
    clients = {"f": ("a/x",), "g": ("a/y",), "h": ("a",)}
    cluster = with_quotas(Cluster(agents, clients), {"a": Quota(limits={"cpus": 3000})})
    cluster.cycle()
    assert consumed(cluster, "a")["cpus"] == 3000
    for role, framework in (("a/x", "f"), ("a/y", "g"), ("a", "h")):
        assert cluster.held(role, framework)["cpus"] == 1000


def test_reservations_count_as_consumed_whether_they_are_used_or_not() -> None:
    agents = {"s0": reserved("a", cpus=2) + Resources.of(cpus=4, mem=1024)}
    cluster = with_quotas(Cluster(agents, {"f": ("a",)}), {"a": Quota(limits={"cpus": 3000})})
    [grant] = cluster.cycle()
    assert grant.resources.scalars() == {"cpus": 3000, "mem": 1_024_000}
    assert grant.resources.unreserved().scalar("cpus") == 1000


def test_headroom_is_held_back_for_those_who_are_guaranteed_more() -> None:
    agents = {"s0": Resources.of(cpus=4, mem=1024)}
    cluster = with_quotas(Cluster(agents, {"f": ("b",)}), {"a": Quota({"cpus": 3000})})
    [grant] = cluster.cycle()
    assert grant.resources.scalars() == {"cpus": 1000, "mem": 1_024_000}
    cluster.enroll("g", "a")
    [grant] = cluster.cycle()
    assert (grant.framework, grant.resources.scalars()) == ("g", {"cpus": 3000})


def test_revocable_resources_are_not_held_to_a_quota() -> None:
    revocable = Resources([(Identity("cpus", is_revocable=True), 4000)])
    cluster = with_quotas(
        Cluster({"s0": revocable}, {"f": ("a",)}), {"a": Quota(limits={"cpus": 0})}
    )
    cluster.enroll("f", "a", takes_revocable=True)
    assert [grant.resources for grant in cluster.cycle()] == [revocable]
