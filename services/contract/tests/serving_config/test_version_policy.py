"""Which versions serving loads."""

import pytest

from contract.serving_config.textproto import parse
from contract.serving_config.version_policy import All, Latest, Specific, following, from_message, to_message

VERSIONS = [2, 3, 10]


@pytest.mark.parametrize(
    ("text", "policy", "loads", "words"),
    [
        ("latest { num_versions: 2 }", Latest(2), {3, 10}, "latest 2"),
        ("latest { num_versions: 0 }", Latest(1), {10}, "latest 1"),  # as TensorFlow Serving takes it
        ("latest {}", Latest(1), {10}, "latest 1"),
        ("", Latest(1), {10}, "latest 1"),
        ("all {}", All(), {2, 3, 10}, "all"),
        ("specific { versions: [2, 7] }", Specific(frozenset({2, 7})), {2}, "specific 2, 7"),
        ("specific { versions: 0xA versions: 2 }", Specific(frozenset({2, 10})), {2, 10}, "specific 2, 10"),
    ],
)
def test_policies_of_tensorflow_serving(text, policy, loads, words):
    assert from_message(parse(text)) == policy
    assert policy.loads(VERSIONS) == loads
    assert str(policy) == words
    assert from_message(to_message(policy)) == policy


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (parse("oldest {}"), "has oldest: expected latest, all or specific"),
        (parse("latest { num_versions: two }"), "expected a whole number, found two"),
        ("7", r"is 7: expected model_version_policy \{ … \}"),
    ],
)
def test_invalid_policy_is_refused(message, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_message(message)


@pytest.mark.parametrize(
    ("labelled", "damaged", "policy"),
    [
        (set(), set(), Latest(2)),
        ({10}, set(), Specific(frozenset({3, 10}))),
        ({2}, set(), Specific(frozenset({2, 3, 10}))),
        ({7}, set(), Latest(2)),  # no such version: serving could not load it either
        (set(), {3, 10}, Latest(2)),  # serving keeps what it has
        ({2}, {10}, Specific(frozenset({2, 3}))),
    ],
)
def test_it_follows_the_labels(labelled, damaged, policy):
    assert following(VERSIONS, labelled, lambda version: version not in damaged) == policy
