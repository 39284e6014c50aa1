"""Protocol buffers' text format, as much of it as models.config uses, without the protobuf package.

A message is a list of ``(field, value)`` pairs in the order written; a value is a message, or a scalar kept as the
text it was written with (``"quoted"``, ``7``, ``true``), so that what this project does not know survives a rewrite.
Source: the text format specification of protobuf.dev.
"""

import re
from typing import Iterator, List, Tuple, Union

Message = List[Tuple[str, "Value"]]
Value = Union[str, Message]

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<word>-?[A-Za-z0-9_.+-]+)
      | (?P<mark>[{}<>:;,\[\]])""",
    re.VERBOSE,
)
_CLOSING = {"{": "}", "<": ">"}


class TextProtoError(ValueError):
    """Text that is not in the text format; the message names the line."""


def parse(text: str) -> Message:
    """Read a message. Comments are lost, everything else is kept.

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
    """The text of a string scalar."""
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m.group(1), m.group(1)), scalar[1:-1])


_Token = Tuple[str, str, int]


def _tokens(text: str) -> Iterator[_Token]:
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise TextProtoError(f"line {line}: unexpected {text[position]!r}")
        if match.lastgroup != "space":
            yield str(match.lastgroup), match.group(), line
        line += match.group().count("\n")
        position = match.end()


def _fields(tokens: List[_Token], at: int, closing: Union[str, None]) -> Tuple[Message, int]:
    message: Message = []
    while True:
        kind, text, line = tokens[at]
        if text == closing or (closing is None and kind == "end"):
            return message, at + 1
        if kind != "word":
            raise TextProtoError(f"line {line}: expected a field name{_or(closing)}, found {text}")
        name, at = text, at + 1
        colon = tokens[at][1] == ":"
        at += colon
        kind, value_text, line = tokens[at]
        if value_text == "[" and colon:
            at += 1
            while tokens[at][1] != "]":
                value, at = _value(tokens, at, name, colon)
                message.append((name, value))
                at += tokens[at][1] == ","
            at += 1
        else:
            value, at = _value(tokens, at, name, colon)
            message.append((name, value))
        at += tokens[at][1] in (";", ",") and tokens[at][0] == "mark"


def _value(tokens: List[_Token], at: int, name: str, colon: bool) -> Tuple[Value, int]:
    kind, text, line = tokens[at]
    if kind == "mark" and text in _CLOSING:
        return _fields(tokens, at + 1, _CLOSING[text])
    if colon and kind == "string":
        joined = ""
        while tokens[at][0] == "string":  # adjacent strings are one
            joined += unquote(tokens[at][1])
            at += 1
        return quote(joined), at
    if colon and kind == "word":
        return text, at + 1
    raise TextProtoError(f"line {line}: expected a value for {name}, found {text}")


def _or(closing: Union[str, None]) -> str:
    return f" or {closing}" if closing else ""
