"""The fetcher on real files: what comes in, and what must never get out of the sandbox."""

import bz2
import contextlib
import gzip
import hashlib
import http.server
import io
import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from mesosphere.agent import fetcher
from mesosphere.agent.archives import FetchError, target_in
from mesosphere.agent.fetch_cache import used_bytes
from mesosphere.agent.fetcher import base_name


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    path = tmp_path / "sandbox"
    path.mkdir()
    return path


def run(sandbox: Path, *uris: dict[str, Any], **more: Any) -> None:
    fetcher.run({"sandbox": str(sandbox), "uris": list(uris), **more})


def make_tar(path: Path, mode: str, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("http://host/a/b.tgz?token=1/2", "b.tgz"),
        ("file:///tmp/a%20b", "a b"),
        ("/tmp/x.zip", "x.zip"),
        ("http://host/dir/", "dir"),
        ("http://host", ""),
    ],
)
def test_the_name_is_the_last_part_of_the_path(uri: str, name: str) -> None:
    assert base_name(uri) == name


def test_a_local_file_is_copied_and_marked_executable(tmp_path: Path, sandbox: Path) -> None:
    (tmp_path / "tool.tar").write_bytes(b"not an archive, a program")
    run(sandbox, {"value": str(tmp_path / "tool.tar"), "executable": True})
    assert os.access(sandbox / "tool.tar", os.X_OK)


@pytest.mark.parametrize("suffix", [".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz"])
def test_tar_archives_are_extracted_and_kept(tmp_path: Path, sandbox: Path, suffix: str) -> None:
    kind = {"z": "gz", "2": "bz2"}.get(suffix[-1], "") if suffix != ".txz" else "xz"
    file = member("app/run.sh")
    file.mode = 0o4755
    archive = make_tar(tmp_path / f"app{suffix}", f"w:{kind}", (file, b"echo hi"))
    run(sandbox, {"value": f"file://{archive}"})
    assert (sandbox / "app/run.sh").read_bytes() == b"echo hi"
    assert (sandbox / "app/run.sh").stat().st_mode & 0o7777 == 0o755
    assert (sandbox / f"app{suffix}").exists()


