"""``model_version_policy``: which of a model's versions serving loads.

A model is published with ``latest { num_versions: 2 }``: old and new together, so that the switch leaves no gap and
clients pinned to the old version can finish. Once it has a label, the policy is ``specific``: the two newest and the
labelled ones, even if the label points at one of the two newest: serving sees a new version folder before the new
models.config, and with ``latest`` it would unload a labelled version in between. ``specific`` does not include new
versions by itself, so every publish and label command rewrites it (:func:`following`).
"""

import itertools
from dataclasses import dataclass
from typing import AbstractSet, Callable, Collection, FrozenSet, Union

from contract.serving_config.textproto import Message, Value, to_int

FIELD = "model_version_policy"


@dataclass(frozen=True)
class Latest:
    """The ``count`` highest versions."""

    count: int

    def loads(self, versions: Collection[int]) -> AbstractSet[int]:
        """The versions of these that serving loads."""
        return set(sorted(versions)[-self.count :])

    def __str__(self) -> str:
        return f"latest {self.count}"


@dataclass(frozen=True)
class All:
    """Every version."""

    def loads(self, versions: Collection[int]) -> AbstractSet[int]:
        """The versions of these that serving loads."""
        return set(versions)

    def __str__(self) -> str:
        return "all"


@dataclass(frozen=True)
class Specific:
    """Only these versions."""

    versions: FrozenSet[int]

    def loads(self, versions: Collection[int]) -> AbstractSet[int]:
        """The versions of these that serving loads."""
        return self.versions.intersection(versions)

    def __str__(self) -> str:
        return "specific {}".format(", ".join(map(str, sorted(self.versions))))


Policy = Union[Latest, All, Specific]

TWO_NEWEST = Latest(2)
# TensorFlow Serving's policy for a model without one.
DEFAULT = Latest(1)


def following(versions: Collection[int], labelled: AbstractSet[int], is_whole: Callable[[int], bool]) -> Policy:
    """The policy for ``versions``, of which some are labelled.

    A ``specific`` policy names the two newest undamaged versions. With ``latest``, serving keeps the version before
    two damaged ones because no other is available; with a labelled one available it would unload it.
    """
    labelled = labelled & set(versions)
    if not labelled:
        return TWO_NEWEST
    newest = itertools.islice(filter(is_whole, sorted(versions, reverse=True)), TWO_NEWEST.count)
    return Specific(frozenset(labelled | set(newest)))


def to_message(policy: Policy) -> Message:
    """The policy as the text format's ``ServableVersionPolicy``."""
    if isinstance(policy, Latest):
        return [("latest", [("num_versions", str(policy.count))])]
    if isinstance(policy, Specific):
        return [("specific", [("versions", str(version)) for version in sorted(policy.versions)])]
    return [("all", [])]


def from_message(message: Value) -> Policy:
    """Read a ``ServableVersionPolicy``; an empty one is TensorFlow Serving's default.

    Raises:
        ValueError: a choice other than latest, all or specific, or an invalid number.
    """
    if isinstance(message, str):
        raise ValueError(f"{FIELD} is {message}: expected {FIELD} {{ … }}")
    policy: Policy = DEFAULT
    for choice, value in message:
        fields = [] if isinstance(value, str) else value
        if choice == "latest":
            counts = [to_int(number) for name, number in fields if name == "num_versions"]
            policy = Latest(counts[-1] if counts and counts[-1] > 0 else DEFAULT.count)
        elif choice == "specific":
            policy = Specific(frozenset(to_int(number) for name, number in fields if name == "versions"))
        elif choice == "all":
            policy = All()
        else:
            raise ValueError(f"{FIELD} has {choice}: expected latest, all or specific")
    return policy
