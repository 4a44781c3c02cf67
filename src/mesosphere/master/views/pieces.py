"""Big pages in pieces: the JSON of a task or an agent is encoded once and kept until it changes.

A piece is kept on the object it shows, beside the values it was made of. Those never change in
place: a changed task has another state or another list of statuses, a changed agent other
resources. "The same values" is therefore "the same JSON", and nobody who changes a task has to
think of pages. A page is a list of such pieces, which the server sends without joining it whole.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any

import msgspec

from mesosphere.master.core.state import Agent, TaskRecord
from mesosphere.master.views import entries

_encode = msgspec.json.Encoder().encode


class Chunks(list[bytes]):
    """JSON in parts; the parts may be shared with other pages."""


NOT_SHOWN = (
    "stream", "stream_id", "missed_pings", "tasks", "executors", "offers", "operations", "outage",
    "slot", "shown",
)  # fmt: skip
"""Fields of an agent that its JSON does not depend on; `is_connected` stands for the stream."""

_values_of_agent = attrgetter(
    "is_connected",
    *(
        field.name
        for field in fields(Agent)
        if field.name not in NOT_SHOWN and not field.name.startswith("_")
    ),
)


def tasks(records: Iterable[TaskRecord]) -> list[bytes]:
    """Tasks, each after a comma."""
    found = []
    for record in records:  # a hundred thousand, most of them unchanged: nothing is called
        shown, task = record.shown, record.task
        if (
            shown is None
            or shown[1] is not task.statuses
            or shown[2] is not task.state
            or shown[3] is not record.resources
            or shown[4] is not record.role
            or shown[5] is not task
        ):
            shown = record.shown = _show(record)
        found.append(shown[0])
    return found


def _show(record: TaskRecord) -> tuple[Any, ...]:
    piece = b"," + _encode(entries.task(record))
    task = record.task
    return piece, task.statuses, task.state, record.resources, record.role, task


def agent(found: Agent, full: bool = False) -> bytes:
    """An agent, after a comma; `full` as for `entries.agent`."""
    values = _values_of_agent(found)
    payers = found.payers if full else ()
    if len(payers) > 1:
        # Who of them pays for what can't be seen in the sums.
        return b"," + _encode(entries.agent(found, full))
    shown = found.shown
    if shown is None or shown[0] != values:
        shown = (values, {})
        found.shown = shown
    piece: bytes | None = shown[1].get((full, payers))
    if piece is None:
        piece = shown[1][full, payers] = b"," + _encode(entries.agent(found, full))
    return piece


# --- putting together ---------------------------------------------------------------------------


def listed(pieces: list[bytes]) -> Chunks:
    """An array of pieces that each begin with a comma."""
    if not pieces:
        return Chunks((b"[]",))
    chunks = Chunks((b"[", pieces[0][1:]))
    chunks += pieces[1:]
    chunks.append(b"]")
    return chunks


def array(members: Iterable[Chunks]) -> Chunks:
    """An array of whole members."""
    chunks = Chunks()
    for member in members:
        chunks.append(b"," if chunks else b"[")
        chunks += member
    chunks.append(b"]" if chunks else b"[]")
    return chunks


def page(members: Mapping[str, Any]) -> Chunks:
    """An object; a member that is Chunks is put in as it is."""
    chunks = Chunks()
    for name, value in members.items():
        begin = b"," if chunks else b"{"
        if isinstance(value, Chunks):
            chunks.append(b"%b%b:" % (begin, _encode(name)))
            chunks += value
        else:
            chunks.append(b"%b%b:%b" % (begin, _encode(name), _encode(value)))
    chunks.append(b"}" if chunks else b"{}")
    return chunks


def widened(piece: bytes, more: Mapping[str, Any]) -> bytes:
    """A piece of an object with further members."""
    return b"%b,%b" % (piece[:-1], _encode(more)[1:])
