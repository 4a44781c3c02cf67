"""The same executor by pymesos, a public library."""

import json

from pymesos import Executor, MesosExecutorDriver, decode_data, encode_data


class Mine(Executor):  # type: ignore[misc]
    def launchTask(self, driver, task):  # type: ignore[no-untyped-def]
        self._update(driver, task["task_id"]["value"], "TASK_RUNNING")

    def killTask(self, driver, task_id):  # type: ignore[no-untyped-def]
        self._update(driver, task_id["value"], "TASK_KILLED")

    def frameworkMessage(self, driver, data):  # type: ignore[no-untyped-def]
        told = json.loads(decode_data(data))
        driver.sendFrameworkMessage(encode_data(json.dumps(told).encode()))
        if "finish" in told:
            self._update(driver, told["finish"], "TASK_FINISHED")

    @staticmethod
    def _update(driver, task_id, state):  # type: ignore[no-untyped-def]
        status = {"task_id": {"value": task_id}, "state": state, "message": "by hand"}
        driver.sendStatusUpdate(status)


if __name__ == "__main__":
    MesosExecutorDriver(Mine()).run()
