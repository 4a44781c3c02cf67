"""Calls that only read: the answers are made in `views.operator`."""

from collections.abc import Callable

from mesosphere.kernel.http import Request, Response, Unfinished
from mesosphere.kernel.pages import Slices
from mesosphere.master.api.answers import Answer
from mesosphere.master.api.operator.table import Handler, Handlers
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.views.operator import BIG_READS, READS
from mesosphere.wire.mesos import answers, operator, sections
from mesosphere.wire.mesos.base import WireStruct
from mesosphere.wire.mesos.media import Media, wanted


def _read(view: Callable[[MasterMachine], WireStruct]) -> Handler:
    def answer(
        master: MasterMachine, now: float, request: Request, call: operator.Call
    ) -> WireStruct:
        return view(master)

    return answer


def _read_all(view: Callable[[MasterMachine], sections.Section]) -> Handler:
    def answer(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
        media = wanted(request.headers)
        assert isinstance(media, Media)
        kind = call.type

        def begin() -> Slices:
            fields = {"type": kind, kind.lower(): view(master)}
            return sections.encode(sections.Section(answers.Response, fields), media)

        page = master.pages.get(f"{kind}/{media.name}", begin)
        headers = {"Content-Type": media.value}
        return Unfinished(page, lambda body: Response(200, headers, body))

    return answer


CALLS: Handlers = {
    **{kind: _read(view) for kind, view in READS.items()},
    **{kind: _read_all(view) for kind, view in BIG_READS.items()},
}
