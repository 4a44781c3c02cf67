"""The allocator: nothing twice, the poorest first (against an oracle), refusals kept."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesosphere.kernel.resources import EMPTY, Identity, Resources
from mesosphere.master.core.allocator import filters as filters_module
from mesosphere.master.core.allocator.claims import Cause, Claimant, Hindrance, Slot, part_for
from mesosphere.master.core.allocator.filters import (
    ENDS_LEAST,
    FILTERS_PER_AGENT,
    Filters,
    refusal_s,
)
from mesosphere.master.core.allocator.shares import Tree
from tests.unit.master.allocation import NO_FACTS, Cluster, reserved

ROLES = ("*", "a", "a/b", "c")
AMOUNT = Resources.of(cpus=1)

sizes = st.tuples(st.integers(0, 8), st.integers(0, 8)).map(
    lambda pair: Resources.of(cpus=pair[0], mem=pair[1] * 64)
)
clusters = st.lists(sizes, min_size=1, max_size=6).map(
    lambda found: {f"s{number}": each for number, each in enumerate(found)}
)
subscriptions = st.lists(
    st.sets(st.sampled_from(ROLES), min_size=1).map(lambda roles: tuple(sorted(roles))),
    min_size=1,
    max_size=4,
).map(lambda found: {f"f{number}": roles for number, roles in enumerate(found)})


@settings(max_examples=200, deadline=None)
@given(clusters, subscriptions, st.sets(st.sampled_from(ROLES)))
def test_nothing_is_granted_twice_or_to_those_who_can_not_take_it(
    agents: dict[str, Resources], clients: dict[str, tuple[str, ...]], suppressed: set[str]
) -> None:
    cluster = Cluster(agents, clients)
    for name, roles in clients.items():
        for role in suppressed.intersection(roles):
            cluster.allocator.enroll(role, name, None)
    grants = cluster.cycle()
    for name, total in agents.items():
        given_out = EMPTY
        for grant in grants:
            if grant.agent == name:
                given_out = given_out + grant.resources
        assert total.contains(given_out)
    for grant in grants:
        assert grant.role in clients[grant.framework] and grant.role not in suppressed
    for role in ROLES:
        held = EMPTY
        for grant in grants:
            if grant.role == role or grant.role.startswith(role + "/"):
                held = held + grant.resources
        assert cluster.tree.allocated(role) == held.scalars()


@settings(max_examples=200, deadline=None)
@given(clusters, subscriptions)
def test_what_anybody_could_use_is_not_left_lying(
    agents: dict[str, Resources], clients: dict[str, tuple[str, ...]]
) -> None:
    grants = Cluster(agents, clients).cycle()
    granted = {grant.agent for grant in grants}
    useful = {
        name
        for name, resources in agents.items()
        if resources.scalar("cpus") >= 10 or resources.scalar("mem") >= 32_000
    }
    assert granted == useful


def poorest(held: dict[str, dict[str, int]], counts: dict[str, int], totals: dict[str, int]) -> str:
    """The oracle: exact fractions, all of them computed anew."""

    def share(name: str) -> Fraction:
        return max(
            (Fraction(amount, totals[kind]) for kind, amount in held[name].items() if totals[kind]),
            default=Fraction(0),
        )

    return min(held, key=lambda name: (share(name), counts[name], name))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=12),
    st.integers(2, 4),
)
def test_each_agent_goes_to_the_framework_with_the_least_dominant_share(
    shapes: list[tuple[int, int]], count: int
) -> None:
    agents = {
        f"s{number:02}": Resources.of(cpus=cpus, mem=mem * 64)
        for number, (cpus, mem) in enumerate(shapes)
    }
    names = [f"f{number}" for number in range(count)]
    cluster = Cluster(agents, dict.fromkeys(names, ("*",)))
    grants = cluster.cycle()
    held: dict[str, dict[str, int]] = {name: {} for name in names}
    counts = dict.fromkeys(names, 0)
    assert len(grants) == len(agents)
    for grant in grants:
        assert grant.framework == poorest(held, counts, cluster.tree.totals)
        counts[grant.framework] += 1
        for kind, amount in grant.resources.scalars().items():
            mine = held[grant.framework]
            mine[kind] = mine.get(kind, 0) + amount


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=2, max_size=3),
    st.integers(1, 3),
)
def test_frameworks_that_take_one_task_at_a_time_end_within_one_task_of_each_other(
    demands: list[tuple[int, int]], agents_count: int
) -> None:
    """Progressive filling: while everybody still fits, nobody is a task ahead of the poorest."""
    totals = Resources.of(cpus=24, mem=24 * 64)
    agents = {f"s{number}": totals for number in range(agents_count)}
    wanted = {
        f"f{number}": Resources.of(cpus=cpus, mem=mem * 64)
        for number, (cpus, mem) in enumerate(demands)
    }
    cluster = Cluster(agents, dict.fromkeys(wanted, ("*",)))
    tree = cluster.tree
    whole = tree.totals
    used = dict.fromkeys(wanted, 0)

    def share(name: str, tasks: int) -> Fraction:
        return max(Fraction(each * tasks, whole[k]) for k, each in wanted[name].scalars().items())

    while True:
        most = max(cluster.free, key=lambda name: (cluster.free[name].scalar("cpus"), name))
        [grant] = cluster.cycle(most) or [None]
        if grant is None:
            break
        cluster.give_back(grant)
        task = wanted[grant.framework]
        if not grant.resources.contains(task):
            break
        tree.allocate(grant.role, grant.framework, task)
        used[grant.framework] += 1
        cluster.free[grant.agent] = cluster.free[grant.agent] - task
        low = min(share(name, tasks) for name, tasks in used.items())
        for name, tasks in used.items():
            assert share(name, tasks) <= low + share(name, 1)
    assert sum(used.values()) > 0


def test_weights_divide_the_share() -> None:
    agents = {f"s{number:02}": Resources.of(cpus=1, mem=64) for number in range(12)}
    grants = Cluster(agents, {"f0": ("a",), "f1": ("c",)}, weights={"a": 3.0}).cycle()
    assert [grant.framework for grant in grants].count("f0") == 9


def test_roles_share_before_frameworks_do() -> None:
    """One framework in a role gets as much as three in another."""
    agents = {f"s{number:02}": Resources.of(cpus=1, mem=64) for number in range(12)}
    clients = {"f0": ("a",), "f1": ("c",), "f2": ("c",), "f3": ("c",)}
    grants = Cluster(agents, clients).cycle()
    names = [grant.framework for grant in grants]
    assert [names.count(name) for name in clients] == [6, 2, 2, 2]


def test_excluded_resources_do_not_count() -> None:
    tree = Tree(excluded=("gpus",))
    tree.add_total(Resources.of(cpus=10, gpus=1))
    tree.allocate("a", "f", Resources.of(cpus=1, gpus=1))
    assert tree.share_of("a") == 0.1


def test_reserved_resources_go_to_their_role_and_those_below_it() -> None:
    agents = {"s": reserved("a", cpus=2) + Resources.of(mem=64)}
    for role, cpus in (("a", 2000), ("a/b", 2000), ("c", 0), ("*", 0)):
        [grant] = Cluster(agents, {"f": (role,)}).cycle()
        assert grant.resources.scalar("cpus") == cpus and grant.resources.scalar("mem") == 64_000


def test_what_one_role_can_not_take_is_left_for_the_next() -> None:
    agents = {"s": reserved("c", cpus=2) + Resources.of(mem=64)}
    clients = {"f0": ("a",), "f1": ("c",)}
    grants = Cluster(agents, clients).cycle()
    told = {grant.framework: grant.resources.scalars() for grant in grants}
    assert told == {"f0": {"mem": 64_000}, "f1": {"cpus": 2_000}}


def test_revocable_resources_are_for_those_who_take_them() -> None:
    revocable = Resources([(Identity("cpus", is_revocable=True), 1_000)])
    slot = Slot("s", revocable, NO_FACTS)
    slot.refresh(revocable, Tree())
    able = Claimant("f", "*", "*", takes_revocable=True)
    assert part_for(0.0, slot, able, None) == revocable
    found = part_for(0.0, slot, able._replace(takes_revocable=False), None)
    assert isinstance(found, Hindrance) and found.cause is Cause.NOTHING_FREE


# --- filters ------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(sizes, st.floats(0.1, 100)), min_size=1, max_size=FILTERS_PER_AGENT),
    sizes,
    st.floats(0, 120),
)
def test_a_filter_hides_exactly_the_subsets_of_what_was_refused_until_its_end(
    refused: list[tuple[Resources, float]], offered: Resources, now: float
) -> None:
    filters = Filters()
    for resources, until in refused:
        filters.add("f", "a", "s", resources, until)
    hiding = [until for resources, until in refused if until > now and resources.contains(offered)]
    assert filters.hides("f", "a", "s", offered, now) == (max(hiding) if hiding else None)
    for name, role, agent in (("g", "a", "s"), ("f", "b", "s"), ("f", "a", "t")):
        assert filters.hides(name, role, agent, offered, now) is None


@settings(max_examples=100, deadline=None)
@given(clusters, st.integers(0, 5))
def test_a_refused_agent_goes_to_somebody_else(agents: dict[str, Resources], pick: int) -> None:
    cluster = Cluster(agents, {"f0": ("*",), "f1": ("*",)})
    name = list(agents)[pick % len(agents)]
    cluster.allocator.filters.add("f0", "*", name, agents[name], 10.0)
    grants = cluster.cycle(now=9.0)
    assert all(grant.framework == "f1" for grant in grants if grant.agent == name)
    again = Cluster(agents, {"f0": ("*",)})
    again.allocator.filters.add("f0", "*", name, agents[name], 10.0)
    assert again.cycle(name, now=9.0) == []
    granted = [grant.framework for grant in again.cycle(name, now=10.0)]
    assert granted == (["f0"] if agents[name].scalars() else [])


def test_beyond_the_limit_who_refuses_most_is_offered_again_what_it_refused_longest_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(filters_module, "FILTERS_LIMIT", 60)
    filters = Filters()
    for number in range(20):
        filters.add("few", "a", f"s{number}", AMOUNT, 10.0)
    for number in [*range(39), 0, 1, 99, 100]:
        filters.add("many", "a", f"s{number}", AMOUNT, 10.0)
    assert len(filters) <= 60
    assert filters.counts() == {"a": len(filters)}
    left = filters.refused("many", "a")
    # Those refused again are young; the oldest went, a few at once.
    assert {"s2", "s3"}.isdisjoint(left) and {"s0", "s1", "s99", "s100"} <= left.keys()
    assert len(filters.refused("few", "a")) == 20


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("fg"), st.sampled_from("ab"), st.sampled_from("st"),
                          st.integers(0, 9)), max_size=60))  # fmt: skip
def test_filters_are_counted_whatever_becomes_of_them(
    steps: list[tuple[str, str, str, int]],
) -> None:
    filters = Filters()
    for now, (framework, role, agent, what) in enumerate(steps):
        if what < 5:
            filters.add(framework, role, agent, AMOUNT, now + 7.0 * what)
        elif what == 5:
            filters.clear(framework, role)
        elif what == 6:
            filters.clear_agent(agent)
        elif what == 7:
            filters.forget(framework, (role,))
        else:
            filters.expire(float(now))
        assert len(filters) == sum(filters.counts().values())


def test_filters_are_bounded_and_forgotten() -> None:
    filters = Filters()
    for number in range(FILTERS_PER_AGENT + 5):
        filters.add("f", "a", "s", Resources.of(cpus=number + 1), 10.0)
    assert filters.counts().get("a", 0) == FILTERS_PER_AGENT
    filters.clear("f", "b")
    assert filters.counts().get("a", 0) == FILTERS_PER_AGENT
    filters.clear_agent("s")
    assert filters.counts().get("a", 0) == 0
    filters.add("f", "a", "s", Resources.of(cpus=1), 10.0)
    filters.clear("f")
    assert filters.hides("f", "a", "s", Resources.of(cpus=1), 0.0) is None


def test_filters_that_have_passed_are_dropped_and_the_others_kept() -> None:
    filters = Filters()
    for until in (5.0, 10.0, 7.0):
        filters.add("f", "a", "s", Resources.of(cpus=until), until)
        filters.add("g", "b", "t", Resources.of(cpus=1), until)
    filters.forget("g")
    filters.expire(7.0)
    assert filters.counts() == {"a": 1}
    assert filters.hides("f", "a", "s", Resources.of(cpus=1), 7.0) == 10.0
    filters.expire(10.0)
    assert not filters.refused("f", "a")


def test_filters_that_are_cleared_again_and_again_take_no_room() -> None:
    filters = Filters()
    filters.add("g", "a", "s", Resources.of(cpus=1), 50.0)
    for _ in range(5 * ENDS_LEAST):
        filters.add("f", "a", "s", Resources.of(cpus=1), 365 * 86400.0)
        filters.clear("f")
    assert len(filters._ends) <= ENDS_LEAST
    filters.expire(50.0)
    assert filters.counts()["a"] == 0


def test_refusals_last_as_the_original_says() -> None:
    assert [refusal_s(each) for each in (None, -1.0, float("nan"), 0.0, 7.5)] == [5, 5, 5, 0, 7.5]
    assert refusal_s(float("inf")) == 365 * 86400.0
