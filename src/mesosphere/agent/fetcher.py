"""Fetches the URIs of a task into its sandbox. Runs as a short process of its own.

It reads one job as JSON on standard input, becomes the task's user, works through the URIs in
order and ends with 0; on the first fault it writes one sentence to standard output and ends with 1.
Standard library only, as the supervisor: it starts in an isolated interpreter.

An archive may hold anything: nothing in it is written outside the sandbox, whatever its names and
links say; devices are refused; sizes and counts are bounded, because an archive of a few
kilobytes can unpack to terabytes. Source: "Mesos: fetcher" (apache/mesos docs/fetcher.md).
"""

import bz2
import contextlib
import gzip
import http.client
import json
import lzma
import os
import shutil
import ssl
import stat
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

STALL_TIMEOUT_S = 60.0
"""A server that sends nothing for so long has failed (`--fetcher_stall_timeout`)."""
SIZE_LIMIT_BYTES = 20 * 1024**3
"""Most that one URI may bring, and most that one archive may unpack to."""
ENTRY_LIMIT = 1_000_000
"""Most entries of one archive."""
CHUNK_BYTES = 1 << 18

TAR_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError,
    NotImplementedError, RuntimeError, UnicodeError, ValueError, OverflowError, MemoryError,
)  # fmt: skip
"""What Python's readers raise on archives that are damaged or made to harm."""


class Readable(Protocol):
    """What bytes are read from: an answer, a file, a member of an archive."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end."""


class FetchError(Exception):
    """A URI can't be fetched; the message is one sentence that names it."""


