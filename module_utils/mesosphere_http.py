"""Requests to the cluster's endpoints, and the comparison that makes modules idempotent.

A module asks through `Api`; what goes wrong ends in one sentence that says what was asked and what
was answered. `differences` holds what a user wrote against what a server has: what the user did
not write is the server's business.
"""

import json
import time

from ansible.module_utils.urls import fetch_url

REQUEST_TIMEOUT_S = 20
BODY_LIMIT_BYTES = 64 * 1024 * 1024


class RequestError(Exception):
    """A request that could not be made, or an answer that is no answer. One sentence."""


class Answer:
    """A status, and the body as JSON (None if it is none) and as text."""

    def __init__(self, status, text):
        self.status = status
        self.text = text
        try:
            self.json = json.loads(text) if text else None
        except ValueError:
            self.json = None

    @property
    def says(self):
        """What the server said, in a few words."""
        if isinstance(self.json, dict) and self.json.get("message"):
            details = self.json.get("details")
            return str(self.json["message"]) + (f" {json.dumps(details)}" if details else "")
        return " ".join(self.text.split())[:500] or "nothing"


class Api:
    """One component's HTTP interface, by any of its URLs."""

    def __init__(self, module, urls):
        self.module = module
        self.urls = [url.rstrip("/") for url in urls]

    def ask(self, method, path, body=None, headers=None):
        """An Answer of the first URL that gives one. Raises RequestError."""
        data = None if body is None else json.dumps(body).encode()
        wanted = {"Accept": "application/json", **(headers or {})}
        if data is not None:
            wanted["Content-Type"] = "application/json"
        faults = []
        for url in list(self.urls):
            response, info = fetch_url(
                self.module,
                url + path,
                data=data,
                headers=wanted,
                method=method,
                timeout=REQUEST_TIMEOUT_S,
                force=True,
            )
            status = info["status"]
            if status < 0:
                faults.append(f"{method} {url}{path}: {info.get('msg', 'no answer')}")
                continue
            raw = info.get("body") if response is None or status >= 400 else None
            if raw is None:
                raw = response.read(BODY_LIMIT_BYTES) if response is not None else b""
            text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
            # The one that answered is asked first from now on.
            self.urls.remove(url)
            self.urls.insert(0, url)
            return Answer(status, text)
        raise RequestError("; ".join(faults))

    def expect(self, method, path, body=None, allowed=(200,), headers=None):
        """An Answer with an allowed status. Raises RequestError."""
        answer = self.ask(method, path, body, headers)
        if answer.status not in allowed:
            asked = f"{method} {self.urls[0]}{path}"
            raise RequestError(f"{asked} was answered {answer.status}: {answer.says}")
        return answer


def wait_until(condition, timeout_s, pause_s=1.0):
    """The first true value of `condition`, or its last false one when the time is over."""
    until = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value or time.monotonic() >= until:
            return value
        time.sleep(pause_s)


def differences(wanted, actual, whole=(), unordered=(), path=""):
    """What of `wanted` is otherwise in `actual`: {path: (actual, wanted)}.

    Members of objects that are not wanted don't count, except below the names in `whole`, whose
    objects must be equal. Lists must be of one length; those named in `unordered` may be in any
    order. 1 and 1.0 are equal.
    """
    name = path.rsplit(".", 1)[-1]
    if isinstance(wanted, dict) and isinstance(actual, dict):
        keys = list(wanted)
        if name in whole:
            keys += [key for key in actual if key not in wanted]
        found = {}
        for key in keys:
            below = f"{path}.{key}" if path else str(key)
            if key not in wanted or key not in actual:
                if wanted.get(key) is not None or actual.get(key) is not None:
                    found[below] = (actual.get(key), wanted.get(key))
                continue
            found.update(differences(wanted[key], actual[key], whole, unordered, below))
        return found
    if isinstance(wanted, list) and isinstance(actual, list) and len(wanted) == len(actual):
        if name in unordered:
            wanted, actual = sorted(wanted, key=_order), sorted(actual, key=_order)
        found = {}
        for index, (one, other) in enumerate(zip(wanted, actual, strict=True)):
            found.update(differences(one, other, whole, unordered, f"{path}[{index}]"))
        return found
    if _plain(wanted) == _plain(actual):
        return {}
    return {path: (actual, wanted)}


def _order(value):
    return json.dumps(value, sort_keys=True)


def _plain(value):
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return value


def as_diff(found, title):
    """Differences in the form that Ansible prints."""

    def side(index):
        lines = [f"{path}: {json.dumps(found[path][index])}" for path in sorted(found)]
        return "\n".join(lines) + "\n" if lines else ""

    return {"before": side(0), "after": side(1), "before_header": title, "after_header": title}
