"""The log: one JSON object a line, or lines of plain text."""

import json
import logging
import os
import pty
import subprocess
import sys

import pytest

from gateway.request import logs
from gateway.settings import Settings
from segstack_testing.gateways import make_api_keys


@pytest.fixture
def written(make_gateway, capsys):
    """``written(requests, **settings)``: what a gateway logs to standard error during ``requests(client)``."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def run(requests, **settings):
        logs.configure(Settings(**{name: value for name, value in settings.items() if name.startswith("log_")}))
        client = make_gateway(**settings)
        requests(client)
        client.get("/livez")  # a request's line is written before the next request begins
        return capsys.readouterr().err

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def events_of(written):
    def run(requests, **settings):
        events = [json.loads(line) for line in written(requests, **settings).splitlines()]
        return [event for event in events if event["logger"] != "httpx"]  # the test's own client

    return run


def test_request_is_one_log_line(events_of, jpeg):
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"X-Request-Id": "camera-7", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    events = events_of(lambda client: client.post("/segment", content=jpeg, headers=headers))

    (line,) = [event for event in events if event["event"] == "request"]
    assert line.pop("ms") > 0
    assert line.pop("timestamp").endswith("Z")
    assert line.pop("bytes_out") > 100
    assert line == {
        "event": "request",
        "level": "info",
        "logger": "gateway.request.middleware",
        "request_id": "camera-7",
        "trace_id": trace,
        "method": "POST",
        "route": "/segment",
        "status": 200,
        "bytes_in": len(jpeg),
        "client": "127.0.0.1",
        "model": "shapes",
        "version": "1",
    }


def test_refused_request_is_logged_with_its_error_and_caller(events_of, tmp_path):
    (key,) = make_api_keys(tmp_path / "keys", "fleet")

    def requests(client):
        client.get("/models/road?version=2")
        client.get("/models/road", headers={"X-API-Key": key})
        client.get("/secret-path")

    events = events_of(requests, api_keys_file=tmp_path / "keys")
    lines = [event for event in events if event["event"] == "request"]
    assert [(line["route"], line["status"], line["error"], line.get("caller")) for line in lines] == [
        ("/models/{model}", 401, "unauthorized", None),
        ("/models/{model}", 404, "unknown_model", "key 'fleet'"),
        ("other", 404, "not_found", None),
    ]
    # Neither keys nor what callers invent.
    assert key not in str(events)
    assert "secret-path" not in str(events)
    assert "version=2" not in str(events)


def test_probes_are_logged_at_debug_only(events_of):
    def routes(level):
        events = events_of(lambda client: client.get("/livez"), log_level=level)
        return [event["route"] for event in events if event["event"] == "request"]

    assert routes("info") == []
    assert "/livez" in routes("debug")


def test_log_records_of_libraries_have_the_same_form(events_of):
    events = events_of(lambda client: client.get("/livez"))
    started = next(event for event in events if "running on" in event["event"])
    assert (started["level"], started["logger"]) == ("info", "uvicorn.error")
    assert "color_message" not in started


def test_console_format_is_plain_text(written, jpeg):
    written_text = written(lambda client: client.post("/segment", content=jpeg), log_format="console")
    (line,) = [line for line in written_text.splitlines() if "route=/segment" in line]
    assert "status=200" in line
    assert "\x1b" not in line  # colours are for terminals


def test_console_format_is_the_default_on_a_terminal():
    script = "import logging; from gateway.request import logs; from gateway.settings import Settings; "
    script += "logs.configure(Settings()); logging.getLogger('x').info('hello', extra={'answer': 42})"
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", script], stderr=theirs, check=True)
    os.close(theirs)
    written_text = os.read(ours, 4096).decode()
    os.close(ours)
    assert "hello" in written_text
    assert "answer" in written_text
    assert not written_text.startswith("{")


def test_internal_error_is_logged_with_its_traceback_and_request_id(events_of, monkeypatch, jpeg):
    monkeypatch.setattr("gateway.results.outputs.encode", lambda *_: 1 / 0)
    events = events_of(lambda client: client.post("/segment", content=jpeg, headers={"X-Request-Id": "r-1"}))
    fault = next(event for event in events if event["event"] == "failed")
    assert fault["request_id"] == "r-1"
    assert "ZeroDivisionError" in fault["exception"]
