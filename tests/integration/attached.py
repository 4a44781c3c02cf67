"""Clients that are attached to containers: a stream of output to read, an input to give."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from tests.integration.agent_harness import DEADLINE_S

from mesosphere.wire import recordio
from mesosphere.wire.mesos.agent_operator import Call, ProcessIO
from mesosphere.wire.mesos.media import Media

RECORDIO = "application/recordio"


class Output:
    """A stream of ProcessIO that is being answered."""

    def __init__(self, port: int, media: Media = Media.JSON) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"
        self._media = media
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        self._decoder = recordio.Decoder()
        self.answer: aiohttp.ClientResponse | None = None
        self.told = {"STDOUT": b"", "STDERR": b""}
        self.heartbeats = 0

    async def open(self, call: dict[str, Any], **headers: str) -> "Output":
        """Make the call that is answered by the stream."""
        told = {
            "Content-Type": "application/json", "Accept": RECORDIO,
            "Message-Accept": self._media.value, **headers,
        }  # fmt: skip
        told = {name: value for name, value in told.items() if value}
        self.answer = await self._session.post(self._url, data=json.dumps(call), headers=told)
        return self

    async def _more(self) -> bool:
        assert self.answer is not None
        data = await self.answer.content.readany()
        for record in self._decoder.feed(data):
            told = self._media.decode(record, ProcessIO)
            if told.data is not None:
                self.told[told.data.type or ""] += told.data.data or b""
            else:
                self.heartbeats += 1
        return bool(data)

    async def until(self, words: bytes, kind: str = "STDOUT") -> bytes:
        """Read until this was said; all that was."""
        async with asyncio.timeout(DEADLINE_S):
            while words not in self.told[kind]:
                assert await self._more(), f"it ended with {self.told}"
        return self.told[kind]

    async def rest(self) -> bytes:
        """Read to the end of the stream; all that was said."""
        async with asyncio.timeout(DEADLINE_S):
            while await self._more():
                pass
        assert self._decoder.is_between_records
        return self.told["STDOUT"]

    async def close(self) -> None:
        await self._session.close()


class Input:
    """A request whose body goes on: what a user types."""

    def __init__(self, port: int, container: dict[str, Any], media: Media = Media.JSON) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._media = media
        self._task = asyncio.create_task(self._send(f"http://127.0.0.1:{port}/api/v1"))
        self._put({"type": "CONTAINER_ID", "container_id": container})

    def _put(self, body: dict[str, Any]) -> None:
        text = json.dumps({"type": "ATTACH_CONTAINER_INPUT", "attach_container_input": body})
        message = Media.JSON.decode(text.encode(), Call)
        self._queue.put_nowait(self._media.record(message))

    def say(self, data: bytes) -> None:
        told = {"type": "STDIN", "data": base64.b64encode(data).decode()}
        self._put({"type": "PROCESS_IO", "process_io": {"type": "DATA", "data": told}})

    def control(self, **body: Any) -> None:
        io = {"type": "CONTROL", "control": body}
        self._put({"type": "PROCESS_IO", "process_io": io})

    def resize(self, rows: int, columns: int) -> None:
        size = {"window_size": {"rows": rows, "columns": columns}}
        self.control(type="TTY_INFO", tty_info=size)

    async def _records(self) -> AsyncIterator[bytes]:
        while (record := await self._queue.get()) is not None:
            yield record

    async def _send(self, url: str) -> tuple[int, str]:
        headers = {"Content-Type": RECORDIO, "Message-Content-Type": self._media.value}
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
            session.post(url, data=self._records(), headers=headers) as answer,
        ):
            return answer.status, await answer.text()

    async def end(self) -> tuple[int, str]:
        """End the body; the answer."""
        self._queue.put_nowait(None)
        return await self.answered()

    async def answered(self) -> tuple[int, str]:
        async with asyncio.timeout(DEADLINE_S):
            return await self._task

    def leave(self) -> None:
        self._task.cancel()
