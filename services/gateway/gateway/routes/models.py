"""Which models there are, and the description of each."""

import dataclasses

from fastapi import APIRouter, Depends

from gateway import errors
from gateway.api.error_docs import error_responses
from gateway.api.schemas import ClassSummary, ModelList, ModelReply, Quality, VersionState
from gateway.api.targets import Target
from gateway.flow.deadline import Deadline
from gateway.imaging.palette import is_background
from gateway.request.deps import State, only_query

router = APIRouter(tags=["models"], dependencies=[Depends(only_query())])


@router.get("/models", responses=error_responses(errors.InvalidParameter))
async def list_models(state: State) -> ModelList:
    """The configured models; empty if none has been published yet."""
    try:
        default = state.catalog.default()
    except (errors.NoModel, errors.UnknownModel):
        default = None
    return ModelList(default=default, models=list(state.catalog.names()))


@router.get(
    "/models/{model}",
    responses=error_responses(
        errors.UnknownModel,
        errors.InvalidParameter,
        errors.BadServingReply,
        errors.NoModel,
        errors.ModelUnavailable,
        errors.ServingUnavailable,
        errors.DeadlineExceeded,
    ),
)
async def get_model(model: str, state: State) -> ModelReply:
    """One model: its versions and their states, classes and colours, input size, quality."""
    name = state.catalog.resolve(model)
    deadline = Deadline(state.settings.deadline_ms)
    versions = await state.serving.versions(name, deadline)
    version, label = await state.serving.current(name, versions, deadline)
    served = await state.serving.describe(Target(name, version), deadline)
    card, labels = served.card, state.catalog.labels(name)
    return ModelReply(
        name=name,
        version=version,
        label=label,
        versions=[
            VersionState(**dataclasses.asdict(status), labels=labels.get(status.version, [])) for status in versions
        ],
        architecture=card.architecture,
        input_width=card.input_width,
        input_height=card.input_height,
        ignore_id=card.ignore_id,
        classes=[ClassSummary(id=c.id, name=c.name, color=c.color, background=is_background(c)) for c in card.classes],
        metrics=Quality(**dataclasses.asdict(card.metrics)) if card.metrics else None,
        precision=card.precision,
        parameters=card.parameters,
        flops=card.flops,
        derived_from=card.derived_from,
        created_at=card.created_at,
    )
