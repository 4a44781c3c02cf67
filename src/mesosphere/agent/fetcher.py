"""Fetches the URIs of a task into its sandbox. Runs as a short process of its own.

It reads one job as JSON on standard input, brings what is to be cached, becomes the task's user,
works through the URIs in order and ends with 0; on the first fault it writes one sentence to
standard output and ends with 1. Standard library only, as the supervisor: it starts in an isolated
interpreter.

A URI may end in `#sha256=<hex>` (or sha512, md5): what comes must have that digest. The fragment is
never sent to a server, and the original ignores it. Source: "Mesos: fetcher" (apache/mesos
docs/fetcher.md).
"""

import contextlib
import hashlib
import http.client
import json
import os
import re
import resource
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from functools import partial
from pathlib import Path
from typing import IO, Any

from mesosphere.agent.archives import (
    CHUNK_BYTES,
    DAMAGED,
    SIZE_LIMIT_BYTES,
    Budget,
    FetchError,
    copy,
    extract,
    is_archive,
    target_in,
)
from mesosphere.agent.fetch_cache import FetchCache

STALL_TIMEOUT_S = 60.0
"""A server that sends nothing for so long has failed (`--fetcher_stall_timeout`)."""
MEMORY_LIMIT_BYTES = 2 * 1024**3
"""Headers of archives can ask for any amount of memory; the fetcher has this much."""
REMOTE = ("http", "https", "ftp", "ftps")
EXPECTED = (FetchError, OSError, http.client.HTTPException, *DAMAGED)
_DIGEST = re.compile(r"#(sha256|sha512|md5)=([0-9a-fA-F]{32,128})$")


def split_digest(uri: str) -> tuple[str, str, str]:
    """(URI, name of a digest, its value): the last two "" where none is given."""
    found = _DIGEST.search(uri)
    if found is None:
        return uri, "", ""
    return uri[: found.start()], found.group(1), found.group(2).lower()


def base_name(uri: str) -> str:
    """The file name that a URI brings: the last part of its path, without query."""
    path = urllib.parse.urlsplit(uri).path if "://" in uri else uri
    return urllib.parse.unquote(path.rstrip("/").rsplit("/", 1)[-1])


def scheme_of(uri: str) -> str:
    """The scheme in lower case, "" for a path."""
    return urllib.parse.urlsplit(uri).scheme.lower() if "://" in uri else ""


def fetch(uri: str, target: Path, job: dict[str, Any]) -> None:
    """Bring one URI to the file `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scheme = scheme_of(uri)
    if scheme in REMOTE:
        download(uri, target, job)
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
        copy(source, target, Budget(job.get("limit_bytes", SIZE_LIMIT_BYTES)))


def download(uri: str, target: Path, job: dict[str, Any]) -> None:
    """Bring a URI of a server to a file, whole or not at all."""
    budget = Budget(job.get("limit_bytes", SIZE_LIMIT_BYTES))
    context = ssl.create_default_context() if scheme_of(uri) == "https" else None
    # As the original's curl call: certificates of the host are checked, redirects followed.
    with urllib.request.urlopen(
        uri, timeout=job.get("stall_timeout_s", STALL_TIMEOUT_S), context=context
    ) as answer:
        expected = answer.headers.get("Content-Length")
        if expected and expected.isdigit() and int(expected) > budget.limit_bytes:
            raise FetchError(f"it has {expected} bytes, and {budget.limit_bytes} is the limit")
        copy(answer, target, budget)
    if expected and expected.isdigit() and target.stat().st_size != int(expected):
        raise FetchError(f"only {target.stat().st_size} of {expected} bytes arrived")


def check_digest(file: IO[bytes], kind: str, wanted: str) -> None:
    """Raises FetchError when the file is not what was promised."""
    if not kind:
        return
    digest = hashlib.new(kind, usedforsecurity=False)
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    file.seek(0)
    if digest.hexdigest() != wanted:
        raise FetchError(f"its {kind} is {digest.hexdigest()}, not {wanted}")


# --- the job --------------------------------------------------------------------------------


def become(user: dict[str, Any] | None) -> None:
    """Give up root for the task's user for good."""
    if user is None or os.geteuid() != 0 or user["uid"] == 0:
        return
    os.setgroups(user["groups"])
    os.setgid(user["gid"])
    os.setuid(user["uid"])


