"""RecordIO: what is framed comes back whole, however the stream is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesosphere.wire.recordio import RECORD_LIMIT, Decoder, RecordError, encode


def test_record_is_preceded_by_its_length_in_bytes() -> None:
    assert encode(b'{"a":1}') == b'7\n{"a":1}'
    assert encode("é".encode()) == b"2\n\xc3\xa9"
    assert encode(b"") == b"0\n"


@given(st.lists(st.binary(max_size=300), max_size=20), st.lists(st.integers(1, 50), min_size=1))
def test_records_survive_any_cutting(records: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(encode, records))
    decoder = Decoder()
    found: list[bytes] = []
    position = step = 0
    while position < len(stream):
        size = cuts[step % len(cuts)]
        found += decoder.feed(stream[position : position + size])
        position += size
        step += 1
    assert found == records
    assert decoder.is_between_records


def test_cut_record_is_noticed() -> None:
    decoder = Decoder()
    assert decoder.feed(b"5\nab") == []
    assert not decoder.is_between_records
    assert decoder.feed(b"cde3") == [b"abcde"]
    assert not decoder.is_between_records
    assert decoder.feed(b"\nxyz") == [b"xyz"]
    assert decoder.is_between_records


@pytest.mark.parametrize(
    "stream",
    [
        b"x",
        b"-1\nab",
        b"1.0\na",
        b" 1\na",
        b"\n",
        b"1\r\na",
        b"+1\na",
        b"1" * 21,
        "٣\nabc".encode(),
    ],
)
def test_bad_length_is_refused_at_once(stream: bytes) -> None:
    with pytest.raises(RecordError):
        Decoder().feed(stream)


def test_record_limit_is_checked_before_the_record_arrives() -> None:
    assert Decoder(limit=10).feed(b"10\n0123456789") == [b"0123456789"]
    with pytest.raises(RecordError, match="11 bytes, more than 10"):
        Decoder(limit=10).feed(b"11\n")
    with pytest.raises(RecordError):
        Decoder().feed(b"%d\n" % (RECORD_LIMIT + 1))


def test_spent_decoder_stays_spent() -> None:
    decoder = Decoder()
    with pytest.raises(RecordError):
        decoder.feed(b"nonsense\n")
    with pytest.raises(RecordError):
        decoder.feed(b"1\na")


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes_give_records_or_a_record_error(pieces: list[bytes]) -> None:
    decoder = Decoder(limit=1000)
    try:
        for piece in pieces:
            for record in decoder.feed(piece):
                assert len(record) <= 1000
    except RecordError as error:
        assert error.message
