"""``models.config``: which models serving loads, in TensorFlow Serving's own ModelServerConfig text format.

Serving polls the file, so it is only ever replaced whole, by a rename. Which policies are kept up to date with their
labels is written in a comment at its head: a ``specific`` policy that a person wrote looks no different.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import AbstractSet, Collection, Dict, List, Mapping, Optional, Sequence, Set

from contract import checksums, textproto, version_policy
from contract.durable import replace_file
from contract.textproto import Message, Value
from contract.version_policy import TWO_NEWEST, Policy, Specific

FILE_NAME = "models.config"

_LIST = "model_config_list"
_LABELS = "version_labels"

_HEADER = """\
# Written by `contract` when a model is published, and polled by serving. Edit by hand only while nothing is
# being published; comments are not kept.
"""
_FOLLOWING = "# Specific policies that follow their labels; take a name out to keep one as it stands: "


class ModelsConfigError(ValueError):
    """A models.config that cannot be read; the message names the file and the line."""


@dataclass(frozen=True)
class ListedModel:
    """What models.config says of one model.

    ``by_hand`` is whether a person chose the policy: it is then never changed. ``latest { num_versions: 2 }`` is what
    publishing writes, and a ``specific`` one is ours where the file's head says so.
    """

    name: str
    policy: Policy
    labels: Mapping[str, int]
    by_hand: bool


def model_names(path: Path) -> List[str]:
    """The names of the models listed, in the file's order; none when there is no file yet.

    Raises:
        ModelsConfigError: the file is not a ModelServerConfig with one list of models.
    """
    return [_name(config, path) for config in _configs(_read(path), path)]


def models(path: Path) -> Dict[str, ListedModel]:
    """The models listed, by name, in the file's order; none when there is no file yet.

    Raises:
        ModelsConfigError: as :func:`model_names`, or a policy or label that cannot be read.
    """
    following = _following(path)
    listed = [_listed(config, following, path) for config in _configs(_read(path), path)]
    return {model.name: model for model in listed}


def list_model(
    path: Path,
    name: str,
    folders: Mapping[int, Path],
    labels: Optional[Mapping[str, int]] = None,
) -> None:
    """List ``name``, give it these labels (its own when None), and the policy that labels and ``folders`` ask for.

    The caller holds the repository's lock. A version that a label has just left stays loaded until the next call:
    serving unloads what the policy no longer names before it moves the label, and requests by label would fail in
    between. What else the file says (other models, a policy written by hand, fields of its own) is kept, and a file
    that would say the same is not touched.

    Raises:
        ModelsConfigError: the file cannot be read; it is left as it was.
    """
    model_list = _read(path)
    before = models(path)
    if name in before:
        config = next(config for config in _configs(model_list, path) if _name(config, path) == name)
        model = before[name]
    else:
        config = _new_config(name)
        model_list = [*model_list, ("config", config)]
        model = ListedModel(name, TWO_NEWEST, {}, by_hand=False)
    labels = model.labels if labels is None else labels
    policy = model.policy
    if not model.by_hand:
        to_load = _to_load(model.labels, labels)
        policy = version_policy.following(folders, to_load, lambda version: not checksums.damage(folders[version]))
    if name in before and (policy, labels) == (model.policy, model.labels):
        return
    if labels != model.labels:
        _replace(config, _LABELS, [_label_message(label, labels[label]) for label in sorted(labels)])
    if policy != model.policy:
        _replace(config, version_policy.FIELD, [version_policy.to_message(policy)])
    after = {**before, name: ListedModel(name, policy, labels, model.by_hand)}
    following = [n for n, m in after.items() if isinstance(m.policy, Specific) and not m.by_hand]
    comment = "{}{}\n".format(_FOLLOWING, " ".join(following)) if following else ""
    replace_file(path, _HEADER + comment + textproto.dump([(_LIST, model_list)]))


def _new_config(name: str) -> Message:
    return [
        ("name", textproto.quote(name)),
        ("base_path", textproto.quote("/models/" + name)),
        ("model_platform", textproto.quote("tensorflow")),
        (version_policy.FIELD, version_policy.to_message(TWO_NEWEST)),
    ]


def _label_message(label: str, version: int) -> Message:
    return [("key", textproto.quote(label)), ("value", str(version))]


def _replace(config: Message, field: str, values: Sequence[Message]) -> None:
    """Put ``values`` where ``field`` first stood, or at the end: a person who reads the file finds them there."""
    at = next((i for i, (name, _) in enumerate(config) if name == field), len(config))
    config[:] = [
        *config[:at],
        *((field, value) for value in values),
        *(pair for pair in config[at:] if pair[0] != field),
    ]


def _to_load(before: Mapping[str, int], after: Mapping[str, int]) -> AbstractSet[int]:
    """The labelled versions, and those from which a label that is still there has moved."""
    return set(after.values()) | {version for label, version in before.items() if label in after}


def _following(path: Path) -> Set[str]:
    """The names in the comment at the file's head."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return set()
    return {
        name for names in re.findall(f"^{re.escape(_FOLLOWING)}(.*)$", text, re.MULTILINE) for name in names.split()
    }


def _read(path: Path) -> Message:
    """What stands in the file's model_config_list."""
    try:
        document = textproto.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (textproto.TextProtoError, UnicodeDecodeError) as error:
        raise ModelsConfigError(f"{path}: {error}. Mend the file, or move it away and publish again") from None
    if not document:
        return []
    fields = [field for field, _ in document]
    if fields != [_LIST]:
        raise ModelsConfigError(f"{path}: found {', '.join(fields)}: expected one {_LIST} {{ … }} and nothing else")
    return _message(*document[0], path)


def _configs(model_list: Message, path: Path) -> List[Message]:
    return [_message(field, value, path) for field, value in model_list if field == "config"]


def _listed(config: Message, following: Collection[str], path: Path) -> ListedModel:
    name = _name(config, path)
    policy: Policy = version_policy.DEFAULT
    labels: Dict[str, int] = {}
    try:
        for field, value in config:
            if field == version_policy.FIELD:
                policy = version_policy.from_message(value)
            elif field == _LABELS:
                entry = {key: str(scalar) for key, scalar in _message(field, value, path)}
                labels[textproto.unquote(entry.get("key", '""'))] = textproto.to_int(entry.get("value", "0"))
    except ValueError as error:
        raise ModelsConfigError(f"{path}: model {name}: {error}") from None
    ours = policy == TWO_NEWEST or (isinstance(policy, Specific) and name in following)
    return ListedModel(name, policy, labels, by_hand=not ours)


def _name(config: Message, path: Path) -> str:
    for field, value in config:
        if field == "name" and isinstance(value, str):
            try:
                return textproto.unquote(value)
            except ValueError as error:
                raise ModelsConfigError(f"{path}: name of a config: {error}") from None
    raise ModelsConfigError(f'{path}: a config has no name: expected name: "…"')


def _message(field: str, value: Value, path: Path) -> Message:
    if isinstance(value, str):
        raise ModelsConfigError(f"{path}: {field} is {value}: expected {field} {{ … }}")
    return value
