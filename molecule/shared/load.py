#!/usr/bin/env python3
"""Asks URLs over and over, each time by a new connection, and writes what went wrong.

Usage: load.py OUT URL [URL ...]     until SIGTERM

OUT is rewritten every second: {"asked": count, "failed": [{"at", "took_s", "url", "fault"}]}
"""

import json
import signal
import sys
import threading
import time
import urllib.request
from pathlib import Path

PAUSE_S = 0.1
TIMEOUT_S = 10
FAILURES_LIMIT = 1000

stopped = threading.Event()
asked: dict[str, int] = {}
failed: list[dict[str, object]] = []


def ask(url: str) -> None:
    """Ask one URL until told to stop."""
    while not stopped.is_set():
        began = time.time()
        fault = ""
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
                body = answer.read()
                if b"Hello from Mesosphere" not in body:
                    fault = f"answered {answer.status} without the page"
        except (OSError, ValueError) as error:
            fault = str(error)
        asked[url] = asked.get(url, 0) + 1
        if fault and len(failed) < FAILURES_LIMIT:
            failed.append({"at": began, "took_s": time.time() - began, "url": url, "fault": fault})
        stopped.wait(PAUSE_S)


def main() -> None:
    """Ask until SIGTERM."""
    out, urls = Path(sys.argv[1]), sys.argv[2:]
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
    threads = [threading.Thread(target=ask, args=(url,), daemon=True) for url in urls]
    for thread in threads:
        thread.start()
    last = False
    while not last:
        last = stopped.wait(1)
        new = out.with_suffix(".new")
        new.write_text(json.dumps({"asked": sum(asked.values()), "failed": failed}))
        new.replace(out)


if __name__ == "__main__":
    main()
