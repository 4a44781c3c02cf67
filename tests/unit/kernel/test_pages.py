"""Pages: who shares one, who waits for the next, and what a failure does."""

from collections.abc import Iterator

import pytest

from mesosphere.kernel.pages import PIECE_BYTES, Page, Pages, Slices


class State:
    """A number that pages show a few times over, and its revision."""

    def __init__(self) -> None:
        self.value = 0
        self.begun = 0
        self.pages = Pages(lambda: self.value)

    def begin(self) -> Slices:
        self.begun += 1
        return self._slices(self.value)

    def _slices(self, value: int) -> Iterator[bytes]:
        for _ in range(3):
            yield b"%d" % value

    def get(self) -> Page:
        return self.pages.get("page", self.begin)


def test_who_asks_before_anything_changes_shares_the_page() -> None:
    state = State()
    page = state.get()
    assert state.get() is page and state.begun == 0
    assert not page.advance()
    assert state.get() is page
    assert page.finish() == (b"000",)
    assert state.get() is page and page.finish() == (b"000",) and state.begun == 1


def test_who_asks_while_an_old_page_is_made_waits_for_one_that_shows_the_latest() -> None:
    state = State()
    old = state.get()
    old.advance()
    state.value = 1
    late = state.get()
    assert late is not old and late.is_waiting
    assert not late.advance() and state.begun == 1
    state.value = 2
    assert state.get() is late
    assert old.finish() == (b"000",)
    assert not late.is_waiting and late.finish() == (b"222",)
    assert state.begun == 2


def test_a_page_in_turns_finishes_the_one_before_it_first() -> None:
    state = State()
    old = state.get()
    old.advance()
    state.value = 1
    assert state.get().finish() == (b"111",)
    assert old.is_done and old.pieces == [b"000"]


def test_a_page_that_failed_is_whole_for_nobody_and_made_again() -> None:
    def fail() -> Iterator[bytes]:
        yield b"a"
        raise ValueError("of ours")

    pages = Pages(lambda: 0)
    page = pages.get("page", fail)
    page.advance()
    with pytest.raises(ValueError, match="of ours"):
        page.advance()
    assert page.has_failed and page.is_done and page.advance()
    assert pages.get("page", fail) is not page


def test_slices_are_gathered_into_pieces_of_some_size() -> None:
    whole = bytes(PIECE_BYTES)
    page = Page(lambda: iter([b"a", b"", b"b", whole, whole, b"c"]), lambda: 0)
    assert page.finish() == (b"ab" + whole, whole, b"c")


def test_only_whole_pages_are_forgotten() -> None:
    state = State()
    page = state.get()
    page.advance()
    state.pages.forget()
    assert state.get() is page
    page.finish()
    state.pages.forget()
    assert state.get() is not page


def test_a_page_apart_is_nobody_elses() -> None:
    state = State()
    assert state.pages.apart(state.begin) is not state.pages.apart(state.begin)
