"""Makes module_utils importable as Ansible makes it: below ansible.module_utils."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


for utility in ("mesosphere_http", "marathon", "chronos"):
    load(ROOT / "module_utils" / f"{utility}.py", f"ansible.module_utils.{utility}")


@pytest.fixture(scope="session")
def load_module() -> Callable[[str], ModuleType]:
    return lambda name: load(ROOT / "library" / f"{name}.py", name)
