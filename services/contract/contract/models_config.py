"""``models.config``: which models serving loads, in TensorFlow Serving's own ModelServerConfig text format.

Serving polls the file, so it is only ever replaced whole, by a rename.
"""

import os
from pathlib import Path
from typing import List, Optional

from contract import textproto
from contract.textproto import Message

FILE_NAME = "models.config"

# Old and new at once, so that a swap never leaves a gap and a client pinned to the old version can finish.
_LOADED_VERSIONS = "2"

_HEADER = """\
# Written by `contract` when a model is published, and polled by serving. Edit by hand only while nothing is
# being published; comments are not kept.
"""


class ModelsConfigError(ValueError):
    """A models.config that cannot be read; the message names the file and the line."""


def model_names(path: Path) -> List[str]:
    """The names of the models listed, in the file's order; none when there is no file yet.

    Raises:
        ModelsConfigError: the file is not a ModelServerConfig.
    """
    names = []
    for config in _configs(_read(path), path):
        name = _scalar(config, "name")
        if name is None:
            raise ModelsConfigError(f'{path}: a config has no name: expected name: "…"')
        names.append(name)
    return names


def add_model(path: Path, name: str) -> None:
    """List ``name``, with its two newest versions loaded, unless it is listed already.

    The caller holds the repository's lock. What else the file says (other models, policies, labels) is kept.

    Raises:
        ModelsConfigError: the file is not a ModelServerConfig; it is left as it was.
    """
    document = _read(path)
    if name in model_names(path):
        return
    config: Message = [
        ("name", textproto.quote(name)),
        ("base_path", textproto.quote("/models/" + name)),
        ("model_platform", textproto.quote("tensorflow")),
        ("model_version_policy", [("latest", [("num_versions", _LOADED_VERSIONS)])]),
    ]
    lists = [value for field, value in document if field == "model_config_list"]
    if not lists:
        document.append(("model_config_list", [("config", config)]))
    elif isinstance(lists[0], list):
        lists[0].append(("config", config))
    replace_file(path, _HEADER + textproto.dump(document))


def replace_file(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` in one step: a reader sees the old file or the new one, also after a power cut."""
    beside = path.with_name(".tmp-" + path.name)
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _read(path: Path) -> Message:
    try:
        return textproto.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (textproto.TextProtoError, UnicodeDecodeError) as error:
        raise ModelsConfigError(f"{path}: {error}. Mend the file, or move it away and publish again") from None


def _configs(document: Message, path: Path) -> List[Message]:
    configs = []
    for field, value in document:
        if field != "model_config_list" or isinstance(value, str):
            raise ModelsConfigError(f"{path}: found {field}: expected model_config_list {{ … }}")
        configs += [config for key, config in value if key == "config" and isinstance(config, list)]
    return configs


def _scalar(message: Message, name: str) -> Optional[str]:
    for field, value in message:
        if field == name and isinstance(value, str):
            return textproto.unquote(value)
    return None
