"""Resources: an immutable, exact value with an algebra.

Decides what adds up, what is contained in what, what remains.

Vocabulary: an *identity* is everything of a resource but its amount (name, kind, reservations,
disk, allocation, ...); only equal identities add up. A *scalar* is an int in thousandths ("milli"),
so that sums are exact; *ranges* are a tuple of inclusive (begin, end) pairs, sorted and coalesced;
a *set* is a sorted tuple of strings. An *indivisible* resource (a persistent volume, a whole disk)
carries its size in its identity, and its amount counts how often it is there.

Invariants: no amount is empty; (a + b) - b == a when a and b share no range or set member;
a contains b exactly when (a - b) + b == a; the order of addition does not change the value.

Source: Mesos, docs/attributes-resources.md; src/common/resources.cpp and values.cpp.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec

from mesosphere.kernel.ranges import (
    Ranges,
    Set,
    coalesce,
    ranges_contain,
    subtract_ranges,
    subtract_set,
    unite_sets,
)

SCALAR = "SCALAR"
RANGES = "RANGES"
SET = "SET"

MILLI_LIMIT = 2**53
"""The largest scalar, in thousandths: beyond it a double no longer holds every integer."""

Amount = int | tuple[tuple[int, int], ...] | tuple[str, ...]


class ResourcesError(ValueError):
    """A text or a value is no resource; the message says which and why."""


class Reservation(msgspec.Struct, frozen=True, gc=False):
    """One level of a reservation. `kind` is STATIC (by a flag) or DYNAMIC (by an operation)."""

    kind: str
    role: str
    principal: str | None = None
    labels: tuple[tuple[str, str | None], ...] = ()


class Disk(msgspec.Struct, frozen=True, gc=False):
    """What makes a disk special. `source` and `volume` are opaque here: canonical JSON."""

    persistence_id: str | None = None
    persistence_principal: str | None = None
    volume: bytes = b""
    source_kind: str | None = None  # PATH, MOUNT, BLOCK or RAW
    source_id: str | None = None
    source: bytes = b""

    @property
    def is_indivisible(self) -> bool:
        """Whether it can only be used whole."""
        return (
            self.persistence_id is not None
            or self.source_kind in ("MOUNT", "BLOCK")
            or (self.source_kind == "RAW" and self.source_id is not None)
        )


class Identity(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Everything of a resource but its amount. `unit` is the size of an indivisible one."""

    name: str
    kind: str = SCALAR
    reservations: tuple[Reservation, ...] = ()
    allocation_role: str | None = None
    disk: Disk | None = None
    is_revocable: bool = False
    is_shared: bool = False
    provider_id: str | None = None
    unit: int | None = None

    @property
    def reservation_role(self) -> str | None:
        """The role that it is reserved for, at the top of the stack; None if unreserved."""
        return self.reservations[-1].role if self.reservations else None

    def may_go_to(self, role: str) -> bool:
        """Whether it may be offered to `role`: unreserved, or reserved to it or an ancestor."""
        if not self.reservations:
            return True
        owner = self.reservations[-1].role
        return owner == role or role.startswith(owner + "/")


def milli(value: float) -> int:
    """A quantity in thousandths, rounded half away from zero. Raises ResourcesError."""
    scaled = value * 1000
    if not -MILLI_LIMIT <= scaled <= MILLI_LIMIT:  # also refuses NaN
        raise ResourcesError(f"{value} is not a quantity")
    whole = math.floor(abs(scaled))
    rounded = whole + (abs(scaled) - whole >= 0.5)
    return rounded if scaled >= 0 else -rounded


def number(amount_milli: int) -> float:
    """Thousandths as the double that Mesos writes."""
    return amount_milli / 1000


