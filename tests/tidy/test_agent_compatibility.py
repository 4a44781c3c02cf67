"""docs/compatibility/mesos-agent.md names all that the agent speaks, with tests that exist.

The lists of the original's are in the wire's enumerations; of variables, which no enumeration
knows, here.
"""

import re
from pathlib import Path

import pytest

from mesosphere.agent.api import ROUTES
from mesosphere.wire.mesos.agent_operator import AGENT_CALL_TYPE
from mesosphere.wire.mesos.enums import EXECUTOR_CALL_TYPE, EXECUTOR_EVENT_TYPE, REASON
from tests.tidy.test_compatibility import rows
from tests.tidy.tree import ROOT, python_files

GUIDE = ROOT / "docs/compatibility/mesos-agent.md"
HOMES = [
    ROOT / "tests" / each
    for each in ("api/mesos_agent", "scenarios/agent", "integration", "unit/agent")
]
VARIABLES = {
    "MESOS_FRAMEWORK_ID", "MESOS_EXECUTOR_ID", "MESOS_DIRECTORY", "MESOS_SANDBOX",
    "MESOS_SLAVE_ID", "MESOS_SLAVE_PID", "MESOS_AGENT_ENDPOINT", "MESOS_CHECKPOINT",
    "MESOS_HTTP_COMMAND_EXECUTOR", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "LIBPROCESS_PORT",
    "LIBPROCESS_IP", "MESOS_RECOVERY_TIMEOUT", "MESOS_SUBSCRIPTION_BACKOFF_MAX",
    "MESOS_ALLOCATION_ROLE", "MESOS_CONTAINER_IP", "PATH", "MESOS_CONTAINER_ID",
}  # fmt: skip
"""What the original gives to executors and tasks (the last is ours)."""
UNSET = {
    "MESOS_NATIVE_LIBRARY", "MESOS_NATIVE_JAVA_LIBRARY", "MESOS_EXECUTOR_AUTHENTICATION_TOKEN",
    "MESOS_DOMAIN_SOCKET",
}  # fmt: skip
"""What the original gives to them besides, where it has what they name."""


def find(name: str) -> Path:
    """A test file of the guide: by its path, or by its name alone."""
    if "/" in name:
        return ROOT / name
    return next((home / name for home in HOMES if (home / name).is_file()), HOMES[0] / name)


def table(sections: tuple[str, ...], column: str) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for section in sections:
        found.update(rows(section, column, GUIDE, find))
    return found


def known(names: object) -> set[str]:
    return set(names) - {"UNKNOWN"}  # type: ignore[call-overload, no-any-return]


TOLD_REASONS = {
    name
    for name in (each.removeprefix("REASON_") for each in REASON)
    if any(
        re.search(rf"REASON_{name}\b", (ROOT / path).read_text())
        for path in python_files("src/mesosphere/agent", "src/mesosphere/master")
    )
} - {"CONTAINER_LIMITATION"}  # the beginning of two others, in the code too
TABLES = [
    (("Endpoints",), "route", {f"{route.method} {route.pattern}" for route in ROUTES}),
    (("Operator API", "Containers of operators"), "call", known(AGENT_CALL_TYPE)),
    (("Executors",), "call", known(EXECUTOR_CALL_TYPE)),
    (("Executors",), "event", known(EXECUTOR_EVENT_TYPE)),
    (("Environment",), "variable", VARIABLES),
    (("Reasons",), "reason", TOLD_REASONS),
]


@pytest.mark.parametrize(("sections", "column", "wanted"), TABLES)
def test_everything_of_the_agent_has_its_row(
    sections: tuple[str, ...], column: str, wanted: set[str]
) -> None:
    assert set(table(sections, column)) == wanted


@pytest.mark.parametrize(("sections", "column", "wanted"), TABLES)
def test_every_row_of_the_agent_names_tests_that_speak_of_it(
    sections: tuple[str, ...], column: str, wanted: set[str]
) -> None:
    for name, files in table(sections, column).items():
        assert files, f"{name} has no test"
        absent = [str(file) for file in files if not file.is_file()]
        assert not absent, f"{name}: {absent}"
        word = name.partition(" ")[2] if column == "route" else name
        spoken = re.compile(rf"{re.escape(word)}\b")
        assert any(spoken.search(file.read_text()) for file in files), f"{name} is not in {files}"


def test_a_reason_is_told_or_said_to_be_never_told() -> None:
    never = GUIDE.read_text().split("\nNever told here: ", 1)[1].split("\n\n", 1)[0]
    listed = set(re.findall(r"[A-Z]+(?:_[A-Z]+)+", never))
    assert {f"REASON_{name}" for name in listed | TOLD_REASONS} == set(REASON)
    assert not listed & TOLD_REASONS


def test_the_variables_of_the_code_are_those_of_the_guide() -> None:
    core = "\n".join(
        (ROOT / f"src/mesosphere/agent/core/{name}.py").read_text()
        for name in ("requests", "extra_requests", "addresses", "surroundings", "executors")
    )
    assert set(re.findall(r"\b((?:MESOS|LIBPROCESS)_[A-Z_]+)\b", core)) | {"PATH"} == VARIABLES
    guide = GUIDE.read_text()
    assert all(f"`{name}`" in guide for name in UNSET)
