"""Protocol buffers' text format, as much of it as models.config uses, without the protobuf package.

A message is a list of ``(field, value)`` pairs in file order; a value is a message, or a scalar kept as it was
written (``"quoted"``, ``7``, ``true``), so that fields this project does not know survive a rewrite.
Extensions and ``Any`` (``[name]`` as a field) are refused: models.config has none.
Source: the text format specification of protobuf.dev.
"""

import re
from typing import Iterator, List, Optional, Tuple, Union

Message = List[Tuple[str, "Value"]]
Value = Union[str, Message]

_ESCAPE = r"""\\(?:[abfnrtv?\\'"]|[0-7]{1,3}|[xX][0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})"""
_STRING = rf"""(?:"(?:[^"\\\n]|{_ESCAPE})*"|'(?:[^'\\\n]|{_ESCAPE})*')"""
_TOKEN = re.compile(
    rf"""(?P<space>\s+|\#[^\n]*)
      | (?P<string>{_STRING})
      | (?P<word>[A-Za-z0-9_.+-]+)
      | (?P<mark>[{{}}<>:;,\[\]])""",
    re.VERBOSE | re.ASCII,
)
_CLOSING = {"{": "}", "<": ">"}
_LETTERS = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}


class TextProtoError(ValueError):
    """Text is not in the text format; the message names the line."""


def parse(text: str) -> Message:
    """Read a message. Comments are lost, everything else is kept; lists become one pair for each element.

    Raises:
        TextProtoError: with the line and what was expected there.
    """
    tokens = list(_tokens(text))
    tokens.append(("end", "the end of the file", text.count("\n") + 1))
    return _fields(tokens, 0, None)[0]


def dump(message: Message, indent: str = "") -> str:
    """Write a message, two spaces a level."""
    lines = []
    for name, value in message:
        if isinstance(value, str):
            lines.append(f"{indent}{name}: {value}\n")
        else:
            lines.append("{}{} {{\n{}{}}}\n".format(indent, name, dump(value, indent + "  "), indent))
    return "".join(lines)


def quote(text: str) -> str:
    """``text`` as a string scalar."""
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))


def unquote(scalar: str) -> str:
    """The text of a string scalar, which may be several strings side by side.

    Raises:
        ValueError: the scalar is no string (a number, ``true``), or its bytes are not UTF-8.
    """
    strings = re.findall(_STRING, scalar)
    if not strings:
        raise ValueError(f'expected a string in quotes, found {scalar}: write "{scalar}"')
    return b"".join(_unescape(string[1:-1]) for string in strings).decode("utf-8")


def to_int(scalar: Value) -> int:
    """The whole number that a scalar spells, in decimal or hexadecimal.

    Raises:
        ValueError: it is a message, or spells none.
    """
    try:
        return int(str(scalar), 0)
    except ValueError:
        raise ValueError(f"expected a whole number, found {scalar}") from None


def _unescape(text: str) -> bytes:
    """Octal and hexadecimal escapes are bytes, not characters: protobuf writes é as ``\\303\\251``."""
    out, position = bytearray(), 0
    for match in re.finditer(_ESCAPE, text):
        out += text[position : match.start()].encode("utf-8")
        position, escape = match.end(), match.group()[1:]
        if escape[0] in "01234567":
            out.append(int(escape, 8) & 0xFF)
        elif escape[0] in "xX":
            out.append(int(escape[1:], 16))
        elif escape[0] in "uU":
            out += chr(int(escape[1:], 16)).encode("utf-8")
        else:
            out.append(_LETTERS.get(escape, ord(escape)))
    return bytes(out) + text[position:].encode("utf-8")


_Token = Tuple[str, str, int]


def _tokens(text: str) -> Iterator[_Token]:
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            found = text[position]
            if found in "\"'":
                raise TextProtoError(f"line {line}: a string that does not end on its line, or holds an unknown escape")
            raise TextProtoError(f"line {line}: unexpected {found!r}")
        if match.lastgroup != "space":
            yield str(match.lastgroup), match.group(), line
        line += match.group().count("\n")
        position = match.end()


def _fields(tokens: List[_Token], at: int, closing: Optional[str]) -> Tuple[Message, int]:
    message: Message = []
    while True:
        kind, name, line = tokens[at]
        if name == closing or (closing is None and kind == "end"):
            return message, at + 1
        if not (kind == "word" and name.isidentifier()):
            expected = f"a field name or {closing}" if closing else "a field name"
            raise TextProtoError(f"line {line}: expected {expected}, found {name}")
        colon = tokens[at + 1][1] == ":"
        values, at = _values(tokens, at + 1 + colon, name, colon)
        message += [(name, value) for value in values]
        at += tokens[at][1] in (";", ",")


def _values(tokens: List[_Token], at: int, name: str, colon: bool) -> Tuple[List[Value], int]:
    """One value, or those of a list."""
    if tokens[at][1] != "[":
        value, at = _value(tokens, at, name, colon)
        return [value], at
    values: List[Value] = []
    if tokens[at + 1][1] == "]":
        return values, at + 2
    while tokens[at][1] in ("[", ","):
        value, at = _value(tokens, at + 1, name, colon)
        values.append(value)
    if tokens[at][1] != "]":
        raise TextProtoError(f"line {tokens[at][2]}: expected , or ] in the list of {name}, found {tokens[at][1]}")
    return values, at + 1


def _value(tokens: List[_Token], at: int, name: str, colon: bool) -> Tuple[Value, int]:
    kind, text, line = tokens[at]
    if text in _CLOSING:
        return _fields(tokens, at + 1, _CLOSING[text])
    if not colon:
        raise TextProtoError(f"line {line}: expected : or {{ after {name}, found {text}")
    if kind == "string":
        first = at
        while tokens[at][0] == "string":
            at += 1
        return " ".join(string for _, string, _ in tokens[first:at]), at
    if kind == "word":
        return text, at + 1
    raise TextProtoError(f"line {line}: expected a value for {name}, found {text}")