class Resources:
    """An immutable bag of resources. Iteration order is that of first addition."""

    __slots__ = ("_amounts",)

    def __init__(self, amounts: Iterable[tuple[Identity, Amount]] = ()) -> None:
        """Add up (identity, amount) pairs; empty amounts vanish."""
        self._amounts: dict[Identity, Amount] = {}
        for identity, amount in amounts:
            if amount:
                mine = self._amounts.get(identity)
                self._amounts[identity] = amount if mine is None else _plus(mine, amount)

    @classmethod
    def of(
        cls, *, role: str | None = None, ports: Iterable[tuple[int, int]] = (), **scalars: float
    ) -> "Resources":
        """Unreserved resources by name: `Resources.of(cpus=1, mem=128, ports=[(1, 2)])`.

        `role` is the role that they are allocated to.
        """
        amounts: list[tuple[Identity, Amount]] = [
            (Identity(name, allocation_role=role), milli(value)) for name, value in scalars.items()
        ]
        amounts.append((Identity("ports", RANGES, allocation_role=role), coalesce(ports)))
        return cls(amounts)

    # --- the algebra ------------------------------------------------------------------------

    def __add__(self, other: "Resources") -> "Resources":
        """Everything of both."""
        if not other._amounts:
            return self
        if not self._amounts:
            return other
        amounts = self._amounts.copy()
        for identity, amount in other._amounts.items():
            mine = amounts.get(identity)
            amounts[identity] = amount if mine is None else _plus(mine, amount)
        return _made(amounts)

    def __sub__(self, other: "Resources") -> "Resources":
        """What remains; what is not there cannot be taken (no amount falls below nothing)."""
        if not other._amounts or not self._amounts:
            return self
        amounts = self._amounts.copy()
        for identity, amount in other._amounts.items():
            mine = amounts.get(identity)
            if mine is None:
                continue
            rest = _minus(mine, amount)
            if rest:
                amounts[identity] = rest
            else:
                del amounts[identity]
        return _made(amounts)

    def contains(self, other: "Resources") -> bool:
        """Whether all of `other` is here."""
        mine = self._amounts
        for identity, amount in other._amounts.items():
            have = mine.get(identity)
            if have is None or not _covers(have, amount):
                return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resources) and self._amounts == other._amounts

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return bool(self._amounts)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing."""
        return not self._amounts

    def __iter__(self) -> Iterator[tuple[Identity, Amount]]:
        """The (identity, amount) pairs."""
        return iter(self._amounts.items())

    def __len__(self) -> int:
        return len(self._amounts)

    def __repr__(self) -> str:
        return f"Resources({format_resources(self)})"

    # --- reading ----------------------------------------------------------------------------

    def scalar(self, name: str) -> int:
        """The sum of a scalar over all identities, in thousandths; 0 if there is none."""
        total = 0
        for identity, amount in self._amounts.items():
            if identity.name == name and isinstance(amount, int):
                total += quantity(identity, amount)
        return total

    def scalars(self) -> dict[str, int]:
        """Every scalar by name, in thousandths."""
        totals: dict[str, int] = {}
        for identity, amount in self._amounts.items():
            if isinstance(amount, int):
                totals[identity.name] = totals.get(identity.name, 0) + quantity(identity, amount)
        return totals

    def ranges(self, name: str) -> Ranges:
        """The ranges of this name over all identities."""
        found = [
            pair
            for identity, amount in self._amounts.items()
            if identity.name == name and identity.kind == RANGES
            for pair in amount  # type: ignore[union-attr]
        ]
        return coalesce(found)  # type: ignore[arg-type]

    def ports(self) -> Ranges:
        """The ranges named "ports"."""
        return self.ranges("ports")

    def set_items(self, name: str) -> Set:
        """The members of the sets of this name over all identities."""
        found: Set = ()
        for identity, amount in self._amounts.items():
            if identity.name == name and identity.kind == SET:
                found = unite_sets(found, amount)  # type: ignore[arg-type]
        return found

    def kinds(self) -> dict[str, str]:
        """Kind by name, in order of first addition."""
        return {identity.name: identity.kind for identity in self._amounts}

    # --- parts ------------------------------------------------------------------------------

    def where(self, wanted: Callable[[Identity], bool]) -> "Resources":
        """The part whose identities are wanted."""
        return _made({key: amount for key, amount in self._amounts.items() if wanted(key)})

    def unreserved(self) -> "Resources":
        """The part that no role has reserved."""
        return self.where(lambda identity: not identity.reservations)

    def reserved(self) -> "dict[str, Resources]":
        """The reserved parts by the role at the top of their stacks."""
        parts: dict[str, dict[Identity, Amount]] = {}
        for identity, amount in self._amounts.items():
            if identity.reservations:
                parts.setdefault(identity.reservations[-1].role, {})[identity] = amount
        return {role: _made(amounts) for role, amounts in parts.items()}

    def offerable_to(self, role: str) -> "Resources":
        """The part that may be offered to a role: unreserved, its own, its ancestors'."""
        return self.where(lambda identity: identity.may_go_to(role))

    def revocable(self) -> "Resources":
        """The part that may be taken back at any time."""
        return self.where(lambda identity: identity.is_revocable)

    def non_revocable(self) -> "Resources":
        """The part that is here to stay."""
        return self.where(lambda identity: not identity.is_revocable)

    def shared(self) -> "Resources":
        """The volumes that many may use at once."""
        return self.where(lambda identity: identity.is_shared)

    def non_shared(self) -> "Resources":
        """What only one can use at a time."""
        return self.where(lambda identity: not identity.is_shared)

    def allocated_to(self, role: str | None) -> "Resources":
        """The same, allocated to a role; None: allocated to nobody."""
        return Resources(
            (_allocate(identity, role), amount) for identity, amount in self._amounts.items()
        )


def _made(amounts: dict[Identity, Amount]) -> Resources:
    """Wrap a dictionary that nobody else holds."""
    resources = Resources.__new__(Resources)
    resources._amounts = amounts
    return resources


EMPTY = Resources()


