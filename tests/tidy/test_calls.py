"""Calls and words that have no place in the code, with what to use instead."""

import ast
import re

from tests.tidy.tree import ROOT, parse, python_files, tracked_files

BANNED_CALLS = {
    "os.fork": "posix_spawn through the supervisor: a fork of a big process takes 100 ms",
    "os.system": "subprocess with an argument list",
    "eval": "a table",
    "exec": "a table",
    "print": "logs; only the command line prints",
}
PRINTERS = ("src/mesosphere/cli.py",)
LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_banned_calls_are_not_made() -> None:
    wrong = []
    for path in python_files("src", "library", "module_utils", "filter_plugins"):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Call) and (name := _name(node.func)) in BANNED_CALLS:
                if name == "print" and str(path) in PRINTERS:
                    continue
                wrong.append(f"{path}:{node.lineno} calls {name}; use {BANNED_CALLS[name]}")
    assert not wrong, "\n".join(wrong)


def test_no_exception_is_caught_blindly() -> None:
    wrong = []
    for path in python_files("src", "library", "module_utils", "filter_plugins"):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ExceptHandler):
                caught = _name(node.type) if node.type is not None else ""
                if caught in ("", "Exception", "BaseException") and not isinstance(
                    node.type, ast.Tuple
                ):
                    wrong.append(f"{path}:{node.lineno}")
    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_open_in_the_code() -> None:
    wrong = []
    for path in tracked_files():
        if path.suffix not in (".py", ".yml", ".j2", ".sh") and path.parts[0] != "script":
            continue
        if path == path.__class__("tests/tidy/test_calls.py"):
            continue
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            if LEFTOVERS.search(line):
                wrong.append(f"{path}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


def test_cores_never_iterate_a_set() -> None:
    """Only literal sets and set() calls in a `for` can be seen here; the simulation's digest under
    two values of PYTHONHASHSEED sees the rest."""
    wrong = []
    for path in python_files("src/mesosphere"):
        if "core" not in path.parts and path.parts[2] not in ("kernel", "framework"):
            continue
        for node in ast.walk(parse(path)):
            iterated = []
            if isinstance(node, ast.For):
                iterated = [node.iter]
            elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp):
                iterated = [generator.iter for generator in node.generators]
            for expression in iterated:
                is_call = isinstance(expression, ast.Call) and _name(expression.func) in (
                    "set",
                    "frozenset",
                )
                if is_call or isinstance(expression, ast.Set | ast.SetComp):
                    wrong.append(f"{path}:{node.lineno}")
    assert not wrong, "\n".join(wrong)