def test_zip_and_gz_are_extracted(tmp_path: Path, sandbox: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("d/x", b"in zip")
    (tmp_path / "notes.gz").write_bytes(gzip.compress(b"in gz"))
    run(sandbox, {"value": str(tmp_path / "a.zip")}, {"value": str(tmp_path / "notes.gz")})
    assert (sandbox / "d/x").read_bytes() == b"in zip"
    assert (sandbox / "notes").read_bytes() == b"in gz"


def test_extract_false_leaves_the_archive_alone(tmp_path: Path, sandbox: Path) -> None:
    archive = make_tar(tmp_path / "a.tar", "w", (member("x"), b"x"))
    run(sandbox, {"value": str(archive), "extract": False})
    assert [path.name for path in sandbox.iterdir()] == ["a.tar"]


def test_output_file_may_lie_in_a_new_directory(tmp_path: Path, sandbox: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    run(sandbox, {"value": str(tmp_path / "x"), "output_file": "conf/deep/y"})
    assert (sandbox / "conf/deep/y").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/../out", "a/b/../../../out"])
def test_names_that_lead_out_are_refused(tmp_path: Path, sandbox: Path, name: str) -> None:
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(FetchError, match="sandbox"):
        run(sandbox, {"value": str(tmp_path / "x"), "output_file": name})
    archive = make_tar(tmp_path / "evil.tar", "w", (member(name), b"evil"))
    with pytest.raises(FetchError, match="out of the sandbox"):
        run(sandbox, {"value": str(archive)})
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as packed:
        packed.writestr(name, b"evil")
    with pytest.raises(FetchError, match="out of the sandbox"):
        run(sandbox, {"value": str(tmp_path / "evil.zip")})
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_through_a_link(tmp_path: Path, sandbox: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("precious")
    archive = make_tar(
        tmp_path / "a.tar", "w",
        (member("door", tarfile.SYMTYPE, str(outside)), b""), (member("door/new"), b"evil"),
    )  # fmt: skip
    with pytest.raises(FetchError, match="through a link"):
        run(sandbox, {"value": str(archive)})
    archive = make_tar(
        tmp_path / "b.tar", "w",
        (member("f", tarfile.SYMTYPE, str(outside / "file")), b""), (member("f"), b"evil"),
    )  # fmt: skip
    run(sandbox, {"value": str(archive)})
    assert (sandbox / "f").read_bytes() == b"evil"
    assert (outside / "file").read_text() == "precious"
    assert list(outside.iterdir()) == [outside / "file"]


def test_hard_links_and_devices_out_of_the_sandbox_are_refused(
    tmp_path: Path, sandbox: Path
) -> None:
    for bad in (member("p", tarfile.LNKTYPE, "../secret"), member("null", tarfile.CHRTYPE)):
        (tmp_path / "secret").write_text("s")
        archive = make_tar(tmp_path / "a.tar", "w", (bad, b""))
        with pytest.raises(FetchError, match=r"sandbox|device"):
            run(sandbox, {"value": str(archive)})


@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz", "tar.bz2", "zip", "gz"])
def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path, sandbox: Path, suffix: str) -> None:
    zeros = bytes(4_000_000)
    path = tmp_path / f"bomb.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("zeros", zeros)
    elif suffix == "gz":
        path.write_bytes(gzip.compress(zeros))
    else:
        make_tar(path, f"w:{suffix[4:]}", (member("zeros"), zeros))
    with pytest.raises(FetchError, match="more than 1000000 bytes"):
        run(sandbox, {"value": str(path)}, limit_bytes=1_000_000)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz", "a.zip", "a.gz"])
def test_a_damaged_archive_is_a_clear_fault(tmp_path: Path, sandbox: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"this is no archive at all")
    with pytest.raises(FetchError, match=f"{name}'"):
        run(sandbox, {"value": str(tmp_path / name)})


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(position=some.integers(0, 2000), byte=some.integers(0, 255), cut=some.integers(1, 4000))
def test_any_damage_is_a_clear_fault_or_no_fault(
    tmp_path: Path, position: int, byte: int, cut: int
) -> None:
    for name, pack in (("a.tar.gz", gzip.compress), ("a.tar.bz2", bz2.compress),
                       ("a.tar.xz", lzma.compress), ("a.tar", bytes)):  # fmt: skip
        sandbox = tmp_path / "fuzz"
        sandbox.mkdir(exist_ok=True)
        plain = make_tar(tmp_path / "plain", "w", (member("x"), b"abc" * 500)).read_bytes()
        data = bytearray(pack(plain))
        data[position % len(data)] = byte
        (tmp_path / name).write_bytes(bytes(data[:cut]) if cut < len(data) else bytes(data))
        try:
            run(sandbox, {"value": str(tmp_path / name)})
        except FetchError as error:
            assert name in str(error)


def test_unknown_schemes_and_missing_files_name_the_uri(sandbox: Path) -> None:
    with pytest.raises(FetchError, match=r"hdfs://x/y.*scheme 'hdfs' is not supported"):
        run(sandbox, {"value": "hdfs://x/y"})
    with pytest.raises(FetchError, match="/no/such': No such file"):
        run(sandbox, {"value": "/no/such"})
    with pytest.raises(FetchError, match="frameworks_home"):
        run(sandbox, {"value": "relative/path"})


class _Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/found"):
            self.send_response(302)
            self.send_header("Location", "/ok.txt")
            self.end_headers()
        elif self.path.startswith("/ok"):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
        elif self.path.startswith("/short"):
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"short")
        else:
            self.send_error(404, "Nothing Here")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_address[1]}"
    serving.shutdown()
    serving.server_close()
    thread.join()