def sum_of(parts: Iterable[Resources]) -> Resources:
    """What many resources are together; cheaper than adding one by one.

    Cheapest where many are the same object, as the resources of an app's tasks are.
    """
    amounts: dict[Identity, Amount] = {}
    others: dict[Identity, list[Amount]] = {}  # ranges and sets
    parts = list(parts)
    counts = Counter(map(id, parts))
    for part in {id(part): part for part in parts}.values():
        count = counts[id(part)]
        for identity, amount in part._amounts.items():
            if isinstance(amount, int):
                amounts[identity] = amounts.get(identity, 0) + amount * count  # type: ignore[operator]
            else:
                others.setdefault(identity, []).append(amount)
    for identity, listed in others.items():
        members = [member for amount in dict.fromkeys(listed) for member in amount]  # type: ignore[union-attr]
        if identity.kind == SET:
            amounts[identity] = unite_sets((), tuple(dict.fromkeys(members)))  # type: ignore[arg-type]
        else:
            amounts[identity] = coalesce(members)  # type: ignore[arg-type]
    return _made(amounts)


@lru_cache(maxsize=16_384)
def _allocate(identity: Identity, role: str | None) -> Identity:
    if identity.allocation_role == role:
        return identity
    return msgspec.structs.replace(identity, allocation_role=role)


def quantity(identity: Identity, amount: int) -> int:
    """A scalar's size in thousandths; an indivisible one has it in its identity."""
    if identity.unit is None:
        return amount
    return identity.unit if identity.is_shared else identity.unit * amount


def _plus(one: Amount, other: Amount) -> Amount:
    if isinstance(one, int):
        return one + other  # type: ignore[operator]
    if isinstance(one[0], str):
        return unite_sets(one, other)  # type: ignore[arg-type]
    return coalesce((*one, *other))  # type: ignore[misc]


def _minus(one: Amount, other: Amount) -> Amount:
    if isinstance(one, int):
        return max(one - other, 0)  # type: ignore[operator]
    if isinstance(one[0], str):
        return subtract_set(one, other)  # type: ignore[arg-type]
    return subtract_ranges(one, other)  # type: ignore[arg-type]


def _covers(one: Amount, other: Amount) -> bool:
    if isinstance(one, int):
        return one >= other  # type: ignore[operator]
    if isinstance(one[0], str):
        return not subtract_set(other, one)  # type: ignore[arg-type]
    return ranges_contain(one, other)  # type: ignore[arg-type]


def format_resources(resources: Resources) -> str:
    """For people and logs: `cpus(role):4; ports:[31000-32000]`, special ones marked."""
    parts = []
    for identity, amount in resources:
        marks = "".join(f"({reservation.role})" for reservation in identity.reservations)
        if identity.allocation_role is not None:
            marks += f"(allocated: {identity.allocation_role})"
        if identity.disk is not None:
            marks += f"[{identity.disk.persistence_id or identity.disk.source_kind or 'volume'}]"
        if identity.is_revocable:
            marks += "{REV}"
        if identity.is_shared:
            marks += f"<SHARED>x{amount}"
        parts.append(f"{identity.name}{marks}:{format_amount(identity, amount)}")
    return "; ".join(parts)


def format_amount(identity: Identity, amount: Amount) -> str:
    """`4`, `0.5`, `[31000-32000, 33000-33000]` or `{a, b}`."""
    if isinstance(amount, int):
        return f"{number(quantity(identity, amount)):.15g}"
    if identity.kind == RANGES:
        return format_ranges(amount)  # type: ignore[arg-type]
    return "{" + ", ".join(amount) + "}"  # type: ignore[arg-type]


def format_ranges(ranges: Ranges) -> str:
    """`[31000-32000, 33000-33000]`."""
    return "[" + ", ".join(f"{begin}-{end}" for begin, end in ranges) + "]"


def compact(resources: Resources) -> Mapping[str, float | str]:
    """The object of Mesos's legacy JSON: `{"cpus":4.0, ..., "ports":"[31000-32000]"}`.

    cpus, gpus, mem and disk are always there; revocable ones are under `<name>_revocable`.
    """
    result: dict[str, float | str] = {"cpus": 0, "gpus": 0, "mem": 0, "disk": 0}
    if _is_plain(resources):
        for identity, amount in resources:
            if isinstance(amount, int):
                result[identity.name] = number(amount)
            else:
                result[identity.name] = format_ranges(amount)  # type: ignore[arg-type]
        return result
    for suffix, part in (("", resources.non_revocable()), ("_revocable", resources.revocable())):
        for name, kind in part.kinds().items():
            if kind == SCALAR:
                result[name + suffix] = number(part.scalar(name))
            elif kind == RANGES:
                result[name + suffix] = format_ranges(part.ranges(name))
            else:
                result[name + suffix] = "{" + ", ".join(part.set_items(name)) + "}"
    return result


def _is_plain(resources: Resources) -> bool:
    """Whether each name is there once, as a scalar or ranges, and is here to stay."""
    names = set()
    for identity, _ in resources:
        if identity.is_revocable or identity.unit is not None or identity.kind == SET:
            return False
        names.add(identity.name)
    return len(names) == len(resources)
