"""What an agent offers by its flags: detected, lent, with GPUs, in a domain."""

import os
from pathlib import Path
from typing import Any

import pytest

from mesosphere.agent.core.oversubscription import LoadController, NoController
from mesosphere.agent.flags import FLAGS
from mesosphere.agent.isolation import gpus
from mesosphere.agent.offering import oversubscribed, qos_controller, resources
from mesosphere.kernel.flags import Settings, UsageError, parse

MODULES = """{"libraries": [{"file": "libfixed.so", "modules": [
  {"name": "org_apache_mesos_FixedResourceEstimator",
   "parameters": [{"key": "resources", "value": "cpus:3;mem:64"}]},
  {"name": "org_apache_mesos_LoadQoSController",
   "parameters": [{"key": "load_threshold_5min", "value": "6"}]}]}]}"""


def settings(*arguments: str) -> Settings:
    given = ["--master=m:1", "--work_dir=/w", *arguments]
    return parse(FLAGS, given, {}, program="agent", prefix="MESOS", read=lambda path: "")


def test_the_fixed_estimator_lends_revocable_resources(tmp_path: Path) -> None:
    lending = settings("--resources=cpus:2;mem:100", "--resource_estimator=fixed",
                       "--oversubscribed_resources=cpus:1.5")  # fmt: skip
    found = resources(lending, str(tmp_path))
    assert found.revocable().scalars() == {"cpus": 1500}
    assert found.non_revocable().scalar("cpus") == 2000
    named = "org_apache_mesos_FixedResourceEstimator"
    old = settings(f"--resource_estimator={named}", f"--modules={MODULES}")
    assert oversubscribed(old).scalars() == {"cpus": 3000, "mem": 64_000}
    assert oversubscribed(settings()).is_empty


def test_the_load_controller_takes_back_while_the_host_is_busy() -> None:
    found = qos_controller(settings("--qos_controller=load", f"--modules={MODULES}"))
    assert found == LoadController(load_5min=6.0)
    assert found.must_correct({"system/load_5min": 6.5})
    assert not found.must_correct({"system/load_5min": 6.0, "system/load_15min": 99.0})
    assert qos_controller(settings("--qos_controller=noop")) == NoController()


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (("--resource_estimator=mine",), "--resource_estimator: 'mine'"),
        (("--qos_controller=mine",), "--qos_controller: 'mine'"),
        (("--resource_estimator=fixed", "--modules=[]"), "--modules"),
        (("--resource_estimator=fixed", '--modules={"libraries": 1}'), "--modules: malformed"),
        (("--resources=gpus:1",), "1 gpus, and 0 can be given"),
        (("--isolation=gpu/nvidia", "--nvidia_gpu_devices=0,77"), "no device"),
        (("--isolation=gpu/nvidia", "--nvidia_gpu_devices=x"), "--nvidia_gpu_devices"),
    ],
)
def test_offers_that_make_no_sense_name_their_flag(flags: tuple[str, ...], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        given = settings(*flags)
        resources(given, "/")
        qos_controller(given)


def test_devices_are_given_once() -> None:
    assert gpus.choose([0, 1, 2], [1], 2) == [0, 2]
    assert gpus.choose([0, 1], [0, 1], 1) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
def test_a_container_sees_its_own_devices_only(tmp_path: Path) -> None:
    for number, name in enumerate(("nvidia0", "nvidia1", "nvidiactl")):
        try:
            os.mknod(tmp_path / name, 0o20666, os.makedev(1, 3 + number))
        except PermissionError:
            pytest.skip("no device nodes can be made here")
    (tmp_path / "nvidia9").write_text("no device")
    assert gpus.find_devices(str(tmp_path)) == [0, 1, 9]
    config: dict[str, Any] = {"linux": {"resources": {"devices": [{"allow": False}]}}}
    found = gpus.with_devices(config, [1], str(tmp_path), has_image=True)["linux"]
    assert [node["path"] for node in found["devices"]] == ["/dev/nvidia1", "/dev/nvidiactl"]
    rules = found["resources"]["devices"]
    assert [(rule["allow"], rule.get("minor")) for rule in rules] == [
        (False, None), (False, 3), (True, 4), (True, 5),
    ]  # fmt: skip
    without = gpus.with_devices(config, [], str(tmp_path), has_image=False)["linux"]
    assert "devices" not in without and len(without["resources"]["devices"]) == 3