def test_http_follows_redirects_and_tells_faults(sandbox: Path, server: str) -> None:
    run(sandbox, {"value": f"{server}/found/it"})
    assert (sandbox / "it").read_bytes() == b"ok"
    with pytest.raises(FetchError, match="answered 404 Nothing Here"):
        run(sandbox, {"value": f"{server}/absent"})
    with pytest.raises(FetchError, match="failed to fetch"):
        run(sandbox, {"value": f"{server}/short"})
    with pytest.raises(FetchError, match="refused"):
        run(sandbox, {"value": "http://127.0.0.1:1/x"})


def test_the_process_tells_the_first_fault_and_its_code(sandbox: Path) -> None:
    script = "import sys; from mesosphere.agent.fetcher import main; sys.exit(main([]))"
    job = {"sandbox": str(sandbox), "uris": [{"value": "/no/such"}], "user": None}
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'src'); {script}"],
        input=json.dumps(job).encode(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.decode() == "failed to fetch '/no/such': No such file or directory"


def test_targets_stay_below_the_sandbox(sandbox: Path) -> None:
    assert target_in(sandbox, "/abs") == sandbox.resolve() / "abs"
    assert target_in(sandbox, "a/../b") == sandbox.resolve() / "b"


@pytest.mark.parametrize(("suffix", "pack"), [(".bz2", bz2.compress), (".xz", lzma.compress)])
def test_single_packed_files_are_unpacked(
    tmp_path: Path, sandbox: Path, suffix: str, pack: Any
) -> None:
    (tmp_path / f"notes{suffix}").write_bytes(pack(b"plain"))
    run(sandbox, {"value": str(tmp_path / f"notes{suffix}")})
    assert (sandbox / "notes").read_bytes() == b"plain"


@pytest.mark.parametrize("kind", ["md5", "sha256", "sha512"])
def test_a_digest_in_the_fragment_must_fit(tmp_path: Path, sandbox: Path, kind: str) -> None:
    (tmp_path / "x").write_bytes(b"content")
    right = hashlib.new(kind, b"content").hexdigest()
    run(sandbox, {"value": f"{tmp_path}/x#{kind}={right.upper()}"})
    assert (sandbox / "x").read_bytes() == b"content"
    wrong = "0" * len(right)
    with pytest.raises(FetchError, match=f"its {kind} is {right}, not {wrong}"):
        run(sandbox, {"value": f"file://{tmp_path}/x#{kind}={wrong}"})


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(uri=some.text(max_size=60) | some.from_regex(r"(http|file|ftp)://[^/]{0,9}/?.{0,9}"))
def test_any_uri_is_fetched_or_a_clear_fault(tmp_path: Path, uri: str) -> None:
    sandbox = tmp_path / "uris"
    sandbox.mkdir(exist_ok=True)
    before = sorted(tmp_path.iterdir())
    if "://" in uri and not uri.startswith("file"):
        # No test talks to hosts of the world.
        uri = "http://127.0.0.1:1/" + uri.partition("://")[2]
    try:
        run(sandbox, {"value": uri}, stall_timeout_s=1)
    except FetchError as error:
        assert repr(uri)[1:5] in repr(str(error))
    assert sorted(tmp_path.iterdir()) == before


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    names=some.lists(
        some.tuples(
            some.sampled_from(["a", "a/b", "../x", "/etc/x", "a/../../y", "l", "l/z", ".", "a//b"]),
            some.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE]),
            some.sampled_from(["..", "/", "a", "../outside", "l", "/etc"]),
        ),
        max_size=8,
    )
)
def test_no_archive_of_any_names_and_links_writes_outside(
    tmp_path: Path, names: list[tuple[str, bytes, str]]
) -> None:
    home = tmp_path / "home"
    shutil.rmtree(home, ignore_errors=True)
    sandbox = home / "sandbox"
    sandbox.mkdir(parents=True)
    (home / "outside").mkdir()
    members = [(member(name, kind, link), b"evil") for name, kind, link in names]
    archive = make_tar(tmp_path / "any.tar", "w", *members)
    with contextlib.suppress(FetchError):
        run(sandbox, {"value": str(archive)})
    assert sorted(home.iterdir()) == [home / "outside", sandbox]
    assert not list((home / "outside").iterdir())


