"""The shape of a handler of an operator call."""

from collections.abc import Callable, Mapping

from mesosphere.kernel.http import Request
from mesosphere.master.api.answers import Answer
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire.mesos import operator
from mesosphere.wire.mesos.base import WireStruct

Handler = Callable[[MasterMachine, float, Request, operator.Call], Answer | WireStruct]
"""Answers, or gives what a Response holds under the name of its call."""

Handlers = Mapping[str, Handler]
