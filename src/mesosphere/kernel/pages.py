"""Large answers, made in slices so that other work gets its turn in between.

A page begins with one look at the state, which keeps what the page will show; that never changes
in place, so every slice after it shows the state of that moment. Who asks before anything changes
shares the page. Who asks for a page of which an older one is still being made waits until that is
whole, together with all who come meanwhile: however many poll, one page of a name is being made.
"""

from collections.abc import Callable, Iterator

Slices = Iterator[bytes]
"""A body in parts, each made when it is asked for: a millisecond's work at most, maybe no bytes."""

PIECE_BYTES = 64 * 1024
"""Slices are gathered into pieces of at least this size."""


class Page:
    """One body, shared by all who wait for it. `pieces` is whole when `is_done`."""

    __slots__ = ("_begin", "_behind", "_gathered", "_revision", "_size", "_slices", "has_failed",
                 "is_done", "pieces", "revision")  # fmt: skip

    def __init__(
        self, begin: Callable[[], Slices], revision: Callable[[], int], behind: "Page | None" = None
    ) -> None:
        self._begin = begin
        self._revision = revision
        self._behind = behind
        self._slices: Slices | None = None
        self._gathered: list[bytes] = []
        self._size = 0
        self.revision: int | None = None  # that it shows; None: it has not begun
        self.pieces: list[bytes] = []
        self.is_done = self.has_failed = False

    @property
    def is_waiting(self) -> bool:
        """Whether an older page of the name is still being made."""
        return self._behind is not None and not self._behind.is_done

    def shows(self, revision: int) -> bool:
        """Whether this is, or will be, what is to be said at a revision."""
        return not self.has_failed and self.revision in (None, revision)

    def advance(self) -> bool:
        """Make one more slice; whether the page is whole. What fails is raised, once."""
        if self.is_done or self.is_waiting:
            return self.is_done
        self.is_done = self.has_failed = True  # unless this goes well
        if self._slices is None:
            self._behind = None
            self.revision = self._revision()
            self._slices = self._begin()
        piece = next(self._slices, None)
        if piece is not None:
            self._gathered.append(piece)
            self._size += len(piece)
        if piece is None or self._size >= PIECE_BYTES:
            self.pieces.append(b"".join(self._gathered))
            self._gathered, self._size = [], 0
        self.is_done, self.has_failed = piece is None, False
        return self.is_done

    def finish(self) -> tuple[bytes, ...]:
        """Make all of it now."""
        if self._behind is not None:
            self._behind.finish()
        while not self.advance():
            pass
        return tuple(self.pieces)


class Pages:
    """The last page of each name. `revision` changes with all that pages show."""

    def __init__(self, revision: Callable[[], int]) -> None:
        self._revision = revision
        self._known: dict[str, Page] = {}

    def get(self, name: str, begin: Callable[[], Slices]) -> Page:
        """The page to wait for; `begin` is called when a new one begins."""
        known = self._known.get(name)
        if known is not None and known.shows(self._revision()):
            return known
        behind = None if known is None or known.is_done else known
        page = self._known[name] = Page(begin, self._revision, behind)
        return page

    def apart(self, begin: Callable[[], Slices]) -> Page:
        """A page for one request alone."""
        return Page(begin, self._revision)

    def forget(self) -> None:
        """Large pages are not kept for nobody."""
        self._known = {name: page for name, page in self._known.items() if not page.is_done}
