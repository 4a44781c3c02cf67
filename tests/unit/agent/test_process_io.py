"""ProcessIO between attached clients and switchboards."""

import json

import pytest

from mesosphere.agent import process_io
from mesosphere.agent.isolation import frames
from mesosphere.wire import recordio
from mesosphere.wire.mesos.agent_operator import AttachContainerInput, ProcessIO
from mesosphere.wire.mesos.media import Media


def read(text: str) -> AttachContainerInput:
    return Media.JSON.decode(text.encode(), AttachContainerInput)


def io(text: str) -> AttachContainerInput:
    return read('{"type":"PROCESS_IO","process_io":' + text + "}")


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (None, "Expecting 'attach_container_input' to be present"),
        (
            read('{"type":"CONTAINER_ID","container_id":{"value":"a"}}'),
            "Expecting 'attach_container_input.type' to be 'PROCESS_IO' instead of: 'CONTAINER_ID'",
        ),
        (
            read('{"type":"PROCESS_IO"}'),
            "Expecting 'attach_container_input.process_io' to be present",
        ),
        (io("{}"), "Expecting 'process_io.type' to be present"),
        (io('{"type":"UNKNOWN"}'), "'process_io.type' is unknown"),
        (io('{"type":"DATA"}'), "Expecting 'process_io.data' to be present"),
        (io('{"type":"DATA","data":{}}'), "Expecting 'process_io.data.type' to be present"),
        (
            io('{"type":"DATA","data":{"type":"STDOUT","data":""}}'),
            "Expecting 'process_io.data.type' to be 'STDIN'",
        ),
        (
            io('{"type":"DATA","data":{"type":"STDIN"}}'),
            "Expecting 'process_io.data.data' to be present",
        ),
        (io('{"type":"DATA","data":{"type":"STDIN","data":""}}'), ""),
        (io('{"type":"CONTROL"}'), "Expecting 'process_io.control' to be present"),
        (
            io('{"type":"CONTROL","control":{}}'),
            "Expecting 'process_io.control.type' to be present",
        ),
        (
            io('{"type":"CONTROL","control":{"type":"UNKNOWN"}}'),
            "'process_io.control.type' is unknown",
        ),
        (
            io('{"type":"CONTROL","control":{"type":"TTY_INFO"}}'),
            "Expecting 'process_io.control.tty_info' to be present",
        ),
        (
            io('{"type":"CONTROL","control":{"type":"TTY_INFO","tty_info":{}}}'),
            "Expecting 'tty_info.window_size' to be present",
        ),
        (
            io('{"type":"CONTROL","control":{"type":"HEARTBEAT"}}'),
            "Expecting 'process_io.control.heartbeat' to be present",
        ),
        (io('{"type":"CONTROL","control":{"type":"HEARTBEAT","heartbeat":{}}}'), ""),
    ],
)
def test_a_record_that_makes_no_sense_is_told_as_the_original_does(
    given: AttachContainerInput | None, fault: str
) -> None:
    assert process_io.input_fault(given) == fault


def test_input_goes_on_in_pieces_and_empty_data_is_its_end() -> None:
    def made(text: str) -> list[tuple[bytes, bytes]]:
        told = Media.JSON.decode(text.encode(), ProcessIO)
        return frames.split(bytearray(b"".join(process_io.input_frames(told))))

    size = process_io.PIECE_BYTES + 3
    long = Media.JSON.encode(process_io.ProcessIO(
        type="DATA", data=process_io.ProcessData(type="STDIN", data=b"x" * size)))  # fmt: skip
    pieces = made(long.decode())
    assert [len(piece) for _, piece in pieces] == [process_io.PIECE_BYTES, 3]
    assert made('{"type":"DATA","data":{"type":"STDIN","data":""}}') == [(frames.CLOSE, b"")]
    window = '{"window_size":{"rows":99999,"columns":80}}'
    [(kind, told)] = made(
        '{"type":"CONTROL","control":{"type":"TTY_INFO","tty_info":' + window + "}}"
    )
    assert (kind, frames.SIZE.unpack(told)) == (frames.WINDOW, (65_535, 80))
    interval = '{"interval":{"nanoseconds":5000000000}}'
    beat = '{"type":"CONTROL","control":{"type":"HEARTBEAT","heartbeat":' + interval + "}}"
    assert made(beat) == []
    assert process_io.announced_s(Media.JSON.decode(beat.encode(), ProcessIO)) == 5.0


def test_output_and_heartbeats_are_records_as_the_original_writes_them() -> None:
    written = process_io.output_record(frames.ERR, b"oh", Media.JSON)
    [record] = recordio.Decoder().feed(written)
    assert json.loads(record) == {"type": "DATA", "data": {"type": "STDERR", "data": "b2g="}}
    [record] = recordio.Decoder().feed(process_io.heartbeat_record(30.0, Media.JSON))
    beat = {"interval": {"nanoseconds": 30_000_000_000}}
    told = {"type": "CONTROL", "control": {"type": "HEARTBEAT", "heartbeat": beat}}
    assert json.loads(record) == told


def test_a_frame_that_is_too_long_is_no_frame() -> None:
    head = frames.HEAD.pack(frames.DATA, frames.FRAME_LIMIT_BYTES + 1)
    with pytest.raises(frames.FrameError):
        frames.split(bytearray(head))
    received = bytearray(frames.encode(frames.OUT, b"one") + frames.encode(frames.ERR, b"two")[:-1])
    assert frames.split(received) == [(frames.OUT, b"one")]
    assert len(received) == frames.HEAD.size + 2
