"""The ledger: one transaction at a time, and nothing happens before what it waits for."""

from mesosphere.kernel.effects import Commit, Effect, Log
from mesosphere.kernel.ledger import BYTES_PER_COMMIT, WRITES_PER_COMMIT, Continuation, Ledger
from mesosphere.kernel.store import ABSENT, Check, Put, Write


def make(size: int = 1) -> Ledger:
    def render(path: str) -> Write:
        return Put(path, b"x" * size)

    ledger = Ledger("test", render)
    ledger.hold_office(7)
    return ledger


def say(text: str) -> Continuation:
    return lambda now: [Log("info", text)]


def said(effects: list[Effect]) -> list[str]:
    return [each.event for each in effects if isinstance(each, Log)]


def commits(effects: list[Effect]) -> list[Commit]:
    return [each for each in effects if isinstance(each, Commit)]


def test_a_term_begins_by_writing_the_epoch() -> None:
    ledger = make()
    assert ledger.take_office(b"me", None).writes == (Put("/epoch", b"me", ABSENT),)
    commit = ledger.take_office(b"me", 3)
    assert commit.writes == (Put("/epoch", b"me", 3),) and ledger.is_epoch(commit.token)


def test_every_transaction_checks_the_epoch() -> None:
    ledger = make()
    ledger.mark("/a")
    [commit] = commits(ledger.flush(0.0))
    assert commit.writes == (Check("/epoch", 7), Put("/a", b"x"))
    assert ledger.owns(commit.token) and not ledger.is_epoch(commit.token)


def test_what_waits_for_nothing_happens_at_once() -> None:
    ledger = make()
    ledger.after(say("now"))
    assert said(ledger.flush(0.0)) == ["now"] and ledger.flush(0.0) == []


def test_what_waits_happens_after_the_transaction_and_in_order() -> None:
    ledger = make()
    ledger.mark("/a")
    ledger.after(say("one"))
    ledger.after(say("two"))
    assert said(ledger.flush(0.0)) == []
    ledger.mark("/b")
    ledger.after(say("three"))
    assert ledger.flush(0.0) == []  # one at a time
    assert said(ledger.committed(0.0)) == ["one", "two"]
    [commit] = commits(ledger.flush(0.0))
    assert commit.writes[1:] == (Put("/b", b"x"),)
    assert said(ledger.committed(0.0)) == ["three"]


def test_what_waits_behind_a_transaction_under_way_waits_although_it_marked_nothing() -> None:
    ledger = make()
    ledger.mark("/a")
    ledger.flush(0.0)
    ledger.after(say("later"))
    assert ledger.flush(0.0) == []
    ledger.committed(0.0)
    assert said(ledger.flush(0.0)) == ["later"]


def test_what_happens_may_mark_and_wait_for_more() -> None:
    ledger = make()

    def act(now: float) -> list[Effect]:
        ledger.mark("/b")
        ledger.after(say("second"))
        return [Log("info", "first")]

    ledger.after(act)
    effects = ledger.flush(0.0)
    assert said(effects) == ["first"] and len(commits(effects)) == 1
    assert said(ledger.committed(0.0)) == ["second"]


def test_what_happens_may_wait_once_more_for_nothing() -> None:
    ledger = make()

    def act(now: float) -> list[Effect]:
        ledger.after(say("second"))
        return [Log("info", "first")]

    ledger.after(act)
    assert said(ledger.flush(0.0)) == ["first", "second"]


def test_transactions_are_bounded_and_what_waits_does_so_for_the_last() -> None:
    for size, count in ((1, WRITES_PER_COMMIT + 1), (BYTES_PER_COMMIT // 2, 3)):
        ledger = make(size)
        for number in range(count):
            ledger.mark(f"/{number}")
        ledger.after(say("all"))
        [first] = commits(ledger.flush(0.0))
        assert len(first.writes) == count  # one fewer, and the check
        assert said(ledger.committed(0.0)) == []
        [second] = commits(ledger.flush(0.0))
        assert len(second.writes) == 2
        assert said(ledger.committed(0.0)) == ["all"]


def test_a_node_that_is_marked_again_while_it_is_written_is_written_again() -> None:
    ledger = make()
    ledger.mark("/a")
    ledger.flush(0.0)
    ledger.mark("/a")
    ledger.after(say("again"))
    assert said(ledger.committed(0.0)) == []
    assert len(commits(ledger.flush(0.0))) == 1
    assert said(ledger.committed(0.0)) == ["again"]
