"""The life of a framework's subscription, as a table.

    IDLE ──start──> SEEKING ──leader──> CONNECTING ──headers──> OPENING ──SUBSCRIBED──> SUBSCRIBED
                       ^                    │  ^                  │                        │
                       └────no leader───────┤  └──retry── WAITING <──────── broken ────────┘

Source: Mesos, "Scheduler HTTP API", disconnections and master detection.
"""

from enum import Enum

from mesosphere.kernel.transitions import Step, Table


class Link(Enum):
    """Where the subscription stands."""

    IDLE = "idle"  # not started, stopped, or refused for good
    SEEKING = "seeking"  # no leading master is known
    CONNECTING = "connecting"  # SUBSCRIBE is on its way
    OPENING = "opening"  # the stream is open, SUBSCRIBED has not arrived
    SUBSCRIBED = "subscribed"
    WAITING = "waiting"  # the back-off timer runs


class Input(Enum):
    """What may happen to it."""

    START = "start"
    LEADER = "leader"  # another leading master, or the first
    NO_LEADER = "no leader"
    HEADERS = "headers"  # 200 and a stream id
    REDIRECT = "redirect"
    WELCOME = "welcome"  # the SUBSCRIBED event
    BREAK = "break"  # the stream ended, or the answer was an error that passes
    RETRY = "retry"  # the back-off is over
    REFUSE = "refuse"  # an ERROR event, or an answer that will not change
    STOP = "stop"


class Action(Enum):
    """What the client does on the way, in order."""

    DETECT = "detect"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    BACK_OFF = "back off"
    FORGET_STREAM = "forget stream"
    REPORT_LOST = "report lost"
    REPORT_REFUSED = "report refused"
    REPORT_SUBSCRIBED = "report subscribed"


_RECONNECT = (Action.FORGET_STREAM, Action.CONNECT)
_LEAVE = (Action.FORGET_STREAM, Action.DISCONNECT)

LINK: Table[Link, Input, Action] = Table(
    "framework link",
    {
        (Link.IDLE, Input.START): Step(Link.SEEKING, (Action.DETECT,)),
        (Link.SEEKING, Input.LEADER): Step(Link.CONNECTING, (Action.CONNECT,)),
        (Link.SEEKING, Input.NO_LEADER): Step(Link.SEEKING),
        (Link.CONNECTING, Input.LEADER): Step(Link.CONNECTING, _RECONNECT),
        (Link.CONNECTING, Input.NO_LEADER): Step(Link.SEEKING, _LEAVE),
        (Link.CONNECTING, Input.HEADERS): Step(Link.OPENING),
        (Link.CONNECTING, Input.REDIRECT): Step(Link.CONNECTING, _RECONNECT),
        (Link.CONNECTING, Input.BREAK): Step(Link.WAITING, (Action.BACK_OFF,)),
        (Link.CONNECTING, Input.REFUSE): Step(Link.IDLE, (*_LEAVE, Action.REPORT_REFUSED)),
        (Link.OPENING, Input.LEADER): Step(Link.CONNECTING, _RECONNECT),
        (Link.OPENING, Input.NO_LEADER): Step(Link.SEEKING, _LEAVE),
        (Link.OPENING, Input.WELCOME): Step(Link.SUBSCRIBED, (Action.REPORT_SUBSCRIBED,)),
        (Link.OPENING, Input.BREAK): Step(Link.WAITING, (*_LEAVE, Action.BACK_OFF)),
        (Link.OPENING, Input.REFUSE): Step(Link.IDLE, (*_LEAVE, Action.REPORT_REFUSED)),
        (Link.SUBSCRIBED, Input.LEADER): Step(Link.CONNECTING, (*_RECONNECT, Action.REPORT_LOST)),
        (Link.SUBSCRIBED, Input.NO_LEADER): Step(Link.SEEKING, (*_LEAVE, Action.REPORT_LOST)),
        (Link.SUBSCRIBED, Input.BREAK): Step(
            Link.WAITING, (*_LEAVE, Action.REPORT_LOST, Action.BACK_OFF)
        ),
        (Link.SUBSCRIBED, Input.REFUSE): Step(
            Link.IDLE, (*_LEAVE, Action.REPORT_LOST, Action.REPORT_REFUSED)
        ),
        (Link.WAITING, Input.LEADER): Step(Link.CONNECTING, (Action.CONNECT,)),
        (Link.WAITING, Input.NO_LEADER): Step(Link.SEEKING),
        (Link.WAITING, Input.RETRY): Step(Link.CONNECTING, (Action.CONNECT,)),
        **{(link, Input.STOP): Step(Link.IDLE, _LEAVE) for link in Link},
    },
)
"""A pair that is missing is stale news (a record of a stream already left) and is ignored."""
