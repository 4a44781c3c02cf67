"""Command-line flags as one table per daemon: `--name=value`, `--name value`, `--[no-]name`.

A flag may also come from the environment (`<PREFIX>_<NAME>`), the command line wins. A value
`file:///path` is read from that file by the caller's `read`. Aliases carry the originals' old
names. `--help` prints the table by group. The documentation is checked against the tables.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mesosphere.kernel.durations import format_duration, parse_duration
from mesosphere.kernel.sizes import format_size, parse_size

_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")


class UsageError(Exception):
    """The command line is wrong; the message is one sentence for the user."""


class HelpRequested(Exception):
    """`--help` was given; the message is the help text."""


class Flag(NamedTuple):
    """One setting. `kind`: str int port float bool duration (seconds) bytes list (comma) repeat."""

    name: str
    kind: str
    default: Any
    group: str
    help: str
    required: bool = False
    aliases: tuple[str, ...] = ()
    environment: str | None = None  # overrides <PREFIX>_<NAME>
    choices: tuple[str, ...] = ()
    secret: bool = False
    """Whether it does not belong on a command line, which every user of a host can read."""


class Settings:
    """Parsed flags as attributes, with `as_strings()` for `/flags`."""

    def __init__(self, values: dict[str, Any], table: Sequence[Flag]) -> None:
        self._values = values
        self._table = tuple(table)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def as_strings(self) -> dict[str, str]:
        """Every flag that has a value, as text, in the table's order."""
        return {
            flag.name: _text(flag, self._values[flag.name])
            for flag in self._table
            if self._values[flag.name] is not None
        }


def parse(
    table: Sequence[Flag],
    arguments: Sequence[str],
    environ: Mapping[str, str],
    *,
    program: str,
    prefix: str,
    read: Callable[[str], str],
    summary: str = "",
) -> Settings:
    """Parse `arguments` (without the program name). Raises UsageError or HelpRequested."""
    if any(word in ("--help", "-h") for word in arguments):
        raise HelpRequested(help_text(table, program, prefix, summary))
    by_name = {name: flag for flag in table for name in (flag.name, *flag.aliases)}
    given = _from_environment(table, environ, prefix)
    for flag, text in _words(by_name, arguments):
        if flag.kind == "repeat":
            # The first use on the command line replaces what the environment gave.
            earlier = given.get(flag.name)
            given[flag.name] = [*earlier, text] if isinstance(earlier, list) else [text]
        else:
            given[flag.name] = text
    values: dict[str, Any] = {}
    for flag in table:
        if flag.name in given:
            values[flag.name] = _value(flag, given[flag.name], read)
        elif flag.required:
            raise UsageError(f"--{flag.name} is required: {flag.help}")
        else:
            values[flag.name] = flag.default
    return Settings(values, table)


def _from_environment(
    table: Sequence[Flag], environ: Mapping[str, str], prefix: str
) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for flag in table:
        name = flag.environment or f"{prefix}_{flag.name.upper()}"
        if name in environ:
            given[flag.name] = environ[name]
    return given


def _words(by_name: Mapping[str, Flag], arguments: Sequence[str]) -> list[tuple[Flag, str]]:
    words: list[tuple[Flag, str]] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise UsageError(f"unexpected argument '{word}'; see --help")
        name, has_value, text = word[2:].partition("=")
        # marathon-lb and Chronos spell some flags with dashes.
        flag = by_name.get(name) or by_name.get(name.replace("-", "_"))
        if flag is None and name.startswith("no-"):
            flag = by_name.get(name[3:]) or by_name.get(name[3:].replace("-", "_"))
            if flag is not None and flag.kind == "bool" and not has_value:
                words.append((flag, "false"))
                continue
        if flag is None:
            raise UsageError(f"unknown flag '--{name}'; see --help")
        if not has_value:
            if flag.kind == "bool":
                text = "true"
            elif rest and not rest[0].startswith("--"):
                text = rest.pop(0)
            else:
                raise UsageError(f"--{name} needs a value")
        words.append((flag, text))
    return words


def _value(flag: Flag, given: Any, read: Callable[[str], str]) -> Any:
    if flag.kind == "repeat":
        return tuple(given) if isinstance(given, list) else tuple(given.split(","))
    text = given
    if text.startswith("file://") and flag.kind != "list":
        try:
            text = read(text[len("file://") :]).strip()
        except OSError as error:
            raise UsageError(f"--{flag.name}: can't read {given}: {error.strerror}") from error
    try:
        value = _convert(flag.kind, text)
    except ValueError as error:
        raise UsageError(f"--{flag.name}: {error}") from error
    if flag.choices and value not in flag.choices:
        raise UsageError(f"--{flag.name}: '{text}' is none of {', '.join(flag.choices)}")
    return value


def _convert(kind: str, text: str) -> Any:
    if kind == "int":
        return int(text)
    if kind == "port":
        if not text.isdigit() or not 0 < int(text) < 65536:
            raise ValueError(f"'{text}' is no port: it must be a number from 1 to 65535")
        return int(text)
    if kind == "float":
        return float(text)
    if kind == "duration":
        return parse_duration(text)
    if kind == "bytes":
        return parse_size(text)
    if kind == "list":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind == "bool":
        if text.lower() in _TRUE:
            return True
        if text.lower() in _FALSE:
            return False
        raise ValueError(f"'{text}' is neither true nor false")
    return text


def _text(flag: Flag, value: Any) -> str:
    if flag.kind == "bool":
        return "true" if value else "false"
    if flag.kind == "duration":
        return format_duration(value)
    if flag.kind == "bytes":
        return format_size(value)
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)


def help_text(table: Sequence[Flag], program: str, prefix: str, summary: str) -> str:
    """The page that `--help` prints: every flag, by group, with its default and environment."""
    lines = [f"Usage: {program} [--flag=value ...]", ""]
    if summary:
        lines += [summary, ""]
    groups = list(dict.fromkeys(flag.group for flag in table))
    for group in groups:
        lines += [f"{group}:"]
        for flag in table:
            if flag.group != group:
                continue
            shown = f"--[no-]{flag.name}" if flag.kind == "bool" else f"--{flag.name}=VALUE"
            default = (
                "required"
                if flag.required
                else f"default: {_text(flag, flag.default)}"
                if flag.default is not None and flag.default != ()
                else "no default"
            )
            lines += [f"  {shown}", f"      {flag.help} ({default})"]
        lines += [""]
    lines += [f"Each flag may be given as {prefix}_<NAME> in the environment; flags win."]
    return "\n".join(lines)
