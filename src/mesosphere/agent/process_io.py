"""ProcessIO: what travels between an attached client and a container, as messages and as frames.

Source: apache/mesos include/mesos/v1/agent/agent.proto; io/switchboard.cpp (validate).
"""

from mesosphere.agent.isolation import frames
from mesosphere.wire.mesos.agent_operator import (
    AttachContainerInput,
    ProcessControl,
    ProcessData,
    ProcessHeartbeat,
    ProcessIO,
)
from mesosphere.wire.mesos.common import DurationInfo
from mesosphere.wire.mesos.media import Media

KINDS = {frames.OUT: "STDOUT", frames.ERR: "STDERR"}
PIECE_BYTES = 64 * 1024
SIZE_MOST = 65_535


def output_record(kind: bytes, data: bytes, media: Media) -> bytes:
    """What a container wrote, as a record of a stream."""
    told = ProcessIO(type="DATA", data=ProcessData(type=KINDS[kind], data=data))
    return media.record(told)


def heartbeat_record(interval_s: float, media: Media) -> bytes:
    """A heartbeat, as a record of a stream."""
    interval = DurationInfo(nanoseconds=int(interval_s * 1e9))
    control = ProcessControl(type="HEARTBEAT", heartbeat=ProcessHeartbeat(interval=interval))
    return media.record(ProcessIO(type="CONTROL", control=control))


def input_fault(given: AttachContainerInput | None) -> str:
    """What is wrong with a record that follows the first; "" if nothing is."""
    if given is None:
        return "Expecting 'attach_container_input' to be present"
    if given.type != "PROCESS_IO":
        told = given.type or "UNKNOWN"
        return f"Expecting 'attach_container_input.type' to be 'PROCESS_IO' instead of: '{told}'"
    if given.process_io is None:
        return "Expecting 'attach_container_input.process_io' to be present"
    if given.process_io.type == "DATA":
        return _data_fault(given.process_io.data)
    if given.process_io.type == "CONTROL":
        return _control_fault(given.process_io.control)
    return _missing_or_unknown(given.process_io.type, "process_io.type")


def _missing_or_unknown(kind: str | None, name: str) -> str:
    return f"Expecting '{name}' to be present" if kind is None else f"'{name}' is unknown"


def _data_fault(data: ProcessData | None) -> str:
    if data is None:
        return "Expecting 'process_io.data' to be present"
    if data.type is None:
        return "Expecting 'process_io.data.type' to be present"
    if data.type != "STDIN":
        return "Expecting 'process_io.data.type' to be 'STDIN'"
    return "" if data.data is not None else "Expecting 'process_io.data.data' to be present"


def _control_fault(control: ProcessControl | None) -> str:
    if control is None:
        return "Expecting 'process_io.control' to be present"
    if control.type == "TTY_INFO":
        if control.tty_info is None:
            return "Expecting 'process_io.control.tty_info' to be present"
        has_size = control.tty_info.window_size is not None
        return "" if has_size else "Expecting 'tty_info.window_size' to be present"
    if control.type == "HEARTBEAT":
        has_beat = control.heartbeat is not None
        return "" if has_beat else "Expecting 'process_io.control.heartbeat' to be present"
    return _missing_or_unknown(control.type, "process_io.control.type")


def input_frames(told: ProcessIO) -> list[bytes]:
    """A record that `input_fault` has nothing against, for the switchboard."""
    if told.data is not None and told.type == "DATA":
        data = told.data.data or b""
        if not data:
            return [frames.encode(frames.CLOSE)]
        starts = range(0, len(data), PIECE_BYTES)
        return [frames.encode(frames.DATA, data[start : start + PIECE_BYTES]) for start in starts]
    info = told.control.tty_info if told.control is not None else None
    if info is None or info.window_size is None:
        return []
    size = (min(info.window_size.rows, SIZE_MOST), min(info.window_size.columns, SIZE_MOST))
    return [frames.encode(frames.WINDOW, frames.SIZE.pack(*size))]


def announced_s(told: ProcessIO) -> float | None:
    """How often a client means to send something, if this record says so."""
    beat = told.control.heartbeat if told.control is not None else None
    return None if beat is None or beat.interval is None else beat.interval.nanoseconds / 1e9
