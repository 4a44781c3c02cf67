"""Looks at a task from within its network: one HTTP request or one connection. A program.

`looking PID URL TIMEOUT`: enters the network namespace of the process, and writes to standard
output {"value": status}, or {"value": 1} of a connection, or {"reason": "..."}. Certificates are
not checked, redirects are followed, as the original's health checker has curl do. Standard library
only.
"""

import http.client
import json
import os
import socket
import ssl
import sys
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from mesosphere.agent.isolation.processes import CLONE_NEWNET, system_call


def look(url: str, timeout_s: float) -> dict[str, Any]:
    """The answer to one look."""
    parts = urlsplit(url)
    if parts.scheme == "tcp":
        try:
            socket.create_connection((parts.hostname or "", parts.port or 0), timeout_s).close()
        except OSError as error:
            return {"value": 0, "reason": str(error.strerror or error)}
        return {"value": 1}
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=timeout_s) as answer:
            return {"value": answer.status}
    except urllib.error.HTTPError as error:
        return {"value": error.code, "reason": f"HTTP status {error.code}"}
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"reason": str(getattr(error, "reason", None) or error)}


def main(arguments: list[str]) -> int:
    """Enter, look, tell."""
    pid, url, timeout_s = arguments
    try:
        namespace = os.open(f"/proc/{int(pid)}/ns/net", os.O_RDONLY)
        system_call("setns", namespace, CLONE_NEWNET)
    except OSError as error:
        told: dict[str, Any] = {"reason": f"the task's network can't be entered: {error.strerror}"}
    else:
        told = look(url, float(timeout_s))
    sys.stdout.write(json.dumps(told))
    return 0
