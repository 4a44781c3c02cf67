"""Reads the repository for the tidy tests: files, imports, functions."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "mesosphere"


class Function(NamedTuple):
    """A function with its place and its length in lines, docstring not counted."""

    path: str
    name: str
    line: int
    length: int


@cache
def tracked_files() -> tuple[Path, ...]:
    """Files that git tracks or would track, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return tuple(Path(name) for name in sorted(set(listed)) if (ROOT / name).is_file())


def python_files(*folders: str) -> list[Path]:
    """Tracked Python files below the folders."""
    return [
        path
        for path in tracked_files()
        if path.suffix == ".py" and any(path.is_relative_to(folder) for folder in folders)
    ]


@cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a tracked file."""
    return ast.parse((ROOT / path).read_text(), filename=str(path))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Each imported module with its line; `from a import b` gives "a" and "a.b"."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            for name in node.names:
                yield f"{node.module}.{name.name}", node.lineno


def functions(path: Path) -> Iterator[Function]:
    """Every function of a file."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            start = (first.end_lineno or first.lineno) if documented else node.lineno
            yield Function(str(path), node.name, node.lineno, (node.end_lineno or 0) - start)
