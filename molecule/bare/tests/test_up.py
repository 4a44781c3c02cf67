"""script/up on a fresh machine: the page, an unchanged second run, script/down."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def on_host(command: str) -> str:
    done = subprocess.run(
        ["script/lab", "ssh", "bare", f"cd /srv/mesosphere && {command}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_the_page_of_the_readme_is_there() -> None:
    assert "Hello from Mesosphere" in on_host("curl -sf http://127.0.0.1:10000/")
    named = on_host("curl -sf -H 'Host: hello.localhost' http://127.0.0.1/")
    assert "Hello from Mesosphere" in named


def test_only_the_agent_runs_as_root() -> None:
    for name, user in (
        ("zookeeper", "zookeeper"),
        ("mesos-master", "mesos-master"),
        ("marathon", "marathon"),
        ("chronos", "chronos"),
        ("mesosphere-haproxy", "haproxy"),
        ("mesos-agent", "root"),
    ):
        pid = on_host(f"supervisorctl pid {name}").strip()
        users = set(on_host(f"ps -o user:32= -p {pid} --ppid {pid}").split())
        assert users == {user}, name
    assert set(on_host("stat -c %a /etc/supervisor/conf.d/*.conf").split()) == {"600"}
    # Of root's capabilities HAProxy has the one for ports below 1024.
    shown = on_host("cat /proc/$(pgrep -o -u haproxy haproxy)/status")
    assert {
        line.split()[1] for line in shown.splitlines() if line.startswith(("CapEff", "CapBnd"))
    } == {f"{1 << 10:016x}"}


def test_a_second_run_changes_nothing_and_ends_with_the_table() -> None:
    output = on_host("script/up")
    assert set(re.findall(r"changed=(\d+)", output)) == {"0"}
    for line in ("zookeeper", "master", "agent", "marathon", "chronos", "haproxy", "sample app"):
        assert re.search(rf"^{line} .* ok", output, re.MULTILINE), line


def test_down_takes_everything_away() -> None:
    on_host("script/down --purge")
    assert on_host("pgrep -fc '[h]ello/app.py' || true").strip() == "0"
    assert on_host("ps -C haproxy -o stat= | grep -v Z || true") == ""
    assert on_host("ls /opt/mesosphere /var/lib/mesosphere 2>/dev/null | wc -l").strip() == "0"
