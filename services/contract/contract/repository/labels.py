"""Labels: names such as ``stable`` that clients ask for in place of a version."""

from pathlib import Path
from typing import Optional

from contract import checksums
from contract.repository.model import RepositoryError, joined, locked_model
from contract.serving_config import models_config
from contract.serving_config.version_policy import TWO_NEWEST


def label(models_root: Path, name: str, text: str, version: int) -> Optional[int]:
    """Point the label ``text`` of a model at one of its versions, and have serving load that version.

    Serving moves the label once the version has loaded, and until then answers by the label as before. The version
    it leaves stays loaded until the next command or publish.

    Returns:
        The version it pointed at before, None when it is new.

    Raises:
        RepositoryError: no such model or version, a damaged one, or a policy written by hand that does not load it.
        ModelsConfigError: models.config cannot be read.
    """
    if not text.strip() or not text.isprintable():
        raise RepositoryError(f"label {text!r}: expected a word such as stable or canary")
    with locked_model(models_root, name) as model:
        model.check_has(version)
        damage = checksums.damage(model.folders[version])
        if damage:
            raise RepositoryError(
                f"{name} {version} is damaged: {damage}; a label on a version that does not load would hold up every "
                "other label; choose another version"
            )
        listed = model.listed
        if listed is not None and listed.by_hand and version not in listed.policy.loads(model.folders):
            raise RepositoryError(
                f"{model.config}: the policy of {name} was written by hand ({listed.policy}) and does not load version "
                f"{version}, and a label needs a loaded one; write latest {{ num_versions: {TWO_NEWEST.count} }} to "
                "have the policy follow the labels, or add the version to it"
            )
        labels = dict(listed.labels) if listed else {}
        before = labels.get(text)
        labels[text] = version
        models_config.list_model(model.config, name, model.folders, labels)
    return before


def remove_label(models_root: Path, name: str, text: str) -> int:
    """Take the label ``text`` away from a model; returns the version it pointed at.

    Raises:
        RepositoryError: no such model or label.
        ModelsConfigError: models.config cannot be read.
    """
    with locked_model(models_root, name) as model:
        labels = dict(model.listed.labels) if model.listed else {}
        if text not in labels:
            raise RepositoryError(f"{name} has no label {text!r}: it has {joined(sorted(labels))}")
        version = labels.pop(text)
        models_config.list_model(model.config, name, model.folders, labels)
    return version
