"""Enumerations: which states end a task, which names the wire knows."""

import re
from typing import get_args

import msgspec
import pytest

from mesosphere.wire.mesos import (
    container_enums,
    enums,
    executor,
    frees_resources,
    is_terminal,
    is_terminal_operation,
    link,
    operator,
    scheduler,
)


def test_terminal_states_are_those_of_mesos() -> None:
    alive = {state for state in enums.TASK_STATES if not is_terminal(state)}
    assert alive == {
        "TASK_STAGING",
        "TASK_STARTING",
        "TASK_RUNNING",
        "TASK_KILLING",
        "TASK_UNREACHABLE",
        "TASK_UNKNOWN",
    }
    assert set(enums.TASK_STATES) >= enums.TERMINAL_STATES
    assert set(enums.OPERATION_STATE) >= enums.TERMINAL_OPERATION_STATES


def test_unreachable_task_frees_its_resources_without_having_ended() -> None:
    assert frees_resources("TASK_UNREACHABLE") and not is_terminal("TASK_UNREACHABLE")
    assert frees_resources("TASK_FINISHED")
    assert not frees_resources("TASK_RUNNING")


def test_operation_ends() -> None:
    assert is_terminal_operation("OPERATION_FINISHED")
    assert not is_terminal_operation("OPERATION_UNREACHABLE")


@pytest.mark.parametrize("module", [enums, container_enums], ids=["enums", "container_enums"])
def test_every_table_has_distinct_numbers_and_a_type(module: object) -> None:
    tables = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, dict) and name.isupper()
    }
    types = {frozenset(get_args(value)) for name, value in vars(module).items() if get_args(value)}
    assert tables
    for name, table in tables.items():
        assert len(set(table.values())) == len(table), name
        assert frozenset(table) in types, name


@pytest.mark.parametrize(
    ("message", "bare"),
    [
        (scheduler.Call, {"UNKNOWN", "TEARDOWN"}),
        (scheduler.Event, {"UNKNOWN", "HEARTBEAT"}),
        (executor.Call, {"UNKNOWN", "HEARTBEAT"}),
        (executor.Event, {"UNKNOWN", "HEARTBEAT", "SHUTDOWN"}),
        (link.Call, {"PONG"}),
        (link.Event, set()),
    ],
)
def test_every_type_has_a_body_field_but_the_bare_ones(
    message: type[msgspec.Struct], bare: set[str]
) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(message)}
    types = get_args(fields["type"].type)
    assert {name for name in types if name.lower() not in fields} == bare


def test_operator_calls_that_change_something_have_a_body() -> None:
    fields = {field.name for field in msgspec.structs.fields(operator.Call)}
    for name in enums.OPERATOR_CALL_TYPE:
        if not re.match("GET_|UNKNOWN|SUBSCRIBE", name):
            assert name.lower() in fields, name
