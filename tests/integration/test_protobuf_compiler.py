"""Our bytes and Google's are the same: messages cross-read with what protoc makes of our files."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.wire.messages import messages

from mesosphere.wire.mesos import protobuf

FOLDER = Path(protobuf.__file__).parents[1] / "proto"


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> descriptor_pool.DescriptorPool:
    """Every message of our files, by Google's compiler and runtime."""
    out = tmp_path_factory.mktemp("proto") / "all.pb"
    names = [str(path.relative_to(FOLDER)) for path in sorted(FOLDER.rglob("*.proto"))]
    code = protoc.main(["protoc", f"-I{FOLDER}", f"--descriptor_set_out={out}", *names])
    assert code == 0
    files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    found = descriptor_pool.DescriptorPool()
    waiting = {file.name: file for file in files}
    while waiting:
        ready = [file for file in waiting.values() if not waiting.keys() & set(file.dependency)]
        assert ready, "the files import each other in a circle"
        for file in ready:
            found.Add(file)
            del waiting[file.name]
    return found


@pytest.mark.parametrize("kind", list(protobuf.MESSAGES), ids=list(protobuf.MESSAGES.values()))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_google_reads_what_we_write_and_we_what_it_writes(
    pool: descriptor_pool.DescriptorPool, kind: type[Any], data: st.DataObject
) -> None:
    message = data.draw(messages(kind))
    descriptor = pool.FindMessageTypeByName(protobuf.MESSAGES[kind])
    theirs = message_factory.GetMessageClass(descriptor)()
    theirs.ParseFromString(protobuf.encode(message))
    assert theirs.IsInitialized()
    _hold_no_unknown(theirs)
    assert protobuf.decode(theirs.SerializeToString(), kind) == message


def _hold_no_unknown(message: Any) -> None:
    """Every byte went into a field that the file declares."""
    from google.protobuf.unknown_fields import UnknownFieldSet

    assert len(UnknownFieldSet(message)) == 0
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for part in value if field.is_repeated else [value]:
            _hold_no_unknown(part)
