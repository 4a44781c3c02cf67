"""The shape of a handler of an operator call."""

from collections.abc import Callable, Mapping
from typing import Any

from mesosphere.kernel.http import Request
from mesosphere.master.api.answers import Answer
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire.mesos import operator
from mesosphere.wire.mesos.base import WireStruct

Body = Mapping[str, Any] | WireStruct
"""What a Response holds under the name of its call."""

Handler = Callable[[MasterMachine, float, Request, operator.Call], Answer | Body]
Handlers = Mapping[str, Handler]
