"""A custom executor that speaks protobuf by Google's runtime.

Tasks run until they are killed or the executor is shut down; messages are echoed. Its argument is
the compiled set of messages.
"""

import os
import sys
import uuid
from pathlib import Path
from typing import Any

from tests.integration.google_protobuf import Peer, name_of

IDS = {
    "framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]},
    "executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]},
}


def main() -> None:
    port = int(os.environ["MESOS_AGENT_ENDPOINT"].rpartition(":")[2])
    peer = Peer(Path(sys.argv[1]), "mesos.v1.executor", port, "/api/v1/executor")

    def tell(kind: str, **body: Any) -> None:
        peer.tell(peer.message("Call", type=kind, **IDS, **body))

    def update(task_id: Any, state: str) -> None:
        status = {
            "task_id": task_id, "state": state, "source": "SOURCE_EXECUTOR",
            "uuid": uuid.uuid4().bytes, "message": "by protobuf",
        }  # fmt: skip
        tell("UPDATE", update={"status": status})

    events = peer.subscribe(peer.message("Call", type="SUBSCRIBE", **IDS, subscribe={}))
    events.next("SUBSCRIBED")
    for event in events:
        kind = name_of(event)
        print("heard", kind, flush=True)
        if kind == "LAUNCH":
            update(event.launch.task.task_id, "TASK_RUNNING")
        elif kind == "KILL":
            update(event.kill.task_id, "TASK_KILLED")
        elif kind == "MESSAGE":
            tell("MESSAGE", message={"data": event.message.data})
        elif kind == "SHUTDOWN":
            return


if __name__ == "__main__":
    main()