def run(job: dict[str, Any], cached: dict[int, IO[bytes]] | None = None) -> None:
    """Fetch every URI of the job in order; raises FetchError naming the URI.

    `cached` are files already brought, by the position of their URI.
    """
    for position, item in enumerate(job["uris"]):
        try:
            _fetch_one(job, item, (cached or {}).get(position))
        except EXPECTED as error:
            raise explained(item["value"], error) from error


def _fetch_one(job: dict[str, Any], item: dict[str, Any], cached: IO[bytes] | None) -> None:
    sandbox = Path(job["sandbox"])
    uri, kind, digest = split_digest(item["value"])
    name = item.get("output_file") or base_name(uri)
    if not name or name in (".", ".."):
        raise FetchError("it names no file; give it an output_file")
    target = target_in(sandbox, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target = target_in(sandbox, name)
    unpacks = not item.get("executable") and item.get("extract", True) and is_archive(target.name)
    limit_bytes = job.get("limit_bytes", SIZE_LIMIT_BYTES)
    if cached is not None:
        check_digest(cached, kind, digest)
        if unpacks:
            # A cached archive is not copied to the sandbox, as in the original.
            extract(target.name, cached, sandbox, limit_bytes)
            return
        copy(cached, target, Budget(limit_bytes))
    else:
        fetch(uri, target, job)
        with target.open("rb") as file:
            check_digest(file, kind, digest)
            if unpacks:
                extract(target.name, file, sandbox, limit_bytes)
    if item.get("executable"):
        target.chmod(0o755)


def explained(uri: str, error: Exception) -> FetchError:
    """What went wrong with a URI, in one sentence that names it."""
    failed = f"failed to fetch '{uri}'"
    if isinstance(error, FetchError):
        return FetchError(f"{failed}: {error}")
    if isinstance(error, urllib.error.HTTPError):
        return FetchError(f"{failed}: the server answered {error.code} {error.reason}")
    if isinstance(error, urllib.error.URLError):
        return FetchError(f"{failed}: {error.reason}")
    if isinstance(error, OSError):
        return FetchError(f"{failed}: {error.strerror or error}")
    if isinstance(error, http.client.HTTPException):
        return FetchError(f"{failed}: {error!r}")
    return FetchError(f"failed to extract '{uri}': damaged archive: {error}")


def bring_cached(job: dict[str, Any]) -> dict[int, IO[bytes]]:
    """Open what is cached, bringing what is not yet; before root is given up.

    Files of this host are not cached: that would read them with more rights than the task has.
    """
    directory, size = job.get("cache_dir"), job.get("cache_bytes", 0)
    if not directory or size <= 0:
        return {}
    cache = FetchCache(Path(directory), size)
    user = (job.get("user") or {}).get("name", "")
    found = {}
    for position, item in enumerate(job["uris"]):
        uri, _, _ = split_digest(item["value"])
        try:
            if item.get("cache") and scheme_of(uri) in REMOTE:
                found[position] = cache.obtain((user, uri), partial(_bring, uri, job))
        except EXPECTED as error:
            raise explained(item["value"], error) from error
    return found


def _bring(uri: str, job: dict[str, Any], path: Path) -> None:
    download(uri, path, job)


def main(arguments: list[str]) -> int:
    """Read the job, do it, tell the first fault."""
    job = json.load(sys.stdin)
    os.umask(0o022)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    try:
        cached = bring_cached(job)
        become(job.get("user"))
        run(job, cached)
    except FetchError as error:
        sys.stdout.write(str(error))
        return 1
    return 0
