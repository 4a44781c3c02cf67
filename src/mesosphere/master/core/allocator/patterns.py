"""Regular expressions of strangers: matched whole, in time linear in the text.

Frameworks send patterns and the master matches them, so a matcher that backtracks (Python's own)
would be a way to stop a master. These are compiled to a small program and run on all of its states
at once. The syntax is RE2's, without what a match of the whole text has no use for: no captures, no
flags but a leading (?i), no Unicode classes. What is no regular expression (a back reference, a
look-around) is refused, as RE2 does.

Limits: characters of a pattern, instructions of a program (both refused with a text).

Source: Mesos, src/master/allocator/mesos/offer_constraints_filter.cpp, for the limits.
"""

from collections.abc import Callable
from typing import NamedTuple

PROGRAM_LIMIT = 100
PATTERN_LIMIT = 4096
REPEAT_LIMIT = 1000
WORK_LIMIT = 5_000
DEPTH_LIMIT = 100

Test = Callable[[str], bool]


class PatternError(ValueError):
    """It is no pattern, or too complex; the text says why."""


class _Step(NamedTuple):
    """Consume a character that passes the test, or go on without: at `ends`, nothing is left."""

    test: Test | None = None
    is_begin: bool = False
    is_end: bool = False


class _Part(NamedTuple):
    """A piece of a pattern: kind, and what it is made of."""

    kind: str  # step, then, or, repeat
    step: _Step | None = None
    parts: tuple["_Part", ...] = ()
    least: int = 0
    most: int | None = None


class Pattern:
    """A compiled pattern."""

    def __init__(self, text: str) -> None:
        """Raises PatternError."""
        if len(text) > PATTERN_LIMIT:
            raise PatternError(f"pattern too large: more than {PATTERN_LIMIT} characters")
        self.text = text
        self._tests: list[_Step] = []
        self._next: list[tuple[int, ...]] = []  # of each instruction: where it goes on
        self._work = 0
        parsed = _Parser(text).parse()
        end = self._add(None, ())
        self._end = end
        self._start = self._compile(parsed, end)

    @property
    def size(self) -> int:
        """Instructions of the program."""
        return len(self._next)

    def _add(self, step: _Step | None, goes_to: tuple[int, ...]) -> int:
        if len(self._next) > PROGRAM_LIMIT:
            raise self._too_complex()
        self._tests.append(step or _Step())
        self._next.append(goes_to)
        return len(self._next) - 1

    def _too_complex(self) -> PatternError:
        return PatternError(
            f"Regex '{self.text}' is too complex: program size is larger than maximum of"
            f" {PROGRAM_LIMIT} allowed"
        )

    def _compile(self, part: _Part, after: int) -> int:
        """Instructions of a part that go on at `after`; the first of them."""
        self._work += 1
        if self._work > WORK_LIMIT:  # repetitions of nothing add no instruction
            raise self._too_complex()
        if part.kind == "step":
            return self._add(part.step, (after,))
        if part.kind == "then":
            for each in reversed(part.parts):
                after = self._compile(each, after)
            return after
        if part.kind == "or":
            return self._add(None, tuple(self._compile(each, after) for each in part.parts))
        [inner] = part.parts
        if part.most is None:
            loop = self._add(None, ())
            self._next[loop] = (self._compile(inner, loop), after)
            after = loop
        else:
            for _ in range(part.most - part.least):
                after = self._add(None, (self._compile(inner, after), after))
        for _ in range(part.least):
            after = self._compile(inner, after)
        return after

    def matches(self, text: str) -> bool:
        """Whether the whole text is matched."""
        states = self._reach((self._start,), at_begin=True, at_end=not text)
        for place, character in enumerate(text, 1):
            moved = [
                target
                for state in states
                if (test := self._tests[state].test) is not None and test(character)
                for target in self._next[state]
            ]
            states = self._reach(tuple(moved), at_begin=False, at_end=place == len(text))
            if not states:
                return False
        return self._end in states

    def _reach(self, found: tuple[int, ...], at_begin: bool, at_end: bool) -> dict[int, None]:
        """The states that these lead to without a character."""
        reached: dict[int, None] = {}
        waiting = list(found)
        while waiting:
            state = waiting.pop()
            if state in reached:
                continue
            step = self._tests[state]
            if (step.is_begin and not at_begin) or (step.is_end and not at_end):
                continue
            reached[state] = None
            if step.test is None:
                waiting += self._next[state]
        return reached


# --- reading --------------------------------------------------------------------------------------

_CLASSES: dict[str, Test] = {
    "d": lambda c: c in "0123456789",
    "s": lambda c: c in " \t\n\r\f",
    "w": lambda c: c == "_" or (c.isascii() and c.isalnum()),
}
_POSIX: dict[str, Test] = {
    "alnum": lambda c: c.isascii() and c.isalnum(),
    "alpha": lambda c: c.isascii() and c.isalpha(),
    "digit": _CLASSES["d"],
    "lower": lambda c: "a" <= c <= "z",
    "upper": lambda c: "A" <= c <= "Z",
    "space": lambda c: c in " \t\n\r\f\v",
    "punct": lambda c: c.isascii() and c.isprintable() and not c.isalnum() and c != " ",
    "xdigit": lambda c: c in "0123456789abcdefABCDEF",
    "word": _CLASSES["w"],
}
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}


def _negated(test: Test) -> Test:
    return lambda character: not test(character)


def _exactly(wanted: str) -> Test:
    return lambda character: character == wanted


