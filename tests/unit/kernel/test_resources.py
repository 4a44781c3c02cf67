"""The algebra of resources: exact, and lawful for every value."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesosphere.kernel.ranges import (
    coalesce,
    count,
    ranges_contain,
    subtract_ranges,
    take_first,
)
from mesosphere.kernel.resources import (
    EMPTY,
    RANGES,
    SET,
    Disk,
    Identity,
    Reservation,
    Resources,
    ResourcesError,
    compact,
    format_resources,
    milli,
)

ROLES = st.sampled_from(["a", "a/b", "c"])
RESERVATIONS = st.sampled_from(
    [
        (),
        (Reservation("STATIC", "a"),),
        (Reservation("DYNAMIC", "c", "p", (("k", "v"), ("n", None))),),
        (Reservation("STATIC", "a"), Reservation("DYNAMIC", "a/b")),
    ]
)
PAIRS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 10)).map(lambda pair: (pair[0], sum(pair))),
    max_size=5,
)


@st.composite
def resources_values(draw: st.DrawFn) -> Resources:
    """Some resources: scalars, ranges, sets, reserved or allocated or not."""
    amounts = []
    for _ in range(draw(st.integers(0, 5))):
        reservations = draw(RESERVATIONS)
        role = draw(st.none() | ROLES)
        revocable = draw(st.booleans())
        kind = draw(st.sampled_from(["cpus", "mem", "disk", "ports", "tags"]))
        if kind == "ports":
            identity = Identity("ports", RANGES, reservations, role, None, revocable)
            amounts.append((identity, coalesce(draw(PAIRS))))
        elif kind == "tags":
            members = draw(st.lists(st.sampled_from("uvwxyz"), unique=True))
            identity = Identity("tags", SET, reservations, role, None, revocable)
            amounts.append((identity, tuple(sorted(members))))
        else:
            identity = Identity(kind, "SCALAR", reservations, role, None, revocable)
            amounts.append((identity, draw(st.integers(0, 10_000))))
    return Resources(amounts)


# --- laws ---------------------------------------------------------------------------------------


@given(resources_values(), resources_values(), resources_values())
def test_addition_has_no_order_and_no_grouping(
    one: Resources, two: Resources, three: Resources
) -> None:
    assert one + two == two + one
    assert (one + two) + three == one + (two + three)
    assert one + EMPTY == one == EMPTY + one


@given(resources_values(), resources_values())
def test_sum_contains_its_parts(one: Resources, two: Resources) -> None:
    assert (one + two).contains(one)
    assert (one + two).contains(two)


@given(resources_values(), resources_values())
def test_what_is_contained_can_be_taken_and_given_back(one: Resources, two: Resources) -> None:
    assert one.contains(two) == ((one - two) + two == one)


@given(resources_values(), resources_values())
def test_scalars_that_are_added_can_be_taken_again(one: Resources, two: Resources) -> None:
    scalars = two.where(lambda identity: identity.kind == "SCALAR")
    assert (one + scalars) - scalars == one


@given(resources_values())
def test_everything_minus_itself_is_nothing(value: Resources) -> None:
    assert (value - value).is_empty
    assert not (value - value)
    assert value.contains(value)
    assert value.contains(EMPTY)
    assert EMPTY.contains(value) == value.is_empty


@given(resources_values(), resources_values())
def test_operands_are_never_changed(one: Resources, two: Resources) -> None:
    before = dict(one), dict(two)
    _ = one + two, one - two, one.allocated_to("r"), one.contains(two)
    assert (dict(one), dict(two)) == before


@given(resources_values(), resources_values())
def test_no_empty_amount_remains(one: Resources, two: Resources) -> None:
    for value in (one + two, one - two, one.allocated_to(None)):
        assert all(amount for _, amount in value)


@given(resources_values())
def test_parts_make_the_whole(value: Resources) -> None:
    total = value.unreserved()
    for part in value.reserved().values():
        total += part
    assert total == value
    assert value.revocable() + value.non_revocable() == value


@given(resources_values())
def test_allocation_moves_everything_and_back(value: Resources) -> None:
    free = value.allocated_to(None)
    assert free.allocated_to("r").allocated_to(None) == free
    assert free.scalars() == value.allocated_to("r").scalars() == value.scalars()


@given(PAIRS, PAIRS)
def test_ranges_behave_as_sets_of_numbers(
    one: list[tuple[int, int]], two: list[tuple[int, int]]
) -> None:
    def numbers(pairs: object) -> set[int]:
        return {
            number
            for begin, end in pairs  # type: ignore[attr-defined]
            for number in range(begin, end + 1)
        }

    first, second = coalesce(one), coalesce(two)
    assert numbers(first) == numbers(one)
    assert all(left[1] + 1 < right[0] for left, right in pairwise(first))
    assert numbers(subtract_ranges(first, second)) == numbers(first) - numbers(second)
    assert ranges_contain(first, second) == (numbers(second) <= numbers(first))
    assert count(first) == len(numbers(first))
    for wanted in (0, 1, 5):
        taken = take_first(first, wanted)
        expected = sorted(numbers(first))[:wanted]
        assert taken is None if len(expected) < wanted else sorted(numbers(taken)) == expected


# --- exactness ----------------------------------------------------------------------------------


def test_tenths_add_up_exactly() -> None:
    total = EMPTY
    for _ in range(10):
        total += Resources.of(cpus=0.1)
    assert total == Resources.of(cpus=1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0004, 0),
        (0.0005, 1),
        (0.001, 1),
        (1.0005, 1001),
        (0.0014999, 1),
        (2.0, 2000),
        (-1.5, -1500),
        (-0.0005, -1),
        (4_000_000_000_000.125, 4_000_000_000_000_125),
    ],
)
def test_scalars_round_to_thousandths_half_away_from_zero(value: float, expected: int) -> None:
    assert milli(value) == expected


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), 1e300])
def test_what_is_no_quantity_is_refused(value: float) -> None:
    with pytest.raises(ResourcesError):
        milli(value)


def test_nothing_falls_below_nothing() -> None:
    assert (Resources.of(cpus=1) - Resources.of(cpus=2, mem=5)).is_empty


# --- identity -----------------------------------------------------------------------------------


def test_only_equal_identities_add_up() -> None:
    reserved = Resources([(Identity("cpus", reservations=(Reservation("STATIC", "a"),)), 1000)])
    both = reserved + Resources.of(cpus=1)
    assert len(both) == 2
    assert both.scalar("cpus") == 2000
    assert not both.contains(Resources.of(cpus=2))


def test_reserved_resources_go_to_the_role_and_below() -> None:
    reserved = Identity("cpus", reservations=(Reservation("STATIC", "a"),))
    assert reserved.may_go_to("a")
    assert reserved.may_go_to("a/b")
    assert not reserved.may_go_to("ab")
    assert not reserved.may_go_to("*")
    assert Identity("cpus").may_go_to("anything")
    value = Resources([(reserved, 1000)]) + Resources.of(cpus=3)
    assert value.offerable_to("b") == Resources.of(cpus=3)
    assert value.offerable_to("a/x") == value


def test_persistent_volume_is_taken_whole_or_not() -> None:
    disk = Disk(persistence_id="v")
    assert disk.is_indivisible
    assert not Disk(source_kind="PATH").is_indivisible
    volume = Resources([(Identity("disk", disk=disk, unit=5000), 1)])
    half = Resources([(Identity("disk", disk=disk, unit=2500), 1)])
    assert not volume.contains(half)
    assert volume - half == volume
    assert (volume + volume).scalar("disk") == 10_000


# --- texts --------------------------------------------------------------------------------------


def test_legacy_object_always_has_the_four_and_marks_revocable() -> None:
    value = Resources.of(cpus=1.5, ports=[(5, 6), (1, 2)]) + Resources(
        [
            (Identity("cpus", is_revocable=True), 2000),
            (Identity("tags", SET), ("a", "b")),
        ]
    )
    assert compact(value) == {
        "cpus": 1.5,
        "gpus": 0,
        "mem": 0,
        "disk": 0,
        "ports": "[1-2, 5-6]",
        "tags": "{a, b}",
        "cpus_revocable": 2.0,
    }
    assert compact(EMPTY) == {"cpus": 0, "gpus": 0, "mem": 0, "disk": 0}


def test_resources_are_readable() -> None:
    value = Resources.of(cpus=0.5, ports=[(1, 2)], role="web")
    assert format_resources(value) == "cpus(allocated: web):0.5; ports(allocated: web):[1-2]"
