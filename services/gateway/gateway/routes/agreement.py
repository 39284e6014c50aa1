"""``GET /models/{model}/agreement``: how far the shadow's masks agree with the answers."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from gateway import errors
from gateway.api.error_docs import error_responses
from gateway.request.deps import State, only_query
from gateway.rollout import agreement
from gateway.rollout.shadow import Outcomes

router = APIRouter(tags=["models"], dependencies=[Depends(only_query())])


# The class's name is the schema's in OpenAPI, after which generated clients name theirs.
class AgreementFigures(BaseModel):
    """Over a number of images. None of it shows which of the two models is right."""

    images: Annotated[int, Field(examples=[500])]
    pixel_agreement: Annotated[
        float | None,
        Field(
            description="Fraction of pixels with the same class, 0 to 1; null if there are no pixels.", examples=[0.993]
        ),
    ]
    miou: Annotated[
        float | None,
        Field(
            description="Intersection over union of the two masks, mean over the classes in either.", examples=[0.97]
        ),
    ]
    per_class_iou: Annotated[
        dict[str, float | None], Field(description="null: in neither.", examples=[{"road": 0.99, "car": 0.95}])
    ]


class AgreementOfVersions(BaseModel):
    """Two versions that segmented the same images."""

    version: Annotated[int, Field(description="Of this model: the one that answered.", examples=[3])]
    shadow_model: Annotated[str, Field(examples=["road"])]
    shadow_version: Annotated[int, Field(examples=[4])]
    total: Annotated[AgreementFigures, Field(description="Since the gateway started.")]
    window: Annotated[AgreementFigures, Field(description=f"The last {agreement.WINDOW_IMAGES} images.")]


class AgreementReply(BaseModel):
    """What GATEWAY_SHADOW has measured, the latest pair of versions first."""

    model: Annotated[str, Field(examples=["road"])]
    shadow: Annotated[
        str | None,
        Field(description="As in GATEWAY_SHADOW; null if this model has no shadow.", examples=["road:4"]),
    ]
    share: Annotated[
        float | None, Field(description="Fraction of the model's images that are compared, 0 to 1.", examples=[0.1])
    ]
    compared: Annotated[int, Field(description="Images segmented by both.", examples=[1200])]
    dropped: Annotated[int, Field(description="Not compared because no slot was free.", examples=[14])]
    failed: Annotated[int, Field(description="The shadow gave no mask.", examples=[0])]
    last_error: Annotated[str | None, Field(description="Reason of the last failure.", examples=[None])]
    comparisons: list[AgreementOfVersions]


@router.get(
    "/models/{model}/agreement",
    responses=error_responses(errors.UnknownModel, errors.InvalidParameter, errors.NoModel),
)
async def get_agreement(model: str, state: State) -> AgreementReply:
    """Mask agreement between this model and its shadow on live traffic: an alarm that needs no labels."""
    name = state.catalog.resolve(model)
    shadow = state.shadow
    split = shadow.split if state.catalog.is_default(name) else None
    outcomes = shadow.outcomes if split else Outcomes()
    return AgreementReply(
        model=name,
        shadow=str(split.target) if split else None,
        share=split.fraction if split else None,
        compared=outcomes.compared,
        dropped=outcomes.dropped,
        failed=outcomes.failed,
        last_error=outcomes.last_error,
        comparisons=[
            AgreementOfVersions(
                version=pair.first.version,
                shadow_model=pair.second.name,
                shadow_version=pair.second.version,
                total=_metrics(pair.total),
                window=_metrics(pair.window),
            )
            for pair in shadow.agreements.of(name)
        ],
    )


def _metrics(of: agreement.Overlap) -> AgreementFigures:
    return AgreementFigures(
        images=of.images, pixel_agreement=of.pixel_agreement, miou=of.miou, per_class_iou=of.per_class_iou
    )
