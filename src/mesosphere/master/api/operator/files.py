"""Calls about the master's files."""

from mesosphere.kernel.http import Request
from mesosphere.master.api.answers import Answer
from mesosphere.master.api.files import ask_for_file
from mesosphere.master.api.operator.table import Handlers
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire.mesos import operator
from mesosphere.wire.mesos.media import Media, wanted


def _media(request: Request) -> str:
    media = wanted(request.headers)
    assert isinstance(media, Media)
    return media.value


def list_files(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """LIST_FILES: a directory."""
    assert call.list_files is not None
    return ask_for_file(master, request, "browse", call.list_files.path, media=_media(request))


def read_file(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """READ_FILE: a part of a file."""
    body = call.read_file
    assert body is not None
    return ask_for_file(
        master, request, "read", body.path, body.offset, body.length, _media(request)
    )


CALLS: Handlers = {"LIST_FILES": list_files, "READ_FILE": read_file}
