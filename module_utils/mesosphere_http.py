"""Requests to the cluster's endpoints, and the comparison that makes modules idempotent.

A module asks through `Api`; what goes wrong ends in one sentence that says what was asked and what
was answered. `differences` holds what a user wrote against what a server has: what the user did
not write is the server's business.
"""

import json
import re
import time
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin

from ansible.module_utils.urls import ConnectionError as UrlError
from ansible.module_utils.urls import open_url

REQUEST_TIMEOUT_S = 20
BODY_LIMIT_BYTES = 64 * 1024 * 1024
REDIRECTS = (301, 302, 303, 307, 308)
REDIRECTS_LIMIT = 5
LEADER_TIMEOUT_S = 30
PASSING = (502, 503, 504)
"""Codes of servers that have no leader, or can't reach it, at the moment."""

ACCESS_ARGUMENTS = {
    "url_username": {"type": "str"},
    "url_password": {"type": "str", "no_log": True},
    "validate_certs": {"type": "bool", "default": True},
}


class RequestError(Exception):
    """A request that could not be made, or an answer that is none. One sentence.

    `passing` says that asking again later may help; `leaderless` that there is no leader now.
    """

    def __init__(self, sentence, passing=False, leaderless=False):
        super().__init__(sentence)
        self.passing = passing or leaderless
        self.leaderless = leaderless


def report(module, act):
    """Act, and end the module with the result or with the sentence of what went wrong."""
    try:
        result = act()
    except RequestError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


class LeaderAway(Exception):
    """A server named a leader who can't be connected, or who names another in a circle."""


class Answer:
    """A status, and the body as JSON (None if it is none) and as text; `url` is who answered."""

    def __init__(self, status, text, url=""):
        self.status = status
        self.text = text
        self.url = url
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
        given = module.params
        self.urls = [url.rstrip("/") for url in urls]
        self.options = {
            "timeout": REQUEST_TIMEOUT_S,
            "follow_redirects": "none",
            "validate_certs": given.get("validate_certs", True),
            "url_username": given.get("url_username"),
            "url_password": given.get("url_password"),
            "force_basic_auth": bool(given.get("url_username")),
        }

    def ask(self, method, path, body=None):
        """An Answer of the first URL that gives one; of one without a leader only if all are.

        Raises RequestError.
        """
        faults, leaderless, led_away = [], None, False
        for url in list(self.urls):
            try:
                answer = self._request(method, url + path, body)
            except LeaderAway as error:
                led_away = True
                faults.append(f"{method} {_shown(url + path)}: {error}")
                continue
            except (OSError, HTTPException, UrlError, ValueError) as error:
                reason = getattr(error, "reason", None) or error or type(error).__name__
                faults.append(f"{method} {_shown(url + path)}: {reason}")
                continue
            # With 502 and 504 the leader may have done what was asked: only a read is repeated.
            if answer.status == 503 or (answer.status in PASSING and method == "GET"):
                leaderless = answer
                continue
            # The one that answered is asked first from now on.
            self.urls.remove(url)
            self.urls.insert(0, url)
            return answer
        if leaderless is not None:
            return leaderless
        sentence = "; ".join(faults) or "there is no URL to ask"
        raise RequestError(sentence, passing=True, leaderless=led_away)

    def _request(self, method, url, body):
        """The Answer behind all redirects, which keep method and body."""
        headers = {"Accept": "application/json"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        for hop in range(REDIRECTS_LIMIT + 1):
            try:
                response = open_url(url, data=data, headers=headers, method=method, **self.options)
            except HTTPError as error:
                response = error
            except URLError as error:
                # It was not sent. A leader that died is named until its session is over.
                if hop == 0:
                    raise
                raise LeaderAway(f"its leader at {_shown(url)}: {error.reason}") from error
            with response:
                raw = response.read(BODY_LIMIT_BYTES + 1)
                status, location = response.code, response.headers.get("Location")
            if len(raw) > BODY_LIMIT_BYTES:
                raise ValueError(f"the answer has more than {BODY_LIMIT_BYTES} bytes")
            if status not in REDIRECTS or not location:
                return Answer(status, raw.decode("utf-8", "replace"), _shown(url))
            # A master says `//host:port/path`.
            url = urljoin(url, location)
        raise LeaderAway(f"redirected more than {REDIRECTS_LIMIT} times")

    def expect(self, method, path, body=None, allowed=(200,), shape=None):
        """An Answer with an allowed status, whose JSON is of the type `shape` (dict, list).

        Raises RequestError.
        """
        answer = self.ask(method, path, body)
        if answer.status not in allowed:
            raise RequestError(
                f"{method} {answer.url} was answered {answer.status}: {answer.says}",
                leaderless=answer.status in PASSING,
            )
        if shape is not None and answer.status < 300 and not isinstance(answer.json, shape):
            wanted = "JSON object" if shape is dict else "JSON array"
            raise RequestError(
                f"{method} {answer.url} was answered with no {wanted}, but: {answer.says[:200]}"
            )
        return answer


def _shown(url):
    """A URL without the password that it may hold."""
    return re.sub(r"//[^/@]*@", "//", url)


def wait_until(condition, timeout_s, pause_s=1.0):
    """The first true value of `condition`, or its last false one when the time is over.

    A request that fails in passing is tried again; raises RequestError if the last one did.
    """
    until = time.monotonic() + timeout_s
    while True:
        value, fault = None, None
        try:
            value = condition()
        except RequestError as error:
            if not error.passing:
                raise
            fault = error
        if value:
            return value
        if time.monotonic() >= until:
            if fault is not None:
                raise RequestError(f"after {timeout_s} s: {fault}")
            return value
        time.sleep(pause_s)


def once_led(ask, timeout_s=LEADER_TIMEOUT_S, pause_s=1.0):
    """What `ask` returns, which is asked again as long as there is no leader.

    Raises RequestError, at once if nobody answers at all.
    """

    def attempt():
        try:
            return [ask()]
        except RequestError as error:
            error.passing = error.leaderless
            raise

    return wait_until(attempt, timeout_s, pause_s)[0]


def without_nulls(value):
    """A value without the members of objects that are null: those were not given."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    return value


def as_text(value):
    """A scalar as an environment holds it: YAML's `true` and 1 are "true" and "1"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def as_number(value):
    """The number in a text, as templates make them; anything else stays."""
    if isinstance(value, str):
        for read in (int, float):
            try:
                return read(value)
            except ValueError:
                continue
    return value


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


def outcome(found, title, changes=()):
    """A module's result: `changed`, `changes`, and the diff that Ansible prints if there is one."""
    result = {
        "changed": bool(found) or bool(changes),
        "changes": sorted(found) + list(changes),
    }
    if found:
        result["diff"] = as_diff(found, title)
    return result


def as_diff(found, title):
    """Differences in the form that Ansible prints."""

    def side(index):
        lines = [f"{path}: {json.dumps(found[path][index])}" for path in sorted(found)]
        return "\n".join(lines) + "\n" if lines else ""

    return {"before": side(0), "after": side(1), "before_header": title, "after_header": title}
