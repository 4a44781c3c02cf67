"""Amounts of resources as people write them, and resources as a master shows them.

Amounts are whole thousandths, as Mesos counts; memory and disk are in MiB unless they name a unit.
"""

import re

from ansible.module_utils.mesosphere_http import RequestError

SIZED = ("mem", "disk")
SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT])(?:i?B)?", re.IGNORECASE)
MIB = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}
RANGE = re.compile(r"(\d+)(?:\s*-\s*(\d+))?")
THOUSAND = 1000


def thousandths(name, value):
    """The amount of a scalar resource; `4 GB` and `4GiB` of memory are 4096 MiB.

    Raises RequestError.
    """
    if isinstance(value, str) and name in SIZED and (match := SIZE.fullmatch(value.strip())):
        value = float(match["number"]) * MIB[match["unit"].upper()]
    try:
        if isinstance(value, bool):
            raise ValueError
        amount = float(value)
        if not 0 <= amount < float("inf"):
            raise ValueError
    except (TypeError, ValueError):
        unit = "a number of MiB or a size such as 4GB" if name in SIZED else "a number"
        raise RequestError(f"{name}: {value!r} is no amount; give {unit}, not below 0") from None
    return round(amount * THOUSAND)


def amounts(given):
    """{name: thousandths} of a dictionary of scalars. Raises RequestError."""
    return {name: thousandths(name, value) for name, value in given.items()}


def shown(amount):
    """Thousandths as a number to read."""
    return amount // THOUSAND if amount % THOUSAND == 0 else amount / THOUSAND


def show_all(given):
    """{name: number} of {name: thousandths}, by name."""
    return {name: shown(amount) for name, amount in sorted(given.items())}


def wire_scalars(given):
    """{name: {"value": number}}, as quotas hold them."""
    return {name: {"value": shown(amount)} for name, amount in sorted(given.items())}


def scalars_of(wire):
    """{name: thousandths} of the quota's form."""
    return {name: round(float(each["value"]) * THOUSAND) for name, each in (wire or {}).items()}


# --- ranges ---------------------------------------------------------------------------------------


def ranges(name, value):
    """[(begin, end)] in order of `31000-31009,31100`, or of a list of such. Raises RequestError."""
    parts = value if isinstance(value, list) else str(value).strip("[] ").split(",")
    found = []
    for part in parts:
        match = RANGE.fullmatch(str(part).strip(" []"))
        begin, end = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if begin > end:
            raise RequestError(f"{name}: {part!r} is no range; give one such as 31000-31009")
        found.append((begin, end))
    return coalesced(found)


def coalesced(pairs):
    """The same numbers in as few ranges as can be."""
    found = []
    for begin, end in sorted(pairs):
        if found and begin <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def minus(pairs, taken):
    """The numbers of some ranges that are not in others."""
    found = []
    for begin, end in pairs:
        at = begin
        for first, last in taken:
            if last < at or first > end:
                continue
            if first > at:
                found.append((at, first - 1))
            at = last + 1
        if at <= end:
            found.append((at, end))
    return found


def as_text(pairs):
    """Ranges as people write them."""
    return ",".join(f"{begin}-{end}" if begin != end else str(begin) for begin, end in pairs)
