"""The command line: tensorflow_model_server's names and defaults, both ways to write a value."""

from pathlib import Path

import pytest

from serving import flags
from serving.flags import FlagError, Flags


def test_defaults_are_those_of_tensorflow_model_server():
    parsed = flags.parse([]).flags
    assert parsed.port == 8500
    assert parsed.model_name == "default"
    assert parsed.file_system_poll_wait_seconds == 1
    assert parsed.model_config_file_poll_wait_seconds == 0
    assert (parsed.max_num_load_retries, parsed.load_retry_interval_micros) == (5, 60_000_000)
    assert parsed.enable_model_warmup
    assert parsed.host == "127.0.0.1"


@pytest.mark.parametrize("arguments", [["--port=9000"], ["--port", "9000"]], ids=str)
def test_value_after_equals_or_as_next_argument(arguments):
    assert flags.parse(arguments).flags.port == 9000


@pytest.mark.parametrize(
    ("arguments", "warm"),
    [
        (["--enable_model_warmup=false"], False),
        (["--enable_model_warmup=FALSE"], False),
        (["--enable_model_warmup", "false"], False),
        (["--enable_model_warmup", "true"], True),
        (["--enable_model_warmup"], True),
        (["--enable_model_warmup", "--port=1"], True),
    ],
    ids=str,
)
def test_booleans(arguments, warm):
    parsed = flags.parse(arguments)
    assert parsed.flags.enable_model_warmup is warm
    assert parsed.unknown == ()


def test_unknown_arguments_are_returned_with_their_values():
    parsed = flags.parse(["--bogus", "1", "--port=9", "stray", "--flag=x=y", "--last"])
    assert parsed.unknown == ("--bogus", "1", "stray", "--flag=x=y", "--last")
    assert parsed.flags == Flags(port=9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port=eighty"], "--port is 'eighty': expected --port=<integer>"),
        (["--enable_model_warmup=perhaps"], "--enable_model_warmup is 'perhaps': expected --enable_model_warmup=true"),
        (["--model_name"], "--model_name has no value: expected --model_name=<text>"),
        (["--ssl_config_file=x"], "--ssl_config_file=x: TLS is not supported"),
        (["--grpc_channel_arguments=a=1,b"], "--grpc_channel_arguments has 'b': expected <name>=<value>"),
        (["--grpc_channel_arguments=a="], "--grpc_channel_arguments has 'a=': expected <name>=<value>"),
    ],
    ids=str,
)
def test_refusals(arguments, message):
    with pytest.raises(FlagError) as error:
        flags.check(flags.parse(arguments).flags)
    assert str(error.value).startswith(message)


def test_channel_arguments_are_32_bit_integers_or_text():
    assert flags.channel_arguments("") == {}
    assert flags.channel_arguments("a=1,b=-2,c=x,d=4294967296,e=1=2") == {
        "a": 1,
        "b": -2,
        "c": "x",
        "d": "4294967296",
        "e": "1=2",
    }


def test_usage_names_every_flag():
    for name in vars(Flags()):
        assert f"--{name}=" in flags.usage("segstack serve")


@pytest.mark.parametrize(
    ("base_path", "models_root", "where"),
    [
        ("/models/m", "/srv/repo", "/srv/repo/m"),
        ("/models/m", "", "/models/m"),
        ("/elsewhere/m", "/srv/repo", "/elsewhere/m"),
        ("/modelsandmore/m", "/srv/repo", "/modelsandmore/m"),
    ],
)
def test_models_root_replaces_models(base_path, models_root, where):
    assert flags.local_path(base_path, models_root) == Path(where)
