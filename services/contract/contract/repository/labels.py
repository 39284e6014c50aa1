"""Labels: names such as ``stable`` that clients request in place of a version number."""

from pathlib import Path
from typing import Optional

from contract import checksums
from contract.repository.model import RepositoryError, joined, locked_model
from contract.serving_config import models_config
from contract.serving_config.version_policy import TWO_NEWEST


def label(models_root: Path, name: str, text: str, version: int) -> Optional[int]:
    """Point the label ``text`` of a model at one of its versions, which serving then loads.

    Serving moves the label once the version has loaded, and until then answers with the previous one, which stays
    loaded until the next command or publish.

    Returns:
        The version it pointed at before, None if the label is new.

    Raises:
        RepositoryError: no such model or version, a damaged one, or a hand-written policy that does not load it.
        ModelsConfigError: models.config cannot be read.
    """
    if not text.strip() or not text.isprintable():
        raise RepositoryError(f"label {text!r}: expected a word such as stable or canary")
    with locked_model(models_root, name) as model:
        model.check_has(version)
        damage = checksums.damage(model.folders[version])
        if damage:
            raise RepositoryError(
                f"{name} {version} is damaged: {damage}; a label on a version that cannot load would block every other "
                "label; choose another version"
            )
        listed = model.listed
        if listed is not None and listed.by_hand and version not in listed.policy.loads(model.folders):
            raise RepositoryError(
                f"{model.config}: the hand-written policy of {name} ({listed.policy}) does not load version {version}, "
                f"which a label needs; replace it by latest {{ num_versions: {TWO_NEWEST.count} }} to let the policy "
                "follow the labels, or add the version to it"
            )
        labels = dict(listed.labels) if listed else {}
        before = labels.get(text)
        labels[text] = version
        models_config.list_model(model.config, name, model.folders, labels)
    return before


def remove_label(models_root: Path, name: str, text: str) -> int:
    """Remove the label ``text`` from a model; return the version it pointed at.

    Raises:
        RepositoryError: no such model or label.
        ModelsConfigError: models.config cannot be read.
    """
    with locked_model(models_root, name) as model:
        labels = dict(model.listed.labels) if model.listed else {}
        if text not in labels:
            raise RepositoryError(f"label {text!r} of {name} not found; its labels: {joined(sorted(labels))}")
        version = labels.pop(text)
        models_config.list_model(model.config, name, model.folders, labels)
    return version
