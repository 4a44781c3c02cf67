"""Figures: quantiles, medians with their spread, the machine they were taken on."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def machine() -> dict[str, Any]:
    """What it was measured on."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown",
    )
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": model,
        "processors": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "load": os.getloadavg(),
    }


def summary(rounds: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Median of each figure, with the least and the most when there is more than one round."""
    found: dict[str, Any] = {}
    for name in rounds[0]:
        values = [each[name] for each in rounds]
        found[name] = statistics.median(values)
        if len(values) > 1:
            found[f"{name}_spread"] = [min(values), max(values)]
    return found


def write(path: Path, results: dict[str, Any], rounds: int) -> None:
    """Write results as JSON, and as text for people."""
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine(), "rounds": rounds, "results": results}
    path.write_text(json.dumps(report, indent=2))
    for part, figures in results.items():
        print(part)
        for name, value in figures.items():
            if isinstance(value, int | float):
                print(f"  {name:42} {value:12.6g}  {_spread(figures.get(f'{name}_spread'))}")
    print(f"written to {path}", file=sys.stderr)


def _spread(pair: list[float] | None) -> str:
    return "" if pair is None else f"({pair[0]:.6g} to {pair[1]:.6g})"