class _Counting(http.server.BaseHTTPRequestHandler):
    """Counts its answers; `/big` is 3,000 bytes, all else 10."""

    def do_GET(self) -> None:
        self.server.count += 1  # type: ignore[attr-defined]
        size = 3_000 if self.path.startswith("/big") else 10
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(b"x" * size)

    def log_message(self, *arguments: Any) -> None:
        """Tests are quiet."""


@pytest.fixture
def counting() -> Iterator[http.server.ThreadingHTTPServer]:
    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Counting)
    serving.count = 0  # type: ignore[attr-defined]
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield serving
    serving.shutdown()
    serving.server_close()
    thread.join()


def cached_job(tmp_path: Path, sandbox: Path, size: int, *uris: str, user: str = "u") -> dict:  # type: ignore[type-arg]
    return {
        "sandbox": str(sandbox), "cache_dir": str(tmp_path / "cache"), "cache_bytes": size,
        "uris": [{"value": uri, "cache": True} for uri in uris],
        "user": {"name": user, "uid": os.geteuid(), "gid": os.getegid(), "groups": []},
    }  # fmt: skip


def test_what_is_cached_is_brought_once_for_all_tasks_of_a_user(
    tmp_path: Path, sandbox: Path, counting: Any
) -> None:
    base = f"http://127.0.0.1:{counting.server_address[1]}"
    jobs = [cached_job(tmp_path, sandbox, 9_000, f"{base}/a") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        files = list(pool.map(fetcher.bring_cached, jobs))
    assert counting.count == 1
    assert [file[0].read() for file in files] == [b"x" * 10] * 8
    fetcher.run(jobs[0], fetcher.bring_cached(jobs[0]))
    assert (sandbox / "a").read_bytes() == b"x" * 10
    fetcher.bring_cached(cached_job(tmp_path, sandbox, 9_000, f"{base}/a", user="other"))
    assert counting.count == 2


def test_the_cache_stays_in_its_size_and_drops_what_was_not_used_for_longest(
    tmp_path: Path, sandbox: Path, counting: Any
) -> None:
    base = f"http://127.0.0.1:{counting.server_address[1]}"

    def bring(name: str) -> int:
        before = counting.count
        files = fetcher.bring_cached(cached_job(tmp_path, sandbox, 7_000, f"{base}/{name}"))
        assert len(files[0].read()) == 3_000
        assert used_bytes(tmp_path / "cache") <= 7_000
        return int(counting.count - before)

    assert [bring(name) for name in ("big1", "big2", "big1", "big3", "big1", "big2")] == [
        1, 1, 0, 1, 0, 1,
    ]  # fmt: skip
    small = cached_job(tmp_path, sandbox, 2_000, f"{base}/big9")
    assert len(fetcher.bring_cached(small)[0].read()) == 3_000
    assert not list((tmp_path / "cache").glob("*.part"))


def test_a_cached_archive_is_unpacked_without_a_copy(tmp_path: Path, sandbox: Path) -> None:
    archive = make_tar(tmp_path / "a.tar", "w", (member("x"), b"x"))
    job = {"sandbox": str(sandbox), "uris": [{"value": "http://h/a.tar", "cache": True}]}
    with archive.open("rb") as file:
        fetcher.run(job, {0: file})
    assert [path.name for path in sandbox.iterdir()] == ["x"]


def test_a_download_that_fails_is_told_and_not_kept(
    tmp_path: Path, sandbox: Path, server: str
) -> None:
    with pytest.raises(FetchError, match=r"failed to fetch 'http.*short': only"):
        fetcher.bring_cached(cached_job(tmp_path, sandbox, 9_000, f"{server}/short"))
    assert used_bytes(tmp_path / "cache") == 0
