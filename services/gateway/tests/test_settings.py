"""GATEWAY_* environment variables, and the errors of invalid ones."""

import pytest
from pydantic import ValidationError

from gateway.settings import Settings, SettingsError, load_settings


def test_default_host_is_loopback():
    settings = load_settings()
    assert (settings.host, settings.port, settings.serving_address) == ("127.0.0.1", 8000, ("localhost:8500",))
    assert settings.models == ()


def test_model_names_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("GATEWAY_MODELS", "road, shapes,")
    assert load_settings().models == ("road", "shapes")


def test_empty_variable_counts_as_unset(monkeypatch):
    monkeypatch.setenv("GATEWAY_MODELS_CONFIG", "")
    monkeypatch.setenv("GATEWAY_PORT", "")
    assert (load_settings().models_config, load_settings().port) == (None, 8000)


def test_variables_of_kubernetes_are_ignored(monkeypatch):
    # Kubernetes sets these in every container of a namespace with a service called gateway.
    monkeypatch.setenv("GATEWAY_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("GATEWAY_PORT_8000_TCP_ADDR", "10.0.0.1")
    assert load_settings().port == 8000


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        Settings().port = 1


@pytest.mark.parametrize(
    ("environment", "match"),
    [
        (
            {"GATEWAY_API_KEY_FILE": "keys"},
            "GATEWAY_API_KEY_FILE is not a setting of the gateway; did you mean GATEWAY_API_KEYS_FILE?",
        ),
        ({"GATEWAY_PORT": "http"}, "GATEWAY_PORT=http: "),
        ({"GATEWAY_DEADLINE_MS": "0"}, "GATEWAY_DEADLINE_MS=0: "),
        ({"GATEWAY_SERVING_ADDRESS": "serving"}, "GATEWAY_SERVING_ADDRESS=serving: expected host:port"),
        ({"GATEWAY_MODELS": "a", "GATEWAY_MODELS_CONFIG": "b"}, "both set"),
        ({"GATEWAY_MODELS": "a", "GATEWAY_DEFAULT_MODEL": "b"}, "not one of GATEWAY_MODELS: a"),
        ({"GATEWAY_DEFAULT_LABEL": "road@stable"}, "GATEWAY_DEFAULT_LABEL=road@stable: "),
        ({"GATEWAY_HOST": "0.0.0.0"}, "GATEWAY_ALLOW_ANONYMOUS=1"),
        ({"GATEWAY_HOST": "example.org"}, "GATEWAY_API_KEYS_FILE"),
        ({"GATEWAY_TLS_KEY": "a.key"}, "GATEWAY_TLS_CERTIFICATE and GATEWAY_TLS_KEY go together"),
        ({"GATEWAY_TLS_KEY": "no.key", "GATEWAY_TLS_CERTIFICATE": "no.pem"}, "cannot be used: [Errno 2]"),
        ({"GATEWAY_CORS_ORIGINS": "https://a.example/page"}, "'https://a.example/page' is not an origin"),
        ({"GATEWAY_CORS_ORIGINS": "*"}, "'*' is not an origin"),
        ({"GATEWAY_REQUESTS_PER_S": "0"}, "GATEWAY_REQUESTS_PER_S=0: "),
        ({"GATEWAY_LOG_FORMAT": "xml"}, "GATEWAY_LOG_FORMAT=xml: "),
    ],
)
def test_invalid_setting_is_one_sentence(monkeypatch, environment, match):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert match in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_keys(host):
    assert Settings(host=host).host == host


def test_other_hosts_need_keys_or_allow_anonymous(monkeypatch, tmp_path):
    assert Settings(host="0.0.0.0", api_keys_file=tmp_path).host == "0.0.0.0"
    monkeypatch.setenv("GATEWAY_HOST", "0.0.0.0")
    monkeypatch.setenv("GATEWAY_ALLOW_ANONYMOUS", "1")
    assert load_settings().host == "0.0.0.0"
