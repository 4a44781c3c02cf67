"""Files of the master's: its log, if it has one. Source: Mesos, src/files/files.cpp."""

import re

from mesosphere.kernel.effects import ServeFile
from mesosphere.kernel.http import Request, text_response
from mesosphere.master.api.answers import Answer, json_answer
from mesosphere.master.core import commands
from mesosphere.master.core.machine import MasterMachine


def ask_for_file(
    master: MasterMachine,
    request: Request,
    action: str,
    path: str | None,
    offset: int = -1,
    length: int | None = None,
    media: str = "",
) -> Answer:
    """The command that lets the runtime read a file, or why it may not; see ServeFile."""
    if path is None:
        return text_response(400, "Expecting 'path=value' in query.\n")
    log = master.config.flags.get("external_log_file")
    if path not in ("/master/log", "/log") or log is None:
        return text_response(404, f"'{path}' was not found.\n")
    return commands.FileWanted(ServeFile(request.id, action, log, path, offset, length, media))


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"-?\d{1,18}", text) else None


def browse_files(master: MasterMachine, now: float, request: Request) -> Answer:
    """A directory of the master's."""
    return ask_for_file(master, request, "browse", request.first("path"))


def read_file(master: MasterMachine, now: float, request: Request) -> Answer:
    """A part of a file of the master's."""
    offset, length = (
        _number(request.first("offset", "-1")),
        _number(request.first("length", "65536")),
    )
    if offset is None or length is None or offset < -1:
        return text_response(400, "Failed to parse offset or length.\n")
    return ask_for_file(master, request, "read", request.first("path"), offset, length)


def download_file(master: MasterMachine, now: float, request: Request) -> Answer:
    """A file of the master's."""
    return ask_for_file(master, request, "download", request.first("path"))


def list_files(master: MasterMachine, now: float, request: Request) -> Answer:
    """Virtual paths and what they stand for."""
    log = master.config.flags.get("external_log_file")
    return json_answer(request, {} if log is None else {"/master/log": log})
