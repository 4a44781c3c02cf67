"""Output of real tasks: it is rotated by the supervisor, with or without an agent."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.integration.container_bench import DEADLINE_S, KINDS, make_bench

from mesosphere.kernel.effects import DestroyContainer
from mesosphere.kernel.events import ContainerExited, ContainerStarted

__all__ = ["make_bench"]
LINES = 400_000


def pieces(sandbox: Path) -> list[Path]:
    old = [each for each in sandbox.iterdir() if each.name.startswith("stdout.")]
    return [*sorted(old, key=lambda each: -int(each.suffix[1:])), sandbox / "stdout"]


@pytest.mark.parametrize("isolation", KINDS)
async def test_output_is_rotated_without_losing_a_line_while_no_agent_lives(
    make_bench: Any, isolation: str
) -> None:
    bench = await make_bench(isolation)
    bench.settle(stdout_bytes=100_000, log_files=999)
    sandbox = bench.launch("c1", f"seq {LINES}; echo end; sleep 1000")
    await bench.find(ContainerStarted, "c1")
    # The agent goes away; the supervisor does it alone.
    bench.containerizer.close()
    until = asyncio.get_running_loop().time() + DEADLINE_S
    while (sandbox / "stdout").stat().st_size > 100_000 or len(pieces(sandbox)) < 20:
        assert asyncio.get_running_loop().time() < until, pieces(sandbox)
        await asyncio.sleep(0.1)
    whole = b"".join(piece.read_bytes() for piece in pieces(sandbox))
    lines = whole.split(b"\n")
    assert lines == [*(b"%d" % number for number in range(1, LINES + 1)), b"end", b""]
    await bench.containerizer._supervision.closed()
    await bench.containerizer.connect()
    bench.perform(DestroyContainer("c1"))
    await bench.find(ContainerExited, "c1")