class Budget:
    """How many bytes may still be written."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.left_bytes = limit_bytes

    def take(self, count: int) -> None:
        """Spend bytes; raises FetchError when the limit is passed."""
        self.left_bytes -= count
        if self.left_bytes < 0:
            raise FetchError(f"it has more than {self.limit_bytes} bytes")


def base_name(uri: str) -> str:
    """The file name that a URI brings: the last part of its path, without query."""
    path = urllib.parse.urlsplit(uri).path if "://" in uri else uri
    return urllib.parse.unquote(path.rstrip("/").rsplit("/", 1)[-1])


def target_in(sandbox: Path, name: str) -> Path:
    """The place of `name` below the sandbox. Raises FetchError if it would be outside."""
    root = sandbox.resolve()
    target = Path(os.path.normpath(root / name.lstrip("/")))
    if target != root and root not in target.parents:
        raise FetchError(f"'{name}' leads out of the sandbox")
    if not target.parent.resolve().is_relative_to(root):
        raise FetchError(f"'{name}' leads out of the sandbox through a link")
    return target


def _copy(source: Readable, target: Path, budget: Budget, mode: int = 0o644) -> None:
    # A link or file of this name is replaced, never written through.
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while chunk := source.read(CHUNK_BYTES):
            budget.take(len(chunk))
            file.write(chunk)
        os.fchmod(file.fileno(), mode)


def fetch(uri: str, target: Path, job: dict[str, Any]) -> None:
    """Bring one URI to the file `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    budget = Budget(job.get("limit_bytes", SIZE_LIMIT_BYTES))
    scheme = urllib.parse.urlsplit(uri).scheme.lower() if "://" in uri else ""
    if scheme in ("http", "https", "ftp", "ftps"):
        # As the original's curl call: certificates of the host are checked, redirects followed.
        with urllib.request.urlopen(
            uri, timeout=job.get("stall_timeout_s", STALL_TIMEOUT_S), context=_tls(scheme)
        ) as answer:
            expected = answer.headers.get("Content-Length")
            _copy(answer, target, budget)
        if expected and expected.isdigit() and target.stat().st_size != int(expected):
            raise FetchError(f"only {target.stat().st_size} of {expected} bytes arrived")
        return
    if scheme not in ("", "file"):
        raise FetchError(f"the scheme '{scheme}' is not supported: use http, https, ftp or file")
    path = Path(urllib.parse.unquote(urllib.parse.urlsplit(uri).path) if scheme else uri)
    if not path.is_absolute():
        home = job.get("frameworks_home") or ""
        if not home:
            raise FetchError("a relative path needs --frameworks_home")
        path = Path(home) / path
    if path.is_dir():
        raise FetchError("it is a directory")
    with path.open("rb") as source:
        _copy(source, target, budget)


def _tls(scheme: str) -> ssl.SSLContext | None:
    return ssl.create_default_context() if scheme == "https" else None


# --- archives -------------------------------------------------------------------------------


def is_archive(name: str) -> bool:
    """Whether a file of this name is extracted after the fetch."""
    return name.lower().endswith((*TAR_SUFFIXES, ".zip", ".gz"))


def extract(archive: Path, sandbox: Path, limit_bytes: int = SIZE_LIMIT_BYTES) -> None:
    """Unpack by the name's suffix into the sandbox. Raises FetchError, OSError or a reader's."""
    name = archive.name.lower()
    budget = Budget(limit_bytes)
    if name.endswith(TAR_SUFFIXES):
        _extract_tar(archive, sandbox, budget)
    elif name.endswith(".zip"):
        _extract_zip(archive, sandbox, budget)
    else:
        with gzip.open(archive, "rb") as source:
            _copy(source, target_in(sandbox, archive.name[: -len(".gz")]), budget)


def _counted(entries: Iterable[Any]) -> Iterable[Any]:
    for count, entry in enumerate(entries, 1):
        if count > ENTRY_LIMIT:
            raise FetchError(f"the archive has more than {ENTRY_LIMIT} entries")
        yield entry


def _extract_tar(archive: Path, sandbox: Path, budget: Budget) -> None:
    with tarfile.open(archive, "r:*") as tar:
        for member in _counted(tar):
            target = target_in(sandbox, member.name)
            if target == sandbox.resolve():
                continue
            if member.isdir():
                _make_directory(target, member.mode)
            elif member.issym():
                _make_link(target, member.linkname)
            elif member.islnk():
                _make_hard_link(target, target_in(sandbox, member.linkname))
            elif member.isfile():
                source = tar.extractfile(member)
                if source is None:
                    raise FetchError(f"'{member.name}' can't be read")
                _make_parent(target)
                _copy(source, target, budget, (member.mode & 0o777) | 0o600)
            else:
                raise FetchError(f"'{member.name}' is a device or a pipe")
            # The list of members that tarfile keeps would grow without bound.
            tar.members = []  # type: ignore[attr-defined]


def _extract_zip(archive: Path, sandbox: Path, budget: Budget) -> None:
    with zipfile.ZipFile(archive) as packed:
        for entry in _counted(packed.infolist()):
            target = target_in(sandbox, entry.filename)
            mode = entry.external_attr >> 16
            if target == sandbox.resolve():
                continue
            if entry.is_dir():
                _make_directory(target, mode or 0o755)
            elif stat.S_ISLNK(mode):
                if entry.file_size > 4096:
                    raise FetchError(f"the link '{entry.filename}' is too long")
                _make_link(target, packed.read(entry).decode())
            else:
                _make_parent(target)
                with packed.open(entry) as source:
                    _copy(source, target, budget, (mode & 0o777 or 0o644) | 0o600)


def _make_parent(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)


def _make_directory(target: Path, mode: int) -> None:
    if target.is_symlink():
        target.unlink()
    target.mkdir(parents=True, exist_ok=True)
    target.chmod((mode & 0o777) | 0o700)


def _make_link(target: Path, points_to: str) -> None:
    # A link may point anywhere, as the task itself could make it; nothing is written through it.
    _make_parent(target)
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
    target.symlink_to(points_to)


def _make_hard_link(target: Path, existing: Path) -> None:
    if existing.is_symlink():
        raise FetchError(f"'{target.name}' is a hard link to a symbolic one")
    _make_parent(target)
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
    os.link(existing, target)


# --- the job --------------------------------------------------------------------------------


def become(user: dict[str, Any] | None) -> None:
    """Give up root for the task's user for good."""
    if user is None or os.geteuid() != 0 or user["uid"] == 0:
        return
    os.setgroups(user["groups"])
    os.setgid(user["gid"])
    os.setuid(user["uid"])


def run(job: dict[str, Any]) -> None:
    """Fetch every URI of the job in order; raises FetchError naming the URI."""
    sandbox = Path(job["sandbox"])
    for item in job["uris"]:
        uri = item["value"]
        try:
            name = item.get("output_file") or base_name(uri)
            if not name or name in (".", ".."):
                raise FetchError("it names no file; give it an output_file")
            target = target_in(sandbox, name)
            _make_parent(target)
            fetch(uri, target_in(sandbox, name), job)
            if item.get("executable"):
                target.chmod(0o755)
            elif item.get("extract", True) and is_archive(target.name):
                extract(target, sandbox, job.get("limit_bytes", SIZE_LIMIT_BYTES))
        except FetchError as error:
            raise FetchError(f"failed to fetch '{uri}': {error}") from error
        except urllib.error.HTTPError as error:
            raise FetchError(
                f"failed to fetch '{uri}': the server answered {error.code} {error.reason}"
            ) from error
        except urllib.error.URLError as error:
            raise FetchError(f"failed to fetch '{uri}': {error.reason}") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise FetchError(f"failed to fetch '{uri}': {reason}") from error
        except http.client.HTTPException as error:
            raise FetchError(f"failed to fetch '{uri}': {error!r}") from error
        except DAMAGED as error:
            raise FetchError(f"failed to extract '{uri}': damaged archive: {error}") from error


def main(arguments: list[str]) -> int:
    """Read the job, do it, tell the first fault."""
    job = json.load(sys.stdin)
    # Readers of archives may be loaded late; after the change of user that could fail.
    ready = (bz2, lzma, shutil)
    os.umask(0o022)
    try:
        become(job.get("user"))
        run(job)
    except FetchError as error:
        sys.stdout.write(str(error))
        return 1
    return 0 if ready else 1
