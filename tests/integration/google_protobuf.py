"""The v1 messages by Google's compiler and runtime, and a client that speaks nothing else.

What a framework written against the original's `.proto` files sends and reads, with none of our
code in between.
"""

import functools
import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from mesosphere.wire import mesos

FOLDER = Path(mesos.__file__).parents[1] / "proto"
MEDIA = "application/x-protobuf"
DEADLINE_S = 90.0


def compile_messages(out: Path) -> None:
    """Write what our files declare, as protoc describes it."""
    from grpc_tools import protoc

    names = [str(path.relative_to(FOLDER)) for path in sorted(FOLDER.rglob("*.proto"))]
    assert protoc.main(["protoc", f"-I{FOLDER}", f"--descriptor_set_out={out}", *names]) == 0


@functools.cache
def read_pool(compiled: Path) -> descriptor_pool.DescriptorPool:
    """The messages of a compiled set; those of one pool can be compared."""
    files = descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes()).file
    found = descriptor_pool.DescriptorPool()
    waiting = {file.name: file for file in files}
    while waiting:
        ready = [file for file in waiting.values() if not waiting.keys() & set(file.dependency)]
        assert ready, "the files import each other in a circle"
        for file in ready:
            found.Add(file)
            del waiting[file.name]
    return found


class Stream:
    """The events of a SUBSCRIBE."""

    def __init__(self, answer: http.client.HTTPResponse, kind: Any) -> None:
        assert answer.status == 200, answer.read()
        assert answer.headers["Content-Type"] == MEDIA
        self.id = answer.headers["Mesos-Stream-Id"]
        self._answer = answer
        self._kind = kind
        self._passed: list[Any] = []  # events that `next` went by

    def __iter__(self) -> Iterator[Any]:
        """Events in order, until the stream ends."""
        while self._passed:
            yield self._passed.pop(0)
        while line := self._answer.readline():
            yield self._kind.FromString(self._answer.read(int(line)))

    def next(self, name: str) -> Any:
        """The next event of a type; others wait."""
        passed: list[Any] = []
        for event in self:
            if name_of(event) == name:
                self._passed = passed + self._passed
                return event
            passed.append(event)
        raise AssertionError(f"the stream ended before {name}")


class Peer:
    """Calls of one API. `package` is the API's, as `mesos.v1.scheduler`."""

    def __init__(self, compiled: Path, package: str, port: int, path: str = "/api/v1") -> None:
        self._pool = read_pool(compiled)
        self._package = package
        self._port = port
        self._path = path
        self._headers = {"Content-Type": MEDIA, "Accept": MEDIA}

    def message(self, name: str, **fields: Any) -> Any:
        """A message of the API's package, or with a full name any other."""
        full = name if "." in name else f"{self._package}.{name}"
        kind = message_factory.GetMessageClass(self._pool.FindMessageTypeByName(full))
        return kind(**fields)

    def post(self, call: Any, **headers: str) -> http.client.HTTPResponse:
        """A call on a connection of its own; bytes are sent as they are."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE_S)
        body = call if isinstance(call, bytes) else call.SerializeToString()
        connection.request("POST", self._path, body, {**self._headers, **headers})
        return connection.getresponse()

    def tell(self, call: Any) -> None:
        """A call that is accepted without an answer."""
        answer = self.post(call)
        assert (answer.status, answer.read()) == (202, b"")

    def ask(self, kind: str, **fields: Any) -> Any:
        """A call of the operator API with its Response."""
        answer = self.post(self.message("Call", type=kind, **fields))
        data = answer.read()
        assert answer.status == 200 and answer.headers["Content-Type"] == MEDIA, data
        response = self.message("Response").FromString(data)
        assert name_of(response) == kind
        return response

    def subscribe(self, call: Any) -> Stream:
        """Follow; later calls belong to the stream."""
        stream = Stream(self.post(call), type(self.message("Event")))
        if stream.id:
            self._headers["Mesos-Stream-Id"] = stream.id
        return stream


def name_of(message: Any) -> str:
    """What a message's type is called."""
    names = message.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number
    return str(names[message.type].name)
