"""The keys file: names, hashes, rates, and changes while the gateway runs."""

import hashlib
import os

import pytest

from gateway.access.keys import ApiKey, ApiKeysError, KeyRing, digest_of, line_of, new_key, read_api_keys


@pytest.fixture
def file(tmp_path):
    return tmp_path / "api-keys"


@pytest.fixture
def rewrite(file):
    """``rewrite(text)``: change the file. A coarse clock must not hide a change made a moment later."""

    def change(text):
        later = file.stat().st_mtime_ns + 1_000_000_000
        file.write_text(text)
        os.utime(file, ns=(later, later))

    return change


def test_key_is_long_random_and_has_a_recognisable_prefix():
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("segstack_") and len(key) == len("segstack_") + 43 for key in keys)


def test_keys_file_holds_hashes_only(file):
    key = new_key()
    file.write_text(f"# the fleet in hall 2\n\n{line_of('fleet', key)}:12.5\n{line_of('label-studio', new_key())}\n")
    assert key not in file.read_text()
    fleet, labelling = read_api_keys(file)
    assert fleet == ApiKey("fleet", hashlib.sha256(key.encode()).digest(), 12.5)
    assert (labelling.name, labelling.requests_per_s) == ("label-studio", None)


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        ("fleet", "line 1: expected name:sha256hex"),
        ("segstack_8nf2", "line 1: expected"),
        (f"fleet:{'0' * 63}", "line 1: expected"),
        (f"fleet:{'0' * 64}:0", "line 1: expected"),
        (f"fleet:{'0' * 64}:fast", "line 1: expected"),
        (f"two words:{'0' * 64}", "line 1: expected"),
        (f"# a\na:{'0' * 64}\nb:{'0' * 64}", "line 3: an earlier line has"),
        (f"a:{'0' * 64}\na:{'1' * 64}", "line 2: an earlier line"),
    ],
)
def test_invalid_line_is_reported_by_number_and_never_quoted(file, lines, match):
    file.write_text(lines)
    with pytest.raises(ApiKeysError, match=match) as error:
        read_api_keys(file)
    assert "8nf2" not in str(error.value)


def test_missing_keys_file_is_an_error(file):
    with pytest.raises(ApiKeysError, match="cannot be read"):
        KeyRing(file)


def test_invalid_key_name_is_refused():
    with pytest.raises(ApiKeysError, match="letters, digits"):
        line_of("a:b", new_key())


def test_keys_are_added_and_removed_without_a_restart(file, rewrite):
    first, second = new_key(), new_key()
    file.write_text(line_of("first", first))
    ring = KeyRing(file)
    assert ring.find(first) == ApiKey("first", digest_of(first))
    assert ring.find(second) is None

    rewrite(line_of("second", second) + "\n")
    assert ring.find(first) is None
    assert ring.find(second).name == "second"


def test_invalid_keys_file_keeps_the_known_keys(file, rewrite, caplog):
    key = new_key()
    file.write_text(line_of("fleet", key))
    ring = KeyRing(file)
    rewrite("half a li")
    assert ring.find(key).name == "fleet"
    assert "line 1" in caplog.text
    file.unlink()
    assert ring.find(key).name == "fleet"


@pytest.mark.parametrize("presented", ["", "segstack_", "Schlüssel", "\udcff", "x" * 100_000])
def test_unknown_key_of_any_form_is_not_found(file, presented):
    file.write_text(line_of("fleet", new_key()))
    assert KeyRing(file).find(presented) is None
