"""Reads `.proto` files (proto2) into tables: which field has which number and type.

It takes what our own files need: messages, enums, oneofs, maps, labels and options. Services,
extensions and groups are refused. Source: the language guide of proto2.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

SCALARS = frozenset({"double", "int32", "int64", "uint32", "uint64", "bool", "string", "bytes"})
"""Kinds of fields that the codec knows, beside messages and enums."""

_TOKEN = re.compile(r'\s+|//[^\n]*|(?P<token>"[^"]*"|-?[\w.]+|[{}=;<>,\[\]])')


class SchemaError(ValueError):
    """A file is not what this reader takes; the text names the file and what it stumbled over."""


@dataclass(frozen=True, slots=True)
class Field:
    """`kind` is a scalar's name or the full name of a message or enum. A map has `key`."""

    name: str
    number: int
    kind: str
    is_repeated: bool = False
    is_required: bool = False
    key: str | None = None


@dataclass(slots=True)
class Message:
    """A message by its full name ("mesos.v1.Offer.Operation")."""

    name: str
    fields: dict[str, Field] = field(default_factory=dict)


@dataclass(slots=True)
class Schema:
    """Everything that some files declare, by full name. Values of enums go by their names."""

    messages: dict[str, Message] = field(default_factory=dict)
    enums: dict[str, dict[str, int]] = field(default_factory=dict)


def read(files: Mapping[str, str]) -> Schema:
    """The schema of files (name -> text). Raises SchemaError."""
    schema = Schema()
    for name, text in files.items():
        _Parser(name, text, schema).read_file()
    for message in schema.messages.values():
        for found in message.fields.values():
            if found.kind not in SCALARS:
                kind = _resolve(schema, found.kind, message.name)
                message.fields[found.name] = Field(
                    found.name, found.number, kind, found.is_repeated, found.is_required, found.key
                )
    return schema


def _resolve(schema: Schema, name: str, scope: str) -> str:
    """The full name of a type as written inside a scope: the innermost that fits."""
    while True:
        full = f"{scope}.{name}" if scope else name
        if full in schema.messages or full in schema.enums:
            return full
        if not scope:
            raise SchemaError(f"{name} is not declared")
        scope = scope.rpartition(".")[0]


class _Parser:
    """Walks over the tokens of one file."""

    def __init__(self, file: str, text: str, schema: Schema) -> None:
        self._file = file
        self._tokens = self._split(text)
        self._schema = schema
        self._next = next(self._tokens, "")

    def _split(self, text: str) -> Iterator[str]:
        position = 0
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise SchemaError(f"{self._file}: unreadable: {text[position : position + 20]!r}")
            position = found.end()
            if found["token"]:
                yield found["token"]

    def _take(self, wanted: str = "") -> str:
        token = self._next
        if not token or (wanted and token != wanted):
            raise SchemaError(
                f"{self._file}: {wanted or 'more'} expected, not {token or 'the end'}"
            )
        self._next = next(self._tokens, "")
        return token

    def read_file(self) -> None:
        """Take every declaration of the file into the schema."""
        package = ""
        while self._next:
            word = self._take()
            if word == "message":
                self._read_message(package)
            elif word == "enum":
                self._read_enum(package)
            elif word == "package":
                package = self._take()
                self._take(";")
            elif word in ("syntax", "import", "option"):
                while self._take() != ";":
                    pass
            else:
                raise SchemaError(f"{self._file}: {word} is not known here")

    def _read_enum(self, scope: str) -> None:
        table = self._schema.enums[f"{scope}.{self._take()}"] = {}
        self._take("{")
        while self._next != "}":
            name = self._take()
            self._take("=")
            table[name] = int(self._take())
            self._skip_options()
        self._take("}")

    def _read_message(self, scope: str) -> None:
        name = f"{scope}.{self._take()}"
        message = self._schema.messages[name] = Message(name)
        self._take("{")
        while self._next != "}":
            if self._next == "message":
                self._take()
                self._read_message(name)
            elif self._next == "enum":
                self._take()
                self._read_enum(name)
            elif self._next == "oneof":
                self._take()
                self._take()
                self._take("{")
                while self._next != "}":
                    self._read_field(message, "optional")
                self._take("}")
            elif self._next == "map":
                self._read_map(message)
            else:
                self._read_field(message, self._take())
        self._take("}")

    def _read_field(self, message: Message, label: str) -> None:
        if label not in ("optional", "required", "repeated"):
            raise SchemaError(f"{self._file}: {label} is no label of a field of {message.name}")
        kind, name, number = self._take(), self._take(), self._read_number()
        message.fields[name] = Field(name, number, kind, label == "repeated", label == "required")

    def _read_map(self, message: Message) -> None:
        self._take("map")
        self._take("<")
        key = self._take()
        self._take(",")
        kind = self._take()
        self._take(">")
        name, number = self._take(), self._read_number()
        message.fields[name] = Field(name, number, kind, key=key)

    def _read_number(self) -> int:
        self._take("=")
        number = int(self._take())
        self._skip_options()
        return number

    def _skip_options(self) -> None:
        if self._next == "[":
            while self._take() != "]":
                pass
        self._take(";")
