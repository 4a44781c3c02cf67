"""The dependency graph: who runs after whom, and when a child is released.

Each edge from parent to child counts the parent's successes since the child last started. A child
is released when the edge just counted equals the minimum over all of its edges: every parent has
succeeded since. The counters are part of the child's durable run state, so that a change of leader
between two parents loses nothing (the original forgets the first success).

Invariants: no cycles; edges only between known jobs; parents and children keep insertion order.
Source: Chronos, JobGraph.
"""

from collections.abc import Iterable, Mapping


def find_cycle(parents: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...] | None:
    """A path from `name` back to itself through parents, or None."""
    trail: list[tuple[str, tuple[str, ...]]] = [(name, (name,))]
    seen: dict[str, None] = {}
    while trail:
        job, path = trail.pop()
        for parent in parents.get(job, ()):
            if parent == name:
                return (*path, name)
            if parent not in seen:
                seen[parent] = None
                trail.append((parent, (*path, parent)))
    return None


def children_of(parents: Mapping[str, tuple[str, ...]], name: str) -> list[str]:
    """The jobs that name `name` among their parents, in order of submission."""
    return [job for job, above in parents.items() if name in above]


def count_success(
    edges: Mapping[str, int], parents: Iterable[str], parent: str
) -> tuple[dict[str, int], bool]:
    """Count a success of `parent` for a child: (new edge counts, whether the child is released)."""
    counted = {above: edges.get(above, 0) for above in parents}
    if parent not in counted:
        return counted, False
    counted[parent] += 1
    if len(counted) == 1:
        return counted, True
    return counted, counted[parent] == min(counted.values())


def parents_without(
    deleted: str, deleted_parents: tuple[str, ...], parents: tuple[str, ...]
) -> tuple[str, ...]:
    """A child's parents after `deleted` is gone: it inherits the deleted job's own parents."""
    kept: list[str] = []
    for parent in parents:
        kept += list(deleted_parents) if parent == deleted else [parent]
    return tuple(dict.fromkeys(kept))


def dot(jobs: Iterable[str], parents: Mapping[str, tuple[str, ...]]) -> str:
    """The graph in Graphviz's language: nodes are numbers with the names as labels."""
    numbers = {name: number for number, name in enumerate(jobs)}
    lines = ["digraph G {"]
    lines += [f'  {number} [ label="{name}" ];' for name, number in numbers.items()]
    for child, above in parents.items():
        lines += [f"  {numbers[parent]} -> {numbers[child]};" for parent in above]
    return "\n".join([*lines, "}"]) + "\n"
