"""Fairness on small clusters, against oracles that compute everything anew in exact fractions."""

from collections.abc import Mapping
from fractions import Fraction
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from mesosphere.kernel.resources import Resources
from tests.unit.master.allocation import Cluster

Held = dict[tuple[str, str], dict[str, int]]
"""By (role, framework): what it holds."""


def share(amounts: Mapping[str, int], totals: Mapping[str, int]) -> Fraction:
    """The dominant share."""
    return max((Fraction(n, totals[k]) for k, n in amounts.items()), default=Fraction(0))


# --- the optimum, by trying everything ------------------------------------------------------------

demands_of = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=3)


def best_of_all(demands: list[tuple[int, int]], cpus: int, mem: int) -> list[Fraction]:
    """The sorted dominant shares of the max-min fair choice of whole tasks."""
    ranges = [range(min(cpus // one, mem // other) + 1) for one, other in demands]
    best: list[Fraction] = []
    for counts in product(*ranges):
        used_cpus = sum(count * one for count, (one, _) in zip(counts, demands, strict=True))
        used_mem = sum(count * other for count, (_, other) in zip(counts, demands, strict=True))
        if used_cpus > cpus or used_mem > mem:
            continue
        shares = sorted(
            max(Fraction(count * one, cpus), Fraction(count * other, mem))
            for count, (one, other) in zip(counts, demands, strict=True)
        )
        best = max(best, shares)
    return best


@settings(max_examples=150, deadline=None)
@given(demands_of, st.integers(6, 14), st.integers(6, 14))
def test_the_poorest_ends_within_one_task_of_the_fairest_choice_there_is(
    demands: list[tuple[int, int]], cpus: int, mem: int
) -> None:
    tasks = {
        f"f{n}": Resources.of(cpus=one, mem=other * 64) for n, (one, other) in enumerate(demands)
    }
    cluster = Cluster({"s": Resources.of(cpus=cpus, mem=mem * 64)}, dict.fromkeys(tasks, ("*",)))
    totals = cluster.tree.totals
    counts = dict.fromkeys(tasks, 0)
    while grants := cluster.cycle():
        [grant] = grants
        cluster.give_back(grant)
        task = tasks[grant.framework]
        if grant.resources.contains(task):
            cluster.tree.allocate("*", grant.framework, task)
            cluster.free["s"] = cluster.free["s"] - task
            counts[grant.framework] += 1
        else:
            cluster.allocator.enroll("*", grant.framework, None)
    one_task = max(share(task.scalars(), totals) for task in tasks.values())
    ours = sorted(
        share({k: n * counts[name] for k, n in task.scalars().items()}, totals)
        for name, task in tasks.items()
    )
    assert ours[0] + one_task >= best_of_all(demands, cpus, mem)[0]


# --- the order of roles and frameworks, computed anew for each agent ------------------------------

ROLES = ("*", "a", "a/x", "a/x/y", "a/z", "b", "b/x", "c")

clients_of = st.lists(
    st.sets(st.sampled_from(ROLES), min_size=1, max_size=3).map(lambda found: tuple(sorted(found))),
    min_size=1,
    max_size=4,
).map(lambda found: {f"f{number}": roles for number, roles in enumerate(found)})
weights_of = st.dictionaries(st.sampled_from(ROLES), st.integers(1, 4))
shapes_of = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=14)


def below(held: Held, path: str) -> dict[str, int]:
    """What a role and everything below it holds."""
    sums: dict[str, int] = {}
    for (role, _), amounts in held.items():
        if role == path or role.startswith(path + "/"):
            for kind, amount in amounts.items():
                sums[kind] = sums.get(kind, 0) + amount
    return sums


def poorest_roles(
    held: Held,
    roles: list[str],
    parent: str,
    weights: Mapping[str, int],
    totals: Mapping[str, int],
) -> list[str]:
    """The leaves that have a claim to be next, by exact shares, ties included."""
    depth = parent.count("/") + 1 if parent else 0
    children: dict[str, Fraction] = {}
    for role in roles:
        if role == parent:
            own = [amounts for (name, _), amounts in held.items() if name == role]
            sums: dict[str, int] = {}
            for amounts in own:
                for kind, amount in amounts.items():
                    sums[kind] = sums.get(kind, 0) + amount
            children[role + "/."] = share(sums, totals)
        elif not parent or role.startswith(parent + "/"):
            path = "/".join(role.split("/")[: depth + 1])
            children[path] = share(below(held, path), totals) / weights.get(path, 1)
    least = min(children.values())
    found = []
    for path, value in children.items():
        if value > least:
            continue
        is_leaf = path.endswith("/.") or not any(role.startswith(path + "/") for role in roles)
        if is_leaf:
            found.append(path.removesuffix("/."))
        else:
            inner = [role for role in roles if role == path or role.startswith(path + "/")]
            found += poorest_roles(held, inner, path, weights, totals)
    return found


@settings(max_examples=150, deadline=None)
@given(shapes_of, clients_of, weights_of)
def test_each_agent_goes_down_the_tree_to_the_poorest(
    shapes: list[tuple[int, int]], clients: dict[str, tuple[str, ...]], weights: dict[str, int]
) -> None:
    agents = {
        f"s{number:02}": Resources.of(cpus=cpus, mem=mem * 64)
        for number, (cpus, mem) in enumerate(shapes)
    }
    cluster = Cluster(agents, clients, weights={role: float(n) for role, n in weights.items()})
    totals = cluster.tree.totals
    roles = sorted({role for listed in clients.values() for role in listed})
    held: Held = {(role, name): {} for name, listed in clients.items() for role in listed}
    grants = cluster.cycle()
    assert sorted(grant.agent for grant in grants) == list(agents)
    for grant in grants:
        assert grant.role in poorest_roles(held, roles, "", weights, totals)
        kin = {name: share(held[role, name], totals) for role, name in held if role == grant.role}
        assert kin[grant.framework] == min(kin.values())
        mine = held[grant.role, grant.framework]
        for kind, amount in grant.resources.scalars().items():
            mine[kind] = mine.get(kind, 0) + amount
