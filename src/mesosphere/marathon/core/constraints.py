"""Where instances may be placed: UNIQUE, CLUSTER, GROUP_BY, LIKE, UNLIKE, MAX_PER, IS.

Decides whether an offer's agent may take one more instance, given the agents of those that
already count. Vocabulary: a *place* is one agent as constraints see it: host name, region, zone
and attributes, all as text. Counted are the app's instances of the current configuration.
Invariants: a pure function of its arguments; an agent without the attribute fails all but UNLIKE.
Source: Marathon, "Constraints"; mesosphere/mesos Constraints.scala. GROUP_BY is that of 1.10.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

OPERATORS = ("UNIQUE", "CLUSTER", "GROUP_BY", "LIKE", "UNLIKE", "MAX_PER", "IS")

PATTERN_LIMIT = 1_000
"""Characters of a regular expression; one that nests deeper could not be compiled anywhere."""

_IS_VALUE = re.compile(r"[a-zA-Z0-9_/.-]*")
_COUNT = re.compile(r"[0-9]{1,9}")


class Place(msgspec.Struct, frozen=True):
    """An agent as constraints see it."""

    hostname: str
    region: str | None = None
    zone: str | None = None
    attributes: Mapping[str, str] = {}

    def value(self, field: str) -> str | None:
        """The value of a constraint's field, None when the agent has none."""
        if field in ("hostname", "@hostname"):
            return self.hostname
        if field == "@region":
            return self.region
        if field == "@zone":
            return self.zone
        return self.attributes.get(field)


def allows(constraint: Sequence[str], place: Place, taken: Sequence[Place]) -> bool:
    """Whether `place` may take one more, given the places of the instances that count."""
    field, operator = constraint[0], constraint[1]
    argument = constraint[2] if len(constraint) > 2 else None
    value = place.value(field)
    if value is None:
        return operator == "UNLIKE"
    if operator in ("LIKE", "UNLIKE"):
        pattern, _ = _compile(argument or "")
        # Apps of an earlier release may hold what is refused today: they match nowhere.
        return pattern is not None and (pattern.fullmatch(value) is None) == (operator == "UNLIKE")
    if operator == "IS":
        return _same(value, argument or "")
    counts = Counter(other.value(field) for other in taken)
    if operator == "UNIQUE":
        return counts[value] == 0
    if operator == "CLUSTER":
        wanted = argument if argument is not None else next(iter(counts), value)
        return value == wanted
    if operator == "MAX_PER":
        return counts[value] < _count(argument)
    return _fits_group(value, counts, _count(argument))


def _count(argument: str | None) -> int:
    return int(argument) if argument is not None and _COUNT.fullmatch(argument) else 0


def _compile(text: str) -> tuple[re.Pattern[str] | None, str]:
    """The regular expression, or None and what is wrong with it."""
    if len(text) > PATTERN_LIMIT:
        return None, f"it has more than {PATTERN_LIMIT} characters"
    try:
        return re.compile(text), ""
    except (re.error, OverflowError, RecursionError) as error:
        return None, str(error)


def _fits_group(value: str, counts: Mapping[str | None, int], groups: int) -> bool:
    if value not in counts:
        return True
    return len(counts) >= groups and counts[value] == min(counts.values())


def _same(value: str, wanted: str) -> bool:
    if value == wanted:
        return True
    try:
        return round(float(value), 3) == round(float(wanted), 3)
    except ValueError:
        return False


def problem(constraint: Sequence[str]) -> str | None:
    """What is wrong with a constraint, in Marathon's words; None when it is valid."""
    operator = constraint[1].upper()
    argument = constraint[2] if len(constraint) > 2 else None
    if operator not in OPERATORS:
        return f"Constraint operator must be one of the following {', '.join(OPERATORS)}"
    if operator == "UNIQUE":
        return None if argument is None else "Value specified but not used"
    if operator in ("LIKE", "UNLIKE"):
        if argument is None:
            return "A regular expression value must be provided"
        pattern, fault = _compile(argument)
        return None if pattern else f"'{argument}' is not a valid regular expression: {fault}"
    if operator == "GROUP_BY":
        if argument is not None and _COUNT.fullmatch(argument) is None:
            return "Value was specified but is not a number"
        return None
    if operator == "MAX_PER":
        if argument is None or _COUNT.fullmatch(argument) is None:
            return "Value was not specified or is not a number"
        return None
    if operator == "IS" and (argument is None or _IS_VALUE.fullmatch(argument) is None):
        return "IS needs a text or a number of letters, digits and _/.-"
    return None
