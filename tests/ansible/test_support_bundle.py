"""A run that failed brings what helps to find the fault: no secrets, bounded time and size."""

import http.server
import json
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from tests.ansible.conftest import ROOT, load
from tests.ansible.test_playbooks import GROUPS, play

SECRET = "correct-horse-battery"
SCRIPT = ROOT / "script" / "support-bundle"


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    return load(ROOT / "callback_plugins" / "mesosphere_run.py", "mesosphere_run")


def failing_run(
    directory: Path, task: dict[str, Any], **environment: str
) -> tuple[str, list[Path]]:
    """What a run said whose task fails on a host, and the bundles that it brought."""
    local = {"ansible_connection": "local", "ansible_host": "127.0.0.1"}
    host = {"h1": {**local, "ansible_python_interpreter": sys.executable}}
    children = {group: {"hosts": {"h1": None}} for group in GROUPS}
    hosts = directory / "hosts.yml"
    hosts.write_text(yaml.safe_dump({"all": {"hosts": host, "children": children}}))
    playbook = directory / "run.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "h1", "gather_facts": False, "tasks": [task]}]))
    given = {
        "MESOSPHERE_SUPPORT_BUNDLE": "true",
        "MESOSPHERE_SUPPORT_BUNDLES": str(directory / "bundles"),
        "MESOSPHERE_RUN_RECORDS": "",
    }
    arguments = ["-i", str(hosts), str(playbook), "-e", "ansible_become=false"]
    done = play(*arguments, **{**given, **environment})
    assert done.returncode != 0
    return done.stdout, sorted((directory / "bundles").glob("*/*.tar.gz"))


def test_a_run_that_failed_brings_a_bundle_of_the_host(tmp_path: Path) -> None:
    said, found = failing_run(tmp_path, {"ansible.builtin.command": "false"})
    assert [path.name for path in found] == ["h1.tar.gz"], said
    assert f"support bundle: {found[0]}" in said
    assert (
        "for logs and states of every host: ansible-playbook playbooks/support_bundle.yml" in said
    )
    with tarfile.open(found[0]) as archive:
        assert {"./processes", "./ports", "./memory"} <= set(archive.getnames())
    assert not list(Path("/var/tmp").glob("mesosphere-support.*")), "it leaves nothing on the host"


def test_none_is_gathered_where_that_is_not_wanted(tmp_path: Path) -> None:
    fails = {"ansible.builtin.command": "false"}
    said, found = failing_run(tmp_path, fails, MESOSPHERE_SUPPORT_BUNDLE="false")
    assert found == [] and "for logs and states of every host:" in said


def test_a_refusal_before_anything_was_done_gathers_none(tmp_path: Path) -> None:
    role = {"name": "common", "tasks_from": "preflight"}
    variables = {"common_memory_minimum_mb": 10**9}
    task = {"ansible.builtin.include_role": role, "vars": variables}
    said, found = failing_run(tmp_path, task)
    assert found == [] and "MB of memory; its services need" in " ".join(said.split())


def test_gathering_ends_in_time(plugin: ModuleType, tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"202601{number + 10}T000000Z-1").mkdir()
    began = time.monotonic()
    directory = tmp_path / "20260201T000000Z-1"
    assert plugin.gather(["sleep", "60"], directory, 0.5) == []
    assert time.monotonic() - began < 10
    assert len(list(tmp_path.iterdir())) == plugin.BUNDLES_KEPT


def test_a_run_that_asked_for_a_password_is_not_repeated(plugin: ModuleType) -> None:
    given = {"become_ask_pass": True, "inventory": ("a",)}
    assert plugin.bundle_command(given, ["h1"], Path("/x")) is None
    given = {"inventory": ("a", "b"), "remote_user": "me", "extra_vars": ("x=1",)}
    words = plugin.bundle_command(given, ["h1", "h2"], Path("/x"))
    assert words[3:] == [
        "--limit", "h1,h2", "--inventory=a", "--inventory=b", "--extra-vars=x=1", "--user=me",
        "--extra-vars", "support_bundle_directory=/x",
    ]  # fmt: skip


@pytest.fixture
def daemon() -> Iterator[str]:
    """A Marathon that shows secrets at the port where one is expected; "" where that is taken."""
    shown = {
        "env": {"ANYTHING": SECRET},
        "queue": [{"name": "DB_PASSWORD", "value": SECRET}, {"name": "X", "value": "seen"}],
        "labels": {"API_KEY": SECRET, "uri": f"https://u:{SECRET}@h/x", "large": "y" * 5_000_000},
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(shown).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Silent."""

    # An address of the loopback that nobody else uses.
    with http.server.ThreadingHTTPServer(("127.88.0.1", 8080), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "127.88.0.1"
        server.shutdown()


def test_a_bundle_has_no_secret_and_a_bound(daemon: str, tmp_path: Path) -> None:
    given = ["bash", str(SCRIPT), "10", daemon, "100000"]
    done = subprocess.run(given, capture_output=True, text=True, timeout=200, check=True)
    archive = Path(done.stdout.splitlines()[-1])
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path)
    archive.unlink()
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert len(files) > 8 and all(path.stat().st_size <= 100_000 for path in files)
    assert not any(SECRET in path.read_text(errors="replace") for path in files)
    queue = (tmp_path / "http-8080-v2-queue.json").read_text()
    assert '"value": "seen"' in queue and '"env": "***"' in queue
