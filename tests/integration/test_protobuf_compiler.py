"""Our bytes and Google's are the same: messages cross-read with what protoc makes of our files."""

from typing import Any

import pytest
from google.protobuf import descriptor_pool, message_factory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.google_protobuf import compile_messages, read_pool
from tests.unit.wire.messages import messages

from mesosphere.wire.mesos import protobuf


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> descriptor_pool.DescriptorPool:
    """Every message of our files, by Google's compiler and runtime."""
    compiled = tmp_path_factory.mktemp("proto") / "all.pb"
    compile_messages(compiled)
    return read_pool(compiled)


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
