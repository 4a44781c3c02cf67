"""A custom executor with blocking sockets and nothing but the standard library.

Tasks run until a message names them: `{"finish": "<task>"}`. Every message is echoed. It comes back
when its agent is gone for a while, with what was not acknowledged.
"""

import base64
import http.client
import json
import os
import sys
import threading
import time
import uuid
from typing import Any

HOST, PORT = os.environ["MESOS_AGENT_ENDPOINT"].split(":")
IDS = {
    "framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]},
    "executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]},
}
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


class Executor:
    def __init__(self) -> None:
        self.tasks: dict[str, Any] = {}
        self.updates: dict[str, Any] = {}

    def post(self, kind: str, **body: Any) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(HOST, int(PORT), timeout=60)
        connection.request("POST", "/api/v1/executor", json.dumps({"type": kind, **IDS, **body}),
                           HEADERS)  # fmt: skip
        return connection.getresponse()

    def update(self, task_id: str, state: str) -> None:
        status = {
            "task_id": {"value": task_id}, "state": state, "source": "SOURCE_EXECUTOR",
            "uuid": base64.b64encode(uuid.uuid4().bytes).decode(), "message": "by hand",
        }  # fmt: skip
        self.updates[status["uuid"]] = {"status": status}  # type: ignore[index]
        answer = self.post("UPDATE", update={"status": status})
        assert answer.status == 202, answer.read()

    def live(self) -> None:
        while True:
            subscribe = {
                "unacknowledged_tasks": list(self.tasks.values()),
                "unacknowledged_updates": list(self.updates.values()),
            }
            try:
                answer = self.post("SUBSCRIBE", subscribe=subscribe)
                if answer.status == 200:
                    self.listen(answer)
                elif answer.status != 503:
                    sys.exit(f"{answer.status}: {answer.read()!r}")
            except (OSError, http.client.HTTPException) as error:
                print("away:", error, flush=True)
            time.sleep(0.2)

    def listen(self, answer: http.client.HTTPResponse) -> None:
        while True:
            line = answer.readline()
            if not line:
                return
            event = json.loads(answer.read(int(line)))
            print("heard", event["type"], flush=True)
            self.handle(event)

    def handle(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind == "LAUNCH":
            task = event["launch"]["task"]
            self.tasks[task["task_id"]["value"]] = task
            self.update(task["task_id"]["value"], "TASK_RUNNING")
        elif kind == "LAUNCH_GROUP":
            for task in event["launch_group"]["task_group"]["tasks"]:
                self.handle({"type": "LAUNCH", "launch": {"task": task}})
        elif kind == "KILL":
            self.update(event["kill"]["task_id"]["value"], "TASK_KILLED")
        elif kind == "ACKNOWLEDGED":
            self.updates.pop(event["acknowledged"]["uuid"], None)
            self.tasks.pop(event["acknowledged"]["task_id"]["value"], None)
        elif kind == "MESSAGE":
            data = event["message"]["data"]
            assert self.post("MESSAGE", message={"data": data}).status == 202
            told = json.loads(base64.b64decode(data))
            if "finish" in told:
                self.update(told["finish"], "TASK_FINISHED")
        elif kind == "SHUTDOWN":
            print("asked to end", flush=True)
            os._exit(0)


if __name__ == "__main__":
    threading.excepthook = lambda arguments: os._exit(3)
    Executor().live()
