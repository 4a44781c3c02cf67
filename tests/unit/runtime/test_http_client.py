"""What the HTTP client tells of failures."""

from collections.abc import Callable
from typing import Any

import pytest

from mesosphere.kernel.effects import Call
from mesosphere.kernel.events import CallFailed
from mesosphere.runtime.http_client import HttpClient, explain

REFUSED = "http://127.0.0.1:1/"
"""Nobody listens at port 1."""


async def failure(url: str) -> CallFailed:
    told: list[Any] = []
    deliver: Callable[[Any], None] = told.append
    client = HttpClient()
    try:
        await client.call(Call(call="c", method="GET", url=url, timeout_s=20.0), deliver)
    finally:
        await client.close()
    [event] = told
    assert isinstance(event, CallFailed)
    return event


async def test_a_refused_connection_is_told_in_plain_words() -> None:
    event = await failure(REFUSED)
    assert event.reason == "can't connect to 127.0.0.1:1: Connection refused"
    assert event.definite


@pytest.mark.parametrize("url", ["http://[oops/", "http://:80/", "nothing"])
async def test_an_impossible_url_is_a_failure_and_no_crash(url: str) -> None:
    assert (await failure(url)).reason


def test_a_timeout_without_words_gets_some() -> None:
    assert explain(TimeoutError()) == "timed out"
    assert explain(ValueError("x" * 1000)).endswith("...")
