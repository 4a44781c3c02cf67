"""The bodies and codes of answers, above all of refusals, in Marathon's words.

Source: Marathon, "REST API"; MarathonExceptionMapper.scala, Validation.scala.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mesosphere.kernel.http import Response, json_response
from mesosphere.wire.marathon.shapes import Faults

DEPLOYMENT_HEADER = "Marathon-Deployment-Id"


class Rejected(Exception):
    """A request that is refused; `response` says why."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"refused with {response.status}")
        self.response = response


def message(status: int, text: str) -> Response:
    """`{"message": ...}`."""
    return json_response(status, {"message": text})


def invalid_json(faults: Faults) -> Response:
    """422 for JSON of the wrong shape."""
    return json_response(422, {"message": "Invalid JSON", "details": _details(faults)})


def not_valid(faults: Faults) -> Response:
    """422 for what has the right shape and makes no sense."""
    return json_response(422, {"message": "Object is not valid", "details": _details(faults)})


def _details(faults: Faults) -> list[dict[str, Any]]:
    by_path: dict[str, list[str]] = {}
    for path, text in faults:
        texts = by_path.setdefault(path or "/", [])
        if text not in texts:
            texts.append(text)
    return [{"path": path, "errors": texts} for path, texts in by_path.items()]


def app_missing(app_id: str, version: str | None = None) -> Response:
    """404 for an app, or for a version of it."""
    suffix = "" if version is None else f" in version {version}"
    return message(404, f"App '{app_id}' does not exist{suffix}")


def group_missing(group: str) -> Response:
    """404 for a group."""
    return message(404, f"Group '{group}' does not exist")


def task_missing(task_id: str) -> Response:
    """404 for a task."""
    return message(404, f"Task '{task_id}' does not exist")


def locked(deployments: Sequence[str]) -> Response:
    """409 because other deployments move the same apps."""
    return json_response(
        409,
        {
            "message": "App is locked by one or more deployments. Override with the option"
            " '?force=true'. View details at '/v2/deployments/<DEPLOYMENT_ID>'.",
            "deployments": [{"id": deployment} for deployment in deployments],
        },
    )


def deployment_result(
    status: int, version: str, deployment_id: str, headers: Mapping[str, str] = {}
) -> Response:
    """The answer to every change that starts a deployment."""
    return json_response(
        status,
        {"version": version, "deploymentId": deployment_id},
        {DEPLOYMENT_HEADER: deployment_id, **headers},
    )
