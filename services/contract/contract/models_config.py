"""``models.config``: which models serving loads, in TensorFlow Serving's own ModelServerConfig text format.

Serving polls the file, so it is only ever replaced whole, by a rename.
"""

from pathlib import Path
from typing import List

from contract import textproto
from contract.durable import replace_file
from contract.textproto import Message, Value

FILE_NAME = "models.config"

_LIST = "model_config_list"

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
        ModelsConfigError: the file is not a ModelServerConfig with one list of models.
    """
    return _names(_read(path), path)


def add_model(path: Path, name: str) -> None:
    """List ``name``, with its two newest versions loaded, unless it is listed already.

    The caller holds the repository's lock. What else the file says (other models, policies, labels) is kept.

    Raises:
        ModelsConfigError: the file is not a ModelServerConfig with one list of models; it is left as it was.
    """
    model_list = _read(path)
    if name in _names(model_list, path):
        return
    config: Message = [
        ("name", textproto.quote(name)),
        ("base_path", textproto.quote("/models/" + name)),
        ("model_platform", textproto.quote("tensorflow")),
        ("model_version_policy", [("latest", [("num_versions", _LOADED_VERSIONS)])]),
    ]
    document: Message = [(_LIST, [*model_list, ("config", config)])]
    replace_file(path, _HEADER + textproto.dump(document))


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


def _names(model_list: Message, path: Path) -> List[str]:
    return [_name(_message(field, value, path), path) for field, value in model_list if field == "config"]


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
