"""The decisions of the module supervisor_program."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).resolve().parents[2] / "library" / "supervisor_program.py"


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("supervisor_program", PATH)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize(
    ("output", "state"),
    [
        ("chronos   RUNNING   pid 12, uptime 0:00:11", "RUNNING"),
        ("chronos   FATAL     Exited too quickly", "FATAL"),
        ("chronos: ERROR (no such process)", ""),
        ("", ""),
    ],
)
def test_the_state_is_read_from_the_status(module: ModuleType, output: str, state: str) -> None:
    assert module.state_of(output) == state


@pytest.mark.parametrize(
    ("before", "wanted", "taken_up", "command"),
    [
        ("RUNNING", "started", False, None),
        ("STOPPED", "started", False, "start"),
        ("FATAL", "started", False, "start"),
        ("STARTING", "started", True, None),
        ("RUNNING", "restarted", False, "restart"),
        ("STOPPED", "restarted", False, "start"),
        ("STARTING", "restarted", True, None),
        ("", "absent", False, None),
    ],
)
def test_what_is_left_to_do_after_an_update(
    module: ModuleType, before: str, wanted: str, taken_up: bool, command: str | None
) -> None:
    assert module.decide(before, wanted, taken_up) == command
