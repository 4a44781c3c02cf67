"""A struct and a message, bound field by field: the codec of both.

Fields go by their names; the types of the struct must be those of the message, or binding fails.
Fields of the message that the struct does not have are skipped when read, as unknown ones are.
The struct's own bounds hold. A message that comes twice where one belongs is merged.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import inspect

from mesosphere.wire.errors import WireError
from mesosphere.wire.protobuf import reading, writing
from mesosphere.wire.protobuf.reading import BYTES, VARINT, Reader, Value
from mesosphere.wire.protobuf.schema import Field, Schema
from mesosphere.wire.protobuf.writing import Writer

_SCALARS: Mapping[type[inspect.Type], frozenset[str]] = {
    inspect.StrType: frozenset({"string"}),
    inspect.BytesType: frozenset({"bytes"}),
    inspect.BoolType: frozenset({"bool"}),
    inspect.FloatType: frozenset({"double"}),
    inspect.IntType: frozenset({"int32", "int64", "uint32", "uint64"}),
}


class Binding:
    """How one kind of struct is read and written. Made by `Bindings`."""

    __slots__ = ("_get", "_kind", "_names", "_readers", "_writers", "name")

    def __init__(self, name: str, kind: type[msgspec.Struct]) -> None:
        self.name = name
        self._kind = kind
        self._readers: dict[int, Reader] = {}
        self._names: dict[int, str] = {}
        self._writers: tuple[Writer, ...] = ()
        self._get: Callable[[Any], tuple[Any, ...]] = lambda message: ()

    def fill(
        self, readers: Mapping[int, tuple[str, Reader]], writers: Mapping[str, Writer]
    ) -> None:
        """Take the fields; they may name this very binding, so they come after it was made."""
        self._names = {tag: name for tag, (name, _) in readers.items()}
        self._readers = {tag: reader for tag, (_, reader) in readers.items()}
        self._writers = tuple(writers.values())
        names = tuple(writers)
        if len(names) == 1:
            only = attrgetter(names[0])
            self._get = lambda message: (only(message),)
        elif names:
            self._get = attrgetter(*names)

    def read(self, data: bytes, position: int, end: int) -> Any:
        """The struct that some bytes hold. Raises WireError, which names the field."""
        values: dict[str, Any] = {}
        readers = self._readers
        tag = 0
        try:
            while position < end:
                tag = data[position]
                position += 1
                if tag > 0x7F:
                    tag, position = reading.read_varint(data, position - 1)
                reader = readers.get(tag)
                if reader is None:
                    position = reading.skip(data, position, end, tag)
                else:
                    position = reader(data, position, end, values)
            if position != end:
                raise WireError("", "cut short")
        except WireError as error:
            raise self._beneath(tag, error.path, error.message) from error
        except IndexError:
            raise self._beneath(tag, "", "cut short") from None
        except UnicodeDecodeError:
            raise self._beneath(tag, "", "not UTF-8") from None
        return self._make(values)

    def _beneath(self, tag: int, path: str, message: str) -> WireError:
        return WireError(".".join(filter(None, (self._names.get(tag), path))), message)

    def _make(self, values: dict[str, Any]) -> Any:
        try:
            return self._kind(**values)
        except TypeError:
            fields = msgspec.structs.fields(self._kind)
            missing = [one.name for one in fields if one.required and one.name not in values]
            assert missing, f"{self._kind} does not take {values}"
            text = "Missing required fields: " + ", ".join(missing)
            raise WireError("", text) from None
        except ValueError as error:  # a check of the struct's own
            raise WireError("", str(error)) from error

    def write(self, message: Any) -> bytes:
        """The bytes of a struct. Raises UnicodeEncodeError for a lone surrogate."""
        parts: list[bytes] = []
        append = parts.append
        for value, write in zip(self._get(message), self._writers, strict=True):
            if value is not None:
                write(value, append)
        return b"".join(parts)


class Bindings:
    """Every binding of a schema, made when it is first asked for."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._known: dict[tuple[type[msgspec.Struct], str], Binding] = {}

    def bind(self, kind: type[msgspec.Struct], name: str) -> Binding:
        """The binding of a struct and a message. Raises TypeError if they do not fit."""
        known = self._known.get((kind, name))
        if known is not None:
            return known
        binding = self._known[kind, name] = Binding(name, kind)
        declared = self._schema.messages[name].fields
        readers: dict[int, tuple[str, Reader]] = {}
        writers: dict[str, Writer] = {}
        shape = inspect.type_info(kind)
        assert isinstance(shape, inspect.StructType)
        for part in shape.fields:
            field = declared.get(part.name)
            if field is None:
                raise TypeError(f"{name} has no field {part.name}, which {kind.__name__} has")
            try:
                for tag, reader in self._readers(field, _plain(part.type)).items():
                    readers[tag] = part.name, reader
                writers[part.name] = self._writer(field, _plain(part.type))
            except _Misfit as misfit:
                raise TypeError(f"{name}.{part.name} is {field.kind}, not {misfit}") from None
        binding.fill(readers, writers)
        return binding

    # --- reading ------------------------------------------------------------------------------

    def _readers(self, field: Field, kind: inspect.Type) -> dict[int, Reader]:
        """Readers by tag; numbers in a list may come packed or not."""
        tag = field.number << 3
        if field.key is not None:
            return {tag | BYTES: self._map_reader(field, kind)}
        if isinstance(kind, inspect.ListType) != field.is_repeated:
            raise _Misfit(kind)
        member = kind.item_type if isinstance(kind, inspect.ListType) else kind
        if isinstance(member, inspect.StructType):
            return {tag | BYTES: self._message_reader(field, member.cls)}
        wire_type, value = self._value(field, member)
        if not field.is_repeated:
            if field.kind == "string":
                return {tag | BYTES: reading.single_string(field.name)}
            return {tag | wire_type: reading.single(field.name, value)}
        found = {tag | wire_type: reading.repeated(field.name, value)}
        if wire_type != BYTES:
            found[tag | BYTES] = reading.packed(field.name, value)
        return found

    def _value(self, field: Field, kind: inspect.Type) -> tuple[int, Value]:
        if isinstance(kind, inspect.LiteralType):
            numbers = self._numbers(field, kind)
            return VARINT, reading.enum({number: name for name, number in numbers.items()})
        if field.kind not in _SCALARS.get(type(kind), ()):
            raise _Misfit(kind)
        wire_type, value = reading.SCALARS[field.kind]
        if isinstance(kind, inspect.IntType | inspect.FloatType):
            value = reading.bounded(value, kind.ge, kind.le)
        return wire_type, value

    def _numbers(self, field: Field, kind: inspect.LiteralType) -> dict[str, int]:
        table = self._schema.enums.get(field.kind)
        if table is None:
            raise _Misfit(kind)
        unknown = [name for name in kind.values if name not in table]
        if unknown:
            raise TypeError(f"{field.kind} has no {', '.join(map(str, unknown))}")
        return {name: table[name] for name in table if name in kind.values}

    def _message_reader(self, field: Field, kind: type[msgspec.Struct]) -> Reader:
        name, is_repeated = field.name, field.is_repeated
        binding = self._message(field, kind)

        def read(data: bytes, position: int, end: int, values: dict[str, Any]) -> int:
            position, stop = reading.read_span(data, position, end)
            if is_repeated:
                values.setdefault(name, []).append(binding.read(data, position, stop))
            elif name in values:
                merged = binding.write(values[name]) + data[position:stop]
                values[name] = binding.read(merged, 0, len(merged))
            else:
                values[name] = binding.read(data, position, stop)
            return stop

        return read

    def _map_reader(self, field: Field, kind: inspect.Type) -> Reader:
        entry = self._entry(field, kind)
        name = field.name

        def read(data: bytes, position: int, end: int, values: dict[str, Any]) -> int:
            position, stop = reading.read_span(data, position, end)
            found = entry.read(data, position, stop)
            values.setdefault(name, {})[found.key] = found.value
            return stop

        return read

    # --- both ---------------------------------------------------------------------------------

    def _message(self, field: Field, kind: type[msgspec.Struct]) -> Binding:
        if field.kind not in self._schema.messages:
            raise _Misfit(kind)
        return self.bind(kind, field.kind)

    def _entry(self, field: Field, kind: inspect.Type) -> Binding:
        """The message that a map is a list of: key and value."""
        if not isinstance(kind, inspect.DictType) or not isinstance(kind.key_type, inspect.StrType):
            raise _Misfit(kind)
        value = kind.value_type
        binding = Binding(f"entry of {field.name}", _Entry)
        one = Field("value", 2, field.kind)
        key = Field("key", 1, "string")
        readers = {
            **{tag: ("key", reader) for tag, reader in self._readers(key, kind.key_type).items()},
            **{tag: ("value", reader) for tag, reader in self._readers(one, value).items()},
        }
        writers = {"key": self._writer(key, kind.key_type), "value": self._writer(one, value)}
        binding.fill(readers, writers)
        return binding

    # --- writing ------------------------------------------------------------------------------

    def _writer(self, field: Field, kind: inspect.Type) -> Writer:
        if field.key is not None:
            entry = writing.sized(field.number, self._entry(field, kind).write)

            def write(values: Any, append: Callable[[bytes], None]) -> None:
                for key, value in values.items():
                    entry(_Entry(value=value, key=key), append)

            return write
        member = kind.item_type if isinstance(kind, inspect.ListType) else kind
        if isinstance(member, inspect.StructType):
            one = writing.sized(field.number, self._message(field, member.cls).write)
        elif isinstance(member, inspect.LiteralType):
            one = writing.enum(field.number, self._numbers(field, member))
        else:
            one = writing.SCALARS[field.kind](field.number)
        return writing.repeated(one) if field.is_repeated else one


class _Entry(msgspec.Struct, kw_only=True, gc=False):
    value: Any
    key: str = ""


class _Misfit(Exception):
    """A field's type is not that of the message."""


def _plain(kind: inspect.Type) -> inspect.Type:
    """A type without its None."""
    if isinstance(kind, inspect.UnionType):
        return next(part for part in kind.types if not isinstance(part, inspect.NoneType))
    return kind
