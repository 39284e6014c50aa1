"""``models.config``: which models serving loads, in TensorFlow Serving's own ModelServerConfig text format.

Serving polls the file, so it is only ever replaced as a whole, by a rename. A comment at its head lists the policies
that are kept up to date with their labels: a hand-written ``specific`` policy looks no different.

A model with engines loads only on the GPU model that built them and crashes TensorFlow Serving elsewhere, so it is
listed separately: ``models.gpu.config`` lists such models, and contains a copy of ``models.config``. The machine with
the GPU serves that file; any machine can serve the other.
"""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import AbstractSet, Collection, Dict, List, Mapping, Optional, Sequence

from contract import checksums
from contract.durable import replace_file
from contract.folders import needs_its_gpu
from contract.serving_config import textproto, version_policy
from contract.serving_config.textproto import Message, Value
from contract.serving_config.version_policy import TWO_NEWEST, Policy, Specific

FILE_NAME = "models.config"
GPU_FILE_NAME = "models.gpu.config"
FILE_NAMES = (FILE_NAME, GPU_FILE_NAME)

_LIST = "model_config_list"
_LABELS = "version_labels"

_HEADER = """\
# Written by `segstack` when a model is published, and polled by serving. Edit by hand only while nothing is
# being published; comments are not kept.
"""
_COPIED = "# Copied from models.config, which is the one to edit for them: "
_FOLLOWING = "# Specific policies that follow their labels; take a name out to keep one as it stands: "


class ModelsConfigError(ValueError):
    """A models.config cannot be read; the message names the file and the line."""


@dataclass(frozen=True)
class ListedModel:
    """One model's entry in models.config.

    ``by_hand``: the policy was written by hand, so it is never changed. Publishing writes
    ``latest { num_versions: 2 }``, and ``specific`` policies that the file's head lists. ``gpu_only``: only
    models.gpu.config lists the model.
    """

    name: str
    policy: Policy
    labels: Mapping[str, int]
    by_hand: bool
    gpu_only: bool = False


def model_names(path: Path) -> List[str]:
    """The names of the models listed, in the file's order; empty if there is no file yet.

    Raises:
        ModelsConfigError: the file is not a ModelServerConfig with one model_config_list.
    """
    return [_name(config, path) for config in _configs(_read(path), path)]


def models(path: Path) -> Dict[str, ListedModel]:
    """The models listed, by name, in the file's order; empty if there is no file yet.

    Raises:
        ModelsConfigError: like :func:`model_names`, or a policy or label cannot be read.
    """
    following = _names_after(_FOLLOWING, path)
    found = [_listed(config, following, path) for config in _configs(_read(path), path)]
    return {model.name: model for model in found}


def listed(models_root: Path) -> Dict[str, ListedModel]:
    """The models that a repository's two files list, by name.

    Raises:
        ModelsConfigError: like :func:`models`, for either file.
    """
    everywhere = models(models_root / FILE_NAME)
    on_gpu = models(models_root / GPU_FILE_NAME)
    own = {name: dataclasses.replace(on_gpu[name], gpu_only=True) for name in _own(models_root, everywhere, on_gpu)}
    return {**everywhere, **own}


def home(models_root: Path, name: str) -> Path:
    """The file that lists a model, or will: for a new model, the one for machines that can run its newest version.

    Raises:
        ModelsConfigError: like :func:`listed`.
    """
    there = listed(models_root).get(name)
    gpu_only = there.gpu_only if there else needs_its_gpu(models_root, name)
    return models_root / (GPU_FILE_NAME if gpu_only else FILE_NAME)


def in_force(path: Path) -> Path:
    """``path``, or models.config in place of a models.gpu.config that does not exist yet.

    A repository last written by an older Segstack has only models.config.
    """
    config = path.with_name(FILE_NAME)
    return config if path.name == GPU_FILE_NAME and not path.exists() and config.exists() else path


