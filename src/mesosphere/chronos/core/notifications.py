"""Who is told of failures, disablings and deletions, and in which form.

Decides: one message for each owner of the job and each channel that is configured; a job without
an owner is told of once. Vocabulary: a *channel* is an HTTP endpoint of the operator's: a URL of
his own (all fields of the job), Slack or Mattermost (a line of text).
Invariants: pure; a message goes out after what it tells is durable; its failure is logged and
changes nothing.
Source: Chronos, "Notifications"; JobNotificationObserver, HttpClient, SlackClient,
MattermostClient. Unlike there, Slack hears of deletions too (the original posts an empty object).
"""

import base64

import msgspec

from mesosphere.kernel.effects import Call, Effect
from mesosphere.wire.chronos import Job

OWNERS_LIMIT = 100
"""Owners of one job that are told."""


class Channels(msgspec.Struct, frozen=True):
    """Where messages go. `credentials`: "user:password" for `http_url`."""

    http_url: str | None = None
    credentials: str | None = None
    slack_url: str | None = None
    mattermost_url: str | None = None
    cluster_name: str = ""


def messages(channels: Channels, job: Job, subject: str, message: str, serial: int) -> list[Effect]:
    """The calls that tell of a job; `serial` makes their names unique."""
    if channels.cluster_name:
        subject = f"[{channels.cluster_name}] {subject}"
    text = msgspec.json.encode({"text": f"{subject}: {message}" if message else subject})
    told: list[Effect] = []
    for owner in [one.strip() for one in job.owner.split(",")][:OWNERS_LIMIT]:
        bodies = (
            (channels.http_url, msgspec.json.encode(_payload(job, subject, message, owner))),
            (channels.slack_url, text),
            (channels.mattermost_url, text),
        )
        for url, body in bodies:
            if url is None:
                continue
            headers = {"Content-Type": "application/json"}
            if channels.credentials is not None and url == channels.http_url:
                encoded = base64.b64encode(channels.credentials.encode()).decode()
                headers["Authorization"] = f"Basic {encoded}"
            name = f"notify/{serial}/{len(told)}/{job.name}"
            told.append(Call(call=name, method="POST", url=url, headers=headers, body=body))
    return told


def _payload(job: Job, subject: str, message: str, owner: str) -> dict[str, str]:
    """All values are text, as in the original."""
    return {
        "subject": subject,
        **({"message": message} if message else {}),
        **({"to": owner} if owner else {}),
        "job": job.name,
        "command": job.command,
        "cpus": str(job.cpus),
        "mem": str(job.mem),
        "retries": str(job.retries),
        "errorCount": str(job.error_count),
        "errorsSinceLastSuccess": str(job.errors_since_last_success),
        "successCount": str(job.success_count),
        "lastError": job.last_error,
        "lastSuccess": job.last_success,
        "softError": str(job.soft_error).lower(),
        "executor": job.executor,
        "executorFlags": job.executor_flags,
        "uris": ",".join([*(fetch.uri for fetch in job.fetch), *job.uris]),
    }
