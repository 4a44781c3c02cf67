"""docs/compatibility/mesos.md names every call, event and route of the code with tests that exist.

The tests of a row must speak of what the row is about: a call by its name, a route by its path.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mesosphere.master.api import ROUTES
from mesosphere.master.api.operator import CALLS
from mesosphere.wire.mesos.answers import EVENT_TYPE
from mesosphere.wire.mesos.enums import (
    OPERATOR_CALL_TYPE,
    SCHEDULER_CALL_TYPE,
    SCHEDULER_EVENT_TYPE,
)
from tests.tidy.tree import ROOT

GUIDE = ROOT / "docs/compatibility/mesos.md"
HOMES = {".yaml": ROOT / "tests/api/mesos", ".py": ROOT / "tests/scenarios/master"}
"""Where the files are that a row names without a path."""


def rows(
    section: str, column: str, guide: Path = GUIDE, find: Callable[[str], Path] | None = None
) -> dict[str, list[Path]]:
    """Name -> test files, of the tables of a section whose first column has this heading."""
    text = guide.read_text().split(f"\n## {section}", 1)[1].split("\n## ", 1)[0]
    found: dict[str, list[Path]] = {}
    tests: list[Path] = []
    for table in re.findall(rf"^\| {column} \|.*\n\|[ |-]+\n((?:\|.*\n)+)", text, re.MULTILINE):
        for line in table.splitlines():
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            assert len(cells) == 3, f"not three cells: {line}"
            above = tests if cells[2].startswith("same") else []
            names = re.findall(r"`([^`]+)`", cells[2])
            tests = [*above, *map(find or _file, names)]
            for name in cells[0].split(", "):
                assert name not in found, f"{name} has two rows"
                found[name.strip("`")] = tests
    return found


def _file(name: str) -> Path:
    return ROOT / name if "/" in name else HOMES[Path(name).suffix] / name


TABLES = [
    ("Scheduler API", "call", set(SCHEDULER_CALL_TYPE) - {"UNKNOWN"}),
    ("Scheduler API", "event", set(SCHEDULER_EVENT_TYPE) - {"UNKNOWN"}),
    ("Operator API", "call", set(OPERATOR_CALL_TYPE) - {"UNKNOWN"}),
    ("Operator API", "event", set(EVENT_TYPE) - {"UNKNOWN"}),
    ("Endpoints", "route", {f"{route.method} {route.pattern}" for route in ROUTES}),
]


@pytest.mark.parametrize(("section", "column", "known"), TABLES)
def test_every_call_event_and_route_has_its_row(section: str, column: str, known: set[str]) -> None:
    assert set(rows(section, column)) == known


@pytest.mark.parametrize(("section", "column", "known"), TABLES)
def test_every_row_names_tests_that_speak_of_it(section: str, column: str, known: set[str]) -> None:
    for name, files in rows(section, column).items():
        assert files, f"{name} has no test"
        absent = [str(file) for file in files if not file.is_file()]
        assert not absent, f"{name}: {absent}"
        path = name.partition(" ")[2].partition("/{")[0]
        wanted = path.removeprefix("/files") if column == "route" else name
        assert any(wanted in file.read_text() for file in files), f"{name} is not in {files}"


def test_every_call_of_the_operator_api_is_carried_out() -> None:
    assert set(CALLS) == set(OPERATOR_CALL_TYPE) - {"UNKNOWN"}
