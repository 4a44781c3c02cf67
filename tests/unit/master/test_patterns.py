"""Patterns of strangers: what they match (Python's engine is the oracle), and their limits."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesosphere.master.core.allocator.patterns import PROGRAM_LIMIT, Pattern, PatternError

MATCHES = [
    ("", ["", "!a"]),
    ("abc", ["abc", "!ab", "!abcd", "!xabc"]),
    ("a|b|", ["a", "b", "", "!c"]),
    ("(ab|cd)+", ["ab", "cdab", "!", "!abc"]),
    ("a{2,3}", ["aa", "aaa", "!a", "!aaaa"]),
    ("a{2}", ["aa", "!aaa"]),
    ("a{2,}", ["aa", "aaaaaa", "!a"]),
    ("a{x}", ["a{x}", "!a"]),
    ("rack-[0-9]+", ["rack-17", "!rack-", "!rack-1a"]),
    ("[^a-c]", ["d", "!b"]),
    ("[]a]", ["]", "a", "!b"]),
    ("[a-]", ["-", "a", "!b"]),
    (r"[\d\-.]*", ["1.2-3", "!a"]),
    ("[[:alpha:][:^space:]]+", ["ab1", "!a b"]),
    (r"\d\D\w\W\s\S", ["1a_- x", "!1a_-xx"]),
    (r"a\.b\x41\t", ["a.bA\t", "!axbA\t"]),
    ("(?:x|y)?z", ["z", "xz", "!xyz"]),
    ("(?i)Foo[a-c]", ["fOOB", "!food"]),
    ("^a$", ["a", "!aa"]),
    ("a^b", ["!ab"]),
    (".", ["é", "!", "!\n"]),
    ("a*?b+?", ["aab", "b", "!a"]),
    ("(a*)*", ["", "aaa", "!b"]),
]


@pytest.mark.parametrize(("pattern", "texts"), MATCHES, ids=[pair[0] for pair in MATCHES])
def test_a_pattern_matches_whole_texts(pattern: str, texts: list[str]) -> None:
    compiled = Pattern(pattern)
    for text in texts:
        wanted = not text.startswith("!")
        assert compiled.matches(text.removeprefix("!")) is wanted, text


REFUSED = [
    (r"(a)\1", "invalid escape sequence"),
    ("(?=a)", "invalid perl operator"),
    ("(?P<n>a)", "invalid perl operator"),
    ("(a", "missing )"),
    ("a)", "unexpected )"),
    ("[a", "missing ]"),
    ("[b-a]", "invalid character class range"),
    ("[[:no:]]", "invalid character class range"),
    ("*a", "no argument for repetition operator"),
    ("a**", "bad repetition operator"),
    ("a{3,2}", "bad repetition argument"),
    ("a{1001}", "bad repetition argument"),
    ("a\\", "trailing"),
    (r"\xg1", "invalid escape sequence"),
    ("a{101}", "too complex"),
    ("(a{50}){50}", "too complex"),
    ("((((){1000}){1000}){1000}){1000}", "too complex"),
    ("a" * 5000, "pattern too large"),
    ("(" * 200 + ")" * 200, "nests too deeply"),
]


@pytest.mark.parametrize(("pattern", "reason"), REFUSED, ids=[pair[0][:20] for pair in REFUSED])
def test_what_is_no_pattern_or_too_much_is_refused_with_a_reason(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError) as caught:
        Pattern(pattern)
    assert reason in str(caught.value)


def test_a_pattern_that_makes_others_backtrack_for_ever_is_matched_at_once() -> None:
    assert not Pattern("(a+)+(a|aa)*b").matches("a" * 5_000)


atoms = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", "a{2}", "b?", "a*", "(?:a|b)", "(ab)+", "^"]
)
patterns = st.lists(st.one_of(atoms, st.just("|")), max_size=8).map("".join)


@settings(max_examples=500, deadline=None)
@given(patterns, st.text("ab", max_size=7))
def test_it_agrees_with_an_engine_that_backtracks(pattern: str, text: str) -> None:
    assert Pattern(pattern).matches(text) is (re.fullmatch(pattern, text) is not None)


@settings(max_examples=500, deadline=None)
@given(st.text("ab()[]{}*+?|^$.\\-:1,", max_size=20), st.text("ab-1", max_size=6))
def test_any_text_is_a_pattern_or_refused(pattern: str, text: str) -> None:
    try:
        compiled = Pattern(pattern)
    except PatternError:
        return
    assert compiled.size <= PROGRAM_LIMIT + 1
    compiled.matches(text)
