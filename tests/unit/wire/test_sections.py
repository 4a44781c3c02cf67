"""Messages in slices say what whole messages say, in both encodings."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesosphere.wire import mesos
from mesosphere.wire.mesos import answers, sections
from mesosphere.wire.mesos.media import Media
from mesosphere.wire.mesos.sections import Section
from tests.unit.wire.messages import messages


def _cut(members: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(members), size):
        yield members[start : start + size]


def _section(message: Any, size: int) -> Section:
    """A message as a section of sections."""
    fields: dict[str, Any] = {}
    for name in message.__struct_fields__:
        value = getattr(message, name)
        if isinstance(value, list):
            fields[name] = _cut(value, size)
        elif name.startswith("get_") and value is not None:
            fields[name] = _section(value, size)
        elif value is not None:
            fields[name] = value
    return Section(type(message), fields)


@pytest.mark.parametrize("media", Media)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(state=messages(answers.GetState), size=st.integers(1, 3))
def test_a_message_in_slices_is_the_message(
    media: Media, state: answers.GetState, size: int
) -> None:
    whole = answers.response("GET_STATE", state)
    slices = list(sections.encode(_section(whole, size), media))
    assert media.decode(b"".join(slices), answers.Response) == whole
    assert b"".join(slices) == media.encode(whole)


@pytest.mark.parametrize("media", Media)
def test_a_large_list_has_many_slices(media: Media) -> None:
    agents = [mesos.AgentInfo(hostname=f"agent{number}") for number in range(10)]
    found = answers.response("GET_AGENTS", answers.GetAgents(recovered_agents=agents))
    assert len(list(sections.encode(_section(found, 2), media))) >= 5


@pytest.mark.parametrize("media", Media)
def test_what_is_empty_is_there_all_the_same(media: Media) -> None:
    found = answers.response("GET_TASKS", answers.GetTasks())
    assert b"".join(sections.encode(_section(found, 2), media)) == media.encode(found)