class _Parser:
    """Recursive descent over one pattern."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.depth = 0
        self.ignores_case = text.startswith("(?i)")
        if self.ignores_case:
            self.place = 4

    def parse(self) -> _Part:
        part = self._alternatives()
        if self.place < len(self.text):
            raise self._fault("unexpected ): " + self.text)
        return part

    def _fault(self, reason: str) -> PatternError:
        return PatternError(f"Failed to construct regex from pattern '{self.text}': {reason}")

    def _peek(self) -> str:
        return self.text[self.place : self.place + 1]

    def _take(self) -> str:
        character = self._peek()
        if not character:
            raise self._fault("trailing \\ or unfinished expression")
        self.place += 1
        return character

    def _alternatives(self) -> _Part:
        found = [self._sequence()]
        while self._peek() == "|":
            self.place += 1
            found.append(self._sequence())
        return found[0] if len(found) == 1 else _Part("or", parts=tuple(found))

    def _sequence(self) -> _Part:
        parts: list[_Part] = []
        while (character := self._peek()) and character not in "|)":
            parts.append(self._repeated(self._atom()))
        return _Part("then", parts=tuple(parts))

    def _repeated(self, atom: _Part) -> _Part:
        times = 0
        while (bounds := self._bounds()) is not None:
            times += 1
            if times > 1:
                raise self._fault("bad repetition operator: " + self.text[: self.place])
            least, most = bounds
            atom = _Part("repeat", parts=(atom,), least=least, most=most)
            if self._peek() == "?":
                self.place += 1  # lazy or greedy is all one to a match of the whole
        return atom

    def _bounds(self) -> tuple[int, int | None] | None:
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        character = self._peek()
        if character and character in simple:
            self.place += 1
            return simple[character]
        if character != "{":
            return None
        end = self.text.find("}", self.place)
        inside = self.text[self.place + 1 : end] if end > 0 else ""
        first, comma, last = inside.partition(",")
        if len(inside) > 12 or not first.isdigit() or (last and not last.isdigit()):
            return None  # RE2 takes such a brace as it is
        self.place = end + 1
        least = int(first)
        most = (int(last) if last else None) if comma else least
        if least > REPEAT_LIMIT or (most is not None and not least <= most <= REPEAT_LIMIT):
            raise self._fault(f"bad repetition argument: {{{first}{comma}{last}}}")
        return least, most

    def _atom(self) -> _Part:
        character = self._take()
        if character == "(":
            return self._group()
        if character == "[":
            return self._step(self._class())
        if character == ".":
            return self._step(lambda found: found != "\n")
        if character in "^$":
            step = _Step(is_begin=character == "^", is_end=character == "$")
            return _Part("step", step)
        if character in "*+?":
            raise self._fault(f"no argument for repetition operator: {character}")
        if character == "\\":
            return self._escape()
        return self._literal(character)

    def _literal(self, character: str) -> _Part:
        if self.ignores_case and character.lower() != character.upper():
            both = (character.lower(), character.upper())
            return self._step(lambda found: found in both)
        return self._step(_exactly(character))

    def _step(self, test: Test) -> _Part:
        return _Part("step", _Step(test))

    def _group(self) -> _Part:
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise self._fault("expression nests too deeply")
        if self._peek() == "?":
            if self.text.startswith("?:", self.place):
                self.place += 2
            else:
                raise self._fault("invalid perl operator: (" + self.text[self.place :][:2])
        part = self._alternatives()
        if self._peek() != ")":
            raise self._fault("missing ): " + self.text)
        self.place += 1
        self.depth -= 1
        return part

    def _escape(self) -> _Part:
        character = self._take()
        if character in "AZz":
            return _Part("step", _Step(is_begin=character == "A", is_end=character != "A"))
        if character.lower() in _CLASSES:
            return self._step(self._shorthand(character))
        return self._literal(self._escaped(character))

    def _shorthand(self, character: str) -> Test:
        test = _CLASSES[character.lower()]
        return _negated(test) if character.isupper() else test

    def _escaped(self, character: str) -> str:
        if character in _ESCAPED:
            return _ESCAPED[character]
        if character == "x":
            digits = self._take() + self._take()
            try:
                return chr(int(digits, 16))
            except ValueError as error:
                raise self._fault(f"invalid escape sequence: \\x{digits}") from error
        if character.isalnum():
            raise self._fault(f"invalid escape sequence: \\{character}")
        return character

    def _class(self) -> Test:
        is_negated = self._peek() == "^"
        self.place += is_negated
        tests: list[Test] = []
        is_first = True
        while is_first or self._peek() != "]":
            is_first = False
            tests.append(self._class_member())
        self.place += 1
        anything = tuple(tests)
        ignores_case = self.ignores_case

        def is_member(character: str) -> bool:
            forms = (character.lower(), character.upper()) if ignores_case else (character,)
            return any(test(form) for test in anything for form in forms) is not is_negated

        return is_member

    def _class_member(self) -> Test:
        if self.text.startswith("[:", self.place):
            end = self.text.find(":]", self.place)
            name = self.text[self.place + 2 : end] if end > 0 else ""
            test = _POSIX.get(name.removeprefix("^"))
            if test is None:
                raise self._fault(f"invalid character class range: [:{name}:]")
            self.place = end + 2
            return _negated(test) if name.startswith("^") else test
        if self._peek() == "\\" and self.text[self.place + 1 : self.place + 2].lower() in _CLASSES:
            self.place += 1
            return self._shorthand(self._take())
        low = self._class_character()
        following = self.text[self.place + 1 : self.place + 2]
        if self._peek() != "-" or following in ("]", ""):
            return _exactly(low)
        self.place += 1
        high = self._class_character()
        if high < low:
            raise self._fault(f"invalid character class range: {low}-{high}")
        return lambda character: low <= character <= high

    def _class_character(self) -> str:
        if not self._peek():
            raise self._fault("missing ]: " + self.text)
        character = self._take()
        return self._escaped(self._take()) if character == "\\" else character
