"""Inclusive ranges of integers and sorted sets of strings, as tuples.

Invariants: the pairs of a `Ranges` are sorted, do not overlap and do not touch; a `Set` is sorted
and has no member twice. All functions take and give values of that form, but `coalesce` takes any
pairs.

Source: Mesos, src/common/values.cpp.
"""

from collections.abc import Iterable

Ranges = tuple[tuple[int, int], ...]
Set = tuple[str, ...]


def coalesce(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """Any (begin, end) pairs as ranges; pairs that overlap or touch become one."""
    ordered = sorted(pairs)
    if len(ordered) < 2:
        return tuple(ordered)
    result = []
    begin, end = ordered[0]
    for next_begin, next_end in ordered:
        if next_begin <= end + 1:
            end = max(end, next_end)
        else:
            result.append((begin, end))
            begin, end = next_begin, next_end
    result.append((begin, end))
    return tuple(result)


def subtract_ranges(ranges: Ranges, taken: Ranges) -> Ranges:
    """What is in `ranges` and not in `taken`."""
    result = []
    position = 0
    for begin, end in ranges:
        while position < len(taken) and taken[position][1] < begin:
            position += 1
        index = position
        while index < len(taken) and taken[index][0] <= end:
            taken_begin, taken_end = taken[index]
            if taken_begin > begin:
                result.append((begin, taken_begin - 1))
            begin = taken_end + 1
            index += 1
        if begin <= end:
            result.append((begin, end))
    return tuple(result)


def ranges_contain(ranges: Ranges, wanted: Ranges) -> bool:
    """Whether every number of `wanted` is in `ranges`."""
    position = 0
    for begin, end in wanted:
        while position < len(ranges) and ranges[position][1] < begin:
            position += 1
        if position == len(ranges) or begin < ranges[position][0] or end > ranges[position][1]:
            return False
    return True


def count(ranges: Ranges) -> int:
    """How many numbers are in the ranges."""
    return sum(end - begin + 1 for begin, end in ranges)


def take_first(ranges: Ranges, wanted: int) -> Ranges | None:
    """The `wanted` smallest numbers, or None if there are not so many."""
    result = []
    for begin, end in ranges:
        if wanted <= 0:
            break
        end = min(end, begin + wanted - 1)
        result.append((begin, end))
        wanted -= end - begin + 1
    return tuple(result) if wanted <= 0 else None


def unite_sets(one: Set, other: Set) -> Set:
    """Every member of both."""
    return tuple(sorted({*one, *other}))


def subtract_set(members: Set, taken: Set) -> Set:
    """The members that are not taken."""
    gone = frozenset(taken)
    return tuple(member for member in members if member not in gone)
