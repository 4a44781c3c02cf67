"""Makes module_utils importable as Ansible makes it, runs modules, and starts what they ask."""

import contextlib
import getpass
import importlib.util
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils import basic
from tests.integration.marathon_stack import Stack, free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., dict[str, Any]]
UTILITIES = (
    "mesosphere_http",
    "hidden",
    "mesos",
    "mesos_resources",
    "mesos_reservations",
    "zookeeper",
    "zookeeper_client",
    "cluster",
    "marathon",
    "chronos",
)
"""In the order of their imports."""


@contextlib.contextmanager
def module_arguments(given: dict[str, Any]) -> Iterator[None]:
    """What a module is given while this lasts; ansible-core 2.18 has no helper for it yet."""
    try:
        from ansible.module_utils.testing import patch_module_args
    except ImportError:
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode()
        try:
            yield
        finally:
            basic._ANSIBLE_ARGS = None
        return
    with patch_module_args(given):
        yield


def load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


for utility in UTILITIES:
    # Once only: this file is loaded as a module of the tests too.
    if f"ansible.module_utils.{utility}" not in sys.modules:
        load(ROOT / "module_utils" / f"{utility}.py", f"ansible.module_utils.{utility}")


@pytest.fixture(scope="session")
def load_module() -> Callable[[str], ModuleType]:
    return lambda name: load(ROOT / "library" / f"{name}.py", name)


@pytest.fixture(scope="session")
def run_module(load_module: Callable[[str], ModuleType]) -> Run:
    """`run_module("marathon_app", check=False, id=...)`: its result, as Ansible gets it."""

    def run(name: str, /, check: bool = False, **arguments: Any) -> dict[str, Any]:
        module = load_module(name)
        printed = io.StringIO()
        given = {**arguments, "_ansible_check_mode": check}
        with (
            module_arguments(given),
            contextlib.redirect_stdout(printed),
            contextlib.suppress(SystemExit),
        ):
            module.main()
        result: dict[str, Any] = json.loads(printed.getvalue())
        print(name, arguments, result)  # pytest shows it when the test fails
        return result

    return run


class Cluster(Stack):
    """The stack with Chronos: the real ones, as processes."""

    def start_chronos(self) -> None:
        port = self.ports.setdefault("chronos", free_port())
        self.start(
            "chronos",
            "chronos",
            f"--master={self.master}",
            f"--http_port={port}",
            "--http_address=127.0.0.1",
            "--hostname=127.0.0.1",
            f"--user={getpass.getuser()}",
            f"--state_dir={self.directory / 'chronos'}",
        )

        def led() -> bool:
            log = self.directory / "chronos.log"
            assert self.processes["chronos"].poll() is None, log.read_text()[-2000:]
            return bool(self.ask("GET", "/v1/scheduler/jobs", name="chronos") == [])

        wait_for(led, "Chronos")

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def close(self) -> None:
        self.ports.pop("chronos", None)  # only Marathon can be asked to end its tasks
        super().close()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        running.start_mesos()
        running.start_marathon()
        running.start_chronos()
        wait_for(lambda: running.ask("GET", "/v2/info")["frameworkId"], "Marathon")
        yield running
    finally:
        running.close()
