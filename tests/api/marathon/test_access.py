"""Who may ask: credentials, and pages of other origins."""

import base64

import pytest

from mesosphere.kernel.events import LeaderChanged
from tests.api.marathon.test_contract import raw
from tests.scenarios.marathon.harness import World, decoded


def basic(text: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("user:wrong"),
        basic(":"),
        {"authorization": "Basic ***"},
        {"authorization": "Bearer dXNlcjpwYXNzd29yZA=="},
        {"authorization": "dXNlcjpwYXNzd29yZA=="},
    ],
)
def test_without_the_credentials_nothing_is_answered(headers: dict[str, str]) -> None:
    world = World(http_credentials="user:password").lead()
    for method, path in (("GET", "/ping"), ("GET", "/v2/events"), ("DELETE", "/v2/groups")):
        response = raw(world, method, path, headers=headers)
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == 'Basic realm="Mesosphere"'
        assert decoded(response) == {"message": "Unauthorized"}


def test_with_the_credentials_everything_is_answered() -> None:
    world = World(http_credentials="user:pass:word").lead()
    assert raw(world, "GET", "/v2/apps", headers=basic("user:pass:word")).status == 200
    standby = World(http_credentials="user:password")
    standby.give(LeaderChanged("/leader-curator", b"there:8080"))
    refused = standby.send("GET", "/v2/apps")[1]
    assert refused is not None and refused.status == 401 and standby.proxied == []
    standby.send("GET", "/v2/apps", headers=basic("user:password"))
    assert len(standby.proxied) == 1, "who leads asks for them again"


def test_a_browser_may_ask_before_it_reads() -> None:
    world = World(access_control_allow_origin=("*",)).lead()
    asked = {"access-control-request-headers": "content-type, x-mine"}
    response = raw(world, "OPTIONS", "/v2/apps", headers=asked)
    assert (response.status, response.body) == (200, b"")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Access-Control-Allow-Headers"] == "content-type, x-mine"
    assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert response.headers["Access-Control-Max-Age"] == "86400"
    assert response.headers["Allow"] == "GET, POST, PUT, PATCH"
    assert raw(world, "OPTIONS", "/v2/nothing").status == 404


def test_cross_origin_headers_only_on_request() -> None:
    world = World(access_control_allow_origin=("a", "b")).lead()
    assert raw(world, "GET", "/ping").headers["Access-Control-Allow-Origin"] == "b"
    assert "Access-Control-Allow-Origin" not in raw(World().lead(), "GET", "/ping").headers