def list_model(
    path: Path,
    name: str,
    folders: Mapping[int, Path],
    labels: Optional[Mapping[str, int]] = None,
) -> None:
    """List ``name`` with these labels (None: unchanged) and the policy that follows from labels and ``folders``.

    The caller holds the repository's lock. A version that a label has just left stays loaded until the next call:
    serving unloads versions outside the policy before it moves the label, and requests by label would fail in
    between. The rest of the file (other models, hand-written policies, unknown fields) is kept, and the file is not
    written if nothing changes.

    Raises:
        ModelsConfigError: the file cannot be read; it is unchanged.
    """
    if path.name == GPU_FILE_NAME:
        everywhere = path.with_name(FILE_NAME)  # it may have been edited since it was copied
        _copy_for_gpus(everywhere, _read(everywhere), models(everywhere))
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
        _copy_for_gpus(path, model_list, before)
        return
    if labels != model.labels:
        _replace(config, _LABELS, [_label_message(label, labels[label]) for label in sorted(labels)])
    if policy != model.policy:
        _replace(config, version_policy.FIELD, [version_policy.to_message(policy)])
    after = {**before, name: ListedModel(name, policy, labels, model.by_hand)}
    # Written first, so that a reader of the new models.config also sees the new models.gpu.config.
    _copy_for_gpus(path, model_list, after)
    copied = _names_after(_COPIED, path)
    replace_file(path, _text(model_list, after, [name for name in copied if name in after]))


def _copy_for_gpus(path: Path, model_list: Message, listed_models: Mapping[str, ListedModel]) -> None:
    """Update models.gpu.config to what models.config is about to contain, and keep its own models."""
    if path.name != FILE_NAME:
        return
    gpu_path = path.with_name(GPU_FILE_NAME)
    before, gpu_list = models(gpu_path), _read(gpu_path)
    own = _own(path.parent, listed_models, before)
    # The last of two entries of one name: serving would refuse a file with both.
    last = {_name(config, gpu_path): config for config in _configs(gpu_list, gpu_path)}
    after = {**listed_models, **{name: before[name] for name in own}}
    text = _text([*model_list, *(("config", last[name]) for name in own)], after, list(listed_models))
    if not gpu_path.exists() or gpu_path.read_text(encoding="utf-8") != text:
        replace_file(gpu_path, text)


def _own(models_root: Path, everywhere: Collection[str], on_gpu: Collection[str]) -> List[str]:
    """The names in models.gpu.config that are not a copy from models.config.

    A copied name that is no longer in models.config was removed, unless it needs its GPU and should never have been
    in models.config: then a user has corrected that file.
    """
    copied = _names_after(_COPIED, models_root / GPU_FILE_NAME)
    return [
        name for name in on_gpu if name not in everywhere and (name not in copied or needs_its_gpu(models_root, name))
    ]


def _text(model_list: Message, listed_models: Mapping[str, ListedModel], copied: Sequence[str]) -> str:
    following = [n for n, m in listed_models.items() if isinstance(m.policy, Specific) and not m.by_hand]
    comments = [
        "{}{}\n".format(head, " ".join(names)) for head, names in ((_COPIED, copied), (_FOLLOWING, following)) if names
    ]
    return _HEADER + "".join(comments) + textproto.dump([(_LIST, model_list)])


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
    """Put ``values`` in place of the first ``field``, or at the end, where readers of the file expect them."""
    at = next((i for i, (name, _) in enumerate(config) if name == field), len(config))
    config[:] = [
        *config[:at],
        *((field, value) for value in values),
        *(pair for pair in config[at:] if pair[0] != field),
    ]


def _to_load(before: Mapping[str, int], after: Mapping[str, int]) -> AbstractSet[int]:
    """The labelled versions, and those that a label that still exists has just left."""
    return set(after.values()) | {version for label, version in before.items() if label in after}


def _names_after(head: str, path: Path) -> List[str]:
    """The names in one of the comments at the file's head."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return []
    return [name for names in re.findall(f"^{re.escape(head)}(.*)$", text, re.MULTILINE) for name in names.split()]


def _read(path: Path) -> Message:
    """The content of the file's model_config_list."""
    try:
        document = textproto.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (textproto.TextProtoError, UnicodeDecodeError) as error:
        raise ModelsConfigError(f"{path}: {error}. Fix the file, or move it away and publish again") from None
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
