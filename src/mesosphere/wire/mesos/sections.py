"""Large messages, encoded in slices: what a list holds is made and written part by part.

A section stands for a message: its kind, and of each field the value, another section, or the
members of a list in parts. Either encoding gives what the whole message would give.
"""

from collections.abc import Generator, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias, Union

from mesosphere.wire.mesos import codec, protobuf
from mesosphere.wire.mesos.base import WireStruct
from mesosphere.wire.mesos.media import Media
from mesosphere.wire.protobuf.writing import message_head

Parts = Iterator[list[Any]]
"""Members of a list, some at a time."""

Value: TypeAlias = Union["Section", Parts, Any]


class Section(NamedTuple):
    """A message that comes in slices. A kind whose field is a list must be made of that alone."""

    kind: type[WireStruct]
    fields: Mapping[str, Value]


def encode(section: Section, media: Media) -> Iterator[bytes]:
    """The bytes of a message of `protobuf.MESSAGES`; some slices have none. Raises WireError."""
    if media is Media.JSON:
        return _json(section)
    return _protobuf(section)


def _json(section: Section) -> Iterator[bytes]:
    begin = b"{"
    for name, value in section.fields.items():
        head = b'%b"%b":' % (begin, name.encode())
        if isinstance(value, Section):
            yield head
            yield from _json(value)
        elif isinstance(value, Iterator):
            opened = head + b"["
            is_empty = True
            for part in value:
                members = codec.encode(part)[1:-1]
                if members:
                    yield (opened if is_empty else b",") + members
                    is_empty = False
            if is_empty:
                continue  # as everywhere, an empty list is left out
            yield b"]"
        else:
            yield head + codec.encode(value)
        begin = b","
    yield b"{}" if begin == b"{" else b"}"


def _protobuf(section: Section) -> Iterator[bytes]:
    """A message says its length first, so that nothing can be told until all is there."""
    yield from (yield from _inner(section, protobuf.MESSAGES[section.kind]))


def _inner(section: Section, name: str) -> Generator[bytes, None, list[bytes]]:
    binding = protobuf.binding_of(section.kind, name)
    declared = protobuf.read_schema().messages[name].fields
    written: list[bytes] = []
    for field, value in section.fields.items():
        if isinstance(value, Section):
            inner = yield from _inner(value, declared[field].kind)
            written.append(message_head(declared[field].number, sum(map(len, inner))))
            written += inner
        else:
            # Members of a list that are written apart are the list.
            for part in value if isinstance(value, Iterator) else (value,):
                written.append(binding.write(section.kind(**{field: part})))
                yield b""
    return written
