"""Big pages in pieces: the JSON of a task or an agent is encoded once and kept until it changes.

A piece is kept on the object it shows, beside what it was made of. That never changes in place: a
changed task is another task, a changed agent has other resources. "The same values" is therefore
"the same JSON", and nobody who changes a task has to think of pages. The same holds between the
slices of a page: what it shows is looked at when it begins, by the functions here, and encoded
slice by slice, by what they return.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from mesosphere.kernel.pages import Slices
from mesosphere.kernel.resources import Resources
from mesosphere.master.core.state import Agent, AgentValues, TaskRecord, values_of
from mesosphere.master.views import entries
from mesosphere.wire import mesos

_encode = msgspec.json.Encoder().encode

TASKS_PER_SLICE = 128
AGENTS_PER_SLICE = 64


def tasks(records: Iterable[TaskRecord]) -> Slices:
    """The members of a list of tasks, with commas between them."""
    held = list(records)
    return _tasks(held, [record.task for record in held])


def _tasks(held: list[TaskRecord], shown: list[mesos.Task]) -> Slices:
    for start in range(0, len(held), TASKS_PER_SLICE):
        part = slice(start, start + TASKS_PER_SLICE)
        yield b",".join(map(task, held[part], shown[part]))


def task(record: TaskRecord, shown: mesos.Task) -> bytes:
    """A task as it is, or was when a page began."""
    known = record.shown
    if known is not None and known[0] is shown:
        return known[1]
    piece = _encode(entries.task(shown, record.resources, record.role))
    if record.task is shown:
        record.shown = (shown, piece)
    return piece


def agents(listed: Iterable[Agent]) -> Slices:
    """The members of a list of agents, with commas between them."""
    return (b",".join(part.values()) for part in agents_by_id(listed))


def agents_by_id(listed: Iterable[Agent]) -> Iterator[dict[str, bytes]]:
    """The same, each by its id."""
    held = list(listed)
    return _agents(held, list(map(values_of, held)))


def _agents(held: list[Agent], values: list[AgentValues]) -> Iterator[dict[str, bytes]]:
    for start in range(0, len(held), AGENTS_PER_SLICE):
        part = slice(start, start + AGENTS_PER_SLICE)
        yield {
            found.id: agent(found, of) for found, of in zip(held[part], values[part], strict=True)
        }


def agent(found: Agent, values: AgentValues) -> bytes:
    """An agent as it is, or was when a page began."""
    known = found.shown
    if known is None or known[0] != values:
        known = found.shown = (values, _encode(entries.agent(values)))
    return known[1]


def full_agents(listed: Iterable[Agent]) -> Slices:
    """The members of a list of agents with their resources in the operator's form."""
    held = list(listed)
    by_payer = [(found.total, *found.by_payer()) for found in held]
    return map(_widen, held, list(map(values_of, held)), by_payer)


def _widen(
    found: Agent, values: AgentValues, full: tuple[Resources, Resources, Resources]
) -> bytes:
    return widened(agent(found, values), entries.full_resources(*full))


# --- putting together ---------------------------------------------------------------------------


def listed(members: Slices) -> Slices:
    """An array of members that have commas between those of a slice."""
    begin = b"["
    for part in members:
        yield begin
        yield part
        begin = b","
    yield b"[]" if begin == b"[" else b"]"


def array(members: Iterable[Slices]) -> Slices:
    """An array of whole members."""
    return _array(list(members))


def _array(members: list[Slices]) -> Slices:
    begin = b"["
    for member in members:
        yield begin
        yield from member
        begin = b","
    yield b"]" if members else b"[]"


def page(members: Mapping[str, Any]) -> Slices:
    """An object; a member that comes in slices is put in as it is, others are encoded now."""
    parts: list[Slices | bytes] = []
    begin = b"{"
    for name, value in members.items():
        head = b"%b%b:" % (begin, _encode(name))
        if isinstance(value, Iterator):
            parts += (head, value)
        else:
            parts.append(head + _encode(value))
        begin = b","
    parts.append(b"}" if members else b"{}")
    return _flow(parts)


def _flow(parts: list[Slices | bytes]) -> Slices:
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            yield from part


def widened(piece: bytes, more: Mapping[str, Any]) -> bytes:
    """A piece of an object with further members."""
    return b"%b,%b" % (piece[:-1], _encode(more)[1:])
