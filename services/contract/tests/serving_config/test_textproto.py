"""The text format of protocol buffers, as far as models.config goes: what is read, written and refused."""

import pytest

from contract.serving_config.textproto import TextProtoError, dump, parse, quote, unquote


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", []),
        ("# nothing but a comment", []),
        ("a: 1", [("a", "1")]),
        ("a:1 b:2", [("a", "1"), ("b", "2")]),
        ("a: 1; b: 2, c: 3", [("a", "1"), ("b", "2"), ("c", "3")]),
        ("a: 1 # one\n# two\nb: 2", [("a", "1"), ("b", "2")]),
        (
            "a: -1.5e+3 b: true c: LATEST d: 0x1F e: -inf",
            [("a", "-1.5e+3"), ("b", "true"), ("c", "LATEST"), ("d", "0x1F"), ("e", "-inf")],
        ),
        ("m { a: 1 }", [("m", [("a", "1")])]),
        ("m: { a: 1 }", [("m", [("a", "1")])]),
        ("m < a: 1 >", [("m", [("a", "1")])]),
        ("m: <a:1>", [("m", [("a", "1")])]),
        ("m {}", [("m", [])]),
        ("m { n { a: 1 } } b: 2", [("m", [("n", [("a", "1")])]), ("b", "2")]),
        ("a: [1, 2, 3]", [("a", "1"), ("a", "2"), ("a", "3")]),
        ("a: []", []),
        ("a: [] b: 2", [("b", "2")]),
        ("m: [{ a: 1 }, < a: 2 >]", [("m", [("a", "1")]), ("m", [("a", "2")])]),
        ("m [{ a: 1 }, { a: 2 }]", [("m", [("a", "1")]), ("m", [("a", "2")])]),
        ("a: 1 a: 2", [("a", "1"), ("a", "2")]),
        ('a: "x"', [("a", '"x"')]),
        ("a: 'x'", [("a", "'x'")]),
        ('a: "# no comment { }"', [("a", '"# no comment { }"')]),
        ('a: "it\'s" b: \'say "a"\'', [("a", '"it\'s"'), ("b", "'say \"a\"'")]),
        ('a: "x" \'y\'\n  "z"', [("a", '"x" \'y\' "z"')]),
        ("a: ['x' 'y', 'z']", [("a", "'x' 'y'"), ("a", "'z'")]),
    ],
)
def test_text_is_read(text, message):
    assert parse(text) == message


@pytest.mark.parametrize(
    ("scalar", "text"),
    [
        ('""', ""),
        ('"road"', "road"),
        ("'road'", "road"),
        ('"x" \'y\' "z"', "xyz"),
        (r'"a\"b"', 'a"b'),
        (r"'a\'b'", "a'b"),
        (r'"\\n"', "\\n"),
        (r'"\a\b\f\n\r\t\v\?"', "\a\b\f\n\r\t\v?"),
        (r'"\101\x42\X43\60"', "ABC0"),
        (r'"\303\251\xc3\xa9"', "éé"),
        (r'"\u00e9\U0001F600"', "é😀"),
        ('"é"', "é"),
    ],
)
def test_text_of_a_string(scalar, text):
    assert unquote(scalar) == text


@pytest.mark.parametrize("scalar", ["7", "true", r'"\377"', r'"\U00110000"'])
def test_scalars_that_are_not_strings(scalar):
    with pytest.raises(ValueError, match=r"expected a string in quotes|can't decode|chr\(\) arg"):
        unquote(scalar)


@pytest.mark.parametrize("text", ["", "road", 'say "a"', "it's", "C:\\models", "two\nlines", "é"])
def test_quoting_is_undone_by_unquoting(text):
    assert unquote(quote(text)) == text
    assert parse("a: " + quote(text)) == [("a", quote(text))]


def test_message_is_written():
    message = [("m", [("a", "1"), ("n", [("b", '"x"')])]), ("c", "true")]
    assert dump(message) == 'm {\n  a: 1\n  n {\n    b: "x"\n  }\n}\nc: true\n'


@pytest.mark.parametrize("text", [r'a: "\303\251 \x41 \?"', "a: 'x' \"y\"", "a: 1e-3 b: -0x1F", "m { n <> a: [1, 2] }"])
def test_rewriting_keeps_scalars_as_written(text):
    assert parse(dump(parse(text))) == parse(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a", "line 1: expected : or { after a, found the end of the file"),
        ("a:", "line 1: expected a value for a, found the end of the file"),
        ("a: 1\n\nb: }", "line 3: expected a value for b, found }"),
        ("a 1", "line 1: expected : or { after a, found 1"),
        ('a "x"', 'line 1: expected : or { after a, found "x"'),
        ("m {\n  a: 1\n", "line 3: expected a field name or }, found the end of the file"),
        ("m < a: 1 }", "line 1: expected a field name or >, found }"),
        ("a: 1 }", "line 1: expected a field name, found }"),
        ("a: 1\n7: 2", "line 2: expected a field name, found 7"),
        ("[ext.name]: 1", "line 1: expected a field name, found ["),
        ("a: [1 2]", "line 1: expected , or ] in the list of a, found 2"),
        ("a: [1,]", "line 1: expected a value for a, found ]"),
        ("a: [1", "line 1: expected , or ] in the list of a, found the end of the file"),
        ("a [1]", "line 1: expected : or { after a, found 1"),
        ("a: 1,, b: 2", "line 1: expected a field name, found ,"),
        ('\na: "x', "line 2: a string that does not end on its line, or holds an unknown escape"),
        ('a: "x\ny"', "line 1: a string that does not end on its line"),
        (r'a: "\q"', "line 1: a string that does not end on its line, or holds an unknown escape"),
        ("a: 1\nb = 2", "line 2: unexpected '='"),
        ("a:\u00a01", "line 1: unexpected '\\xa0'"),
        ("\ufeffa: 1", "line 1: unexpected '\\ufeff'"),
    ],
)
def test_error_names_the_line(text, sentence):
    with pytest.raises(TextProtoError) as caught:
        parse(text)
    assert str(caught.value).startswith(sentence)
