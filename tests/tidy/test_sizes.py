"""Files of at most 500 lines, functions of at most 70, lines of at most 100 columns."""

from tests.tidy.debts import LONG_FILES, LONG_FUNCTIONS
from tests.tidy.tree import ROOT, functions, python_files, tracked_files

FILE_LINES = 500
FUNCTION_LINES = 70
OURS = ("src", "library", "module_utils", "filter_plugins", "inventory_plugins", "tests")


def test_files_are_short_enough_to_read_whole() -> None:
    long = {
        str(path): count
        for path in python_files(*OURS)
        if (count := len((ROOT / path).read_text().splitlines())) > FILE_LINES
    }
    unlisted = {path: count for path, count in long.items() if path not in LONG_FILES}
    assert not unlisted, f"over {FILE_LINES} lines: {unlisted}"
    assert not set(LONG_FILES) - set(long), "listed as long, but short now: take it off the list"


def test_functions_are_short_enough_to_see_whole() -> None:
    long = {
        f"{found.path}:{found.name}": found.length
        for path in python_files(*OURS)
        for found in functions(path)
        if found.length > FUNCTION_LINES
    }
    unlisted = {name: count for name, count in long.items() if name not in LONG_FUNCTIONS}
    assert not unlisted, f"over {FUNCTION_LINES} lines: {unlisted}"
    assert not set(LONG_FUNCTIONS) - set(long), "listed as long, but short now"


def test_no_large_or_binary_file_is_committed() -> None:
    large = [str(path) for path in tracked_files() if (ROOT / path).stat().st_size > 512 * 1024]
    assert not large
