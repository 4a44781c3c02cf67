"""Reads the text of `--resources` and of attribute values.

    cpus:24;mem:24576;disk(prod):4096;ports:[21000-24000, 30000-34000];sets:{a,b}

The JSON form of `--resources` is read by `wire.mesos.resources_codec`.

Source: Mesos, docs/attributes-resources.md; src/common/values.cpp (parse).
"""

import re
from itertools import pairwise

from mesosphere.kernel.ranges import Ranges, Set, coalesce
from mesosphere.kernel.resources import (
    RANGES,
    SCALAR,
    SET,
    Amount,
    Identity,
    Reservation,
    Resources,
    ResourcesError,
    milli,
)

TEXT_LIMIT = 1024 * 1024
"""Characters of one `--resources` or `--attributes`."""

RANGE_END_LIMIT = 2**63 - 1
"""The largest number in a range; Mesos allows twice as much, JSON readers in Java do not."""

_NUMBER = re.compile(r"[+]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_RANGE = re.compile(r"(\d+)-(\d+)")
_ROLE_PART = re.compile(r"(?!-)[^\s\x08/*]+")

Value = float | Ranges | Set | str


def parse_value(text: str) -> tuple[str, Value]:
    """(kind, value) of `1.5`, `[1-2, 5-6]`, `{a, b}`; anything else is TEXT.

    Spaces mean nothing anywhere in it. Raises ResourcesError.
    """
    text = text.replace(" ", "")
    if not text:
        raise ResourcesError("expected a value, found nothing")
    if text[0] == "[":
        return RANGES, _parse_ranges(text)
    if text[0] == "{":
        return SET, _parse_set(text)
    for bracket in "[{":
        if bracket in text:
            raise ResourcesError(f"unexpected '{bracket}' in '{text}'")
    if len(text) <= 64 and _NUMBER.fullmatch(text) and (value := float(text)) < float("inf"):
        return SCALAR, value
    return "TEXT", text


def _parse_ranges(text: str) -> Ranges:
    if text[-1] != "]":
        raise ResourcesError(f"'{text}' has no closing ']'")
    inside = text[1:-1]
    pairs = []
    for part in inside.split(",") if inside else []:
        match = _RANGE.fullmatch(part)
        if match is None or len(part) > 64:
            raise ResourcesError(f"expected a range such as 31000-32000, found '{part}'")
        begin, end = int(match[1]), int(match[2])
        if begin > end:
            raise ResourcesError(f"range {part} begins after its end")
        if end > RANGE_END_LIMIT:
            raise ResourcesError(f"range {part} ends beyond {RANGE_END_LIMIT}")
        pairs.append((begin, end))
    _refuse_overlap(pairs)
    return coalesce(pairs)


def _refuse_overlap(pairs: list[tuple[int, int]]) -> None:
    ordered = sorted(pairs)
    for (begin, end), (next_begin, next_end) in pairwise(ordered):
        if next_begin <= end:
            raise ResourcesError(f"ranges {begin}-{end} and {next_begin}-{next_end} overlap")


def _parse_set(text: str) -> Set:
    if text[-1] != "}":
        raise ResourcesError(f"'{text}' has no closing '}}'")
    items = [item for item in text[1:-1].split(",") if item]
    if len(set(items)) != len(items):
        raise ResourcesError(f"'{text}' has an element twice")
    return tuple(sorted(items))


def check_role(role: str) -> str:
    """The role, if a resource may be reserved for it. Raises ResourcesError."""
    for part in role.split("/"):
        if part in ("", ".", "..") or not _ROLE_PART.fullmatch(part):
            raise ResourcesError(f"'{role}' is not a role")
    return role


def parse_resources(text: str, default_role: str = "*") -> Resources:
    """Read `name(role):value;...`; what names no role is for `default_role`.

    Raises ResourcesError that names the part at fault.
    """
    if len(text) > TEXT_LIMIT:
        raise ResourcesError(f"more than {TEXT_LIMIT} characters")
    amounts: list[tuple[Identity, Amount]] = []
    kinds: dict[str, str] = {}
    for part in text.split(";"):
        if not part.strip():
            continue
        try:
            identity, amount = _parse_part(part, default_role)
        except ResourcesError as error:
            raise ResourcesError(f"'{part.strip()}': {error}") from None
        if kinds.setdefault(identity.name, identity.kind) != identity.kind:
            raise ResourcesError(
                f"'{part.strip()}': {identity.name} is {kinds[identity.name]} elsewhere"
            )
        amounts.append((identity, amount))
    return Resources(amounts)


def _parse_part(part: str, default_role: str) -> tuple[Identity, Amount]:
    left, colon, right = part.partition(":")
    if not colon or ":" in right:
        raise ResourcesError("expected name:value")
    name, opening, rest = left.partition("(")
    role = default_role
    if opening:
        role, closing, tail = rest.partition(")")
        if not closing or tail.strip():
            raise ResourcesError("mismatched parentheses")
        role = role.strip()
    name = name.strip()
    if not name:
        raise ResourcesError("has no name")
    reservations = () if role == "*" else (Reservation("STATIC", check_role(role)),)
    kind, value = parse_value(right)
    identity = Identity(name, kind, reservations)
    if isinstance(value, float):
        return identity, checked_milli(name, value)
    if isinstance(value, str):
        raise ResourcesError(f"'{value}' is no scalar, range or set")
    return identity, value


def checked_milli(name: str, value: float) -> int:
    """A scalar resource in thousandths. Raises ResourcesError if it cannot be one."""
    amount = milli(value)
    if amount < 0 or (value != 0 and amount == 0):
        raise ResourcesError(f"{name} must be at least 0.001, not {value:g}")
    if name == "gpus" and amount % 1000:
        raise ResourcesError(f"gpus must be a whole number, not {value:g}")
    return amount
