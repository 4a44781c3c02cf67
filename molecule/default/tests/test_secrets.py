"""Runs as talkative as Ansible can be show none of the secrets that they were given."""

import json
import subprocess
import sys
from pathlib import Path

from tests.lab.cluster import INVENTORY, ROOT, surroundings

MARK = "correct-horse-battery"
GIVEN = {
    "mesosphere_username": "operator",
    "mesosphere_password": f"{MARK}-operator",
    "zookeeper_super_password": f"{MARK}-super",
    "marathon_environment": {"MARATHON_HTTP_CREDENTIALS": f"operator:{MARK}-marathon"},
    "chronos_environment": {"CHRONOS_HTTP_CREDENTIALS": f"operator:{MARK}-chronos"},
}


def run(directory: Path, *arguments: str) -> str:
    """What a run says with -vvv --diff that was given the secrets in a file."""
    secrets = directory / "secrets.json"
    secrets.write_text(json.dumps(GIVEN))
    ansible = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [str(ansible), "-i", str(INVENTORY), "-vvv", "--diff", "-e", f"@{secrets}", *arguments],
        cwd=ROOT,
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


def test_services_change_without_a_secret_on_the_screen(tmp_path: Path) -> None:
    said = run(tmp_path, "playbooks/zookeeper.yml", "--check", "--limit", "host1")
    said += run(tmp_path, "playbooks/frameworks.yml", "--check", "--limit", "host1")
    assert "changed: [host1]" in said and "marathon.env" in said
    assert MARK not in said and "superDigest" not in said


def test_an_app_is_deployed_without_its_secret_on_the_screen(tmp_path: Path) -> None:
    app = {"id": "/secretive", "cmd": "sleep 1000", "cpus": 0.01, "mem": 16, "instances": 0}
    definition = tmp_path / "app.json"
    definition.write_text(
        json.dumps(app | {"env": {"DB_PASSWORD": f"{MARK}-app", "PLAIN": "seen"}})
    )
    said = run(tmp_path, "playbooks/deploy_app.yml", "-e", f"app={definition}")
    assert "changed: [localhost]" in said and "seen" in said
    assert MARK not in said
