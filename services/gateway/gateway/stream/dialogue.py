"""A stream's text messages, as far as the gateway says them, and the configuration that they are about."""

from contextlib import suppress

from pydantic import BaseModel
from starlette.websockets import WebSocket

from gateway.api.parameters import SegmentParameters
from gateway.api.schemas import ErrorBody
from gateway.api.targets import Target
from gateway.errors import GatewayError, InvalidParameter, ModelUnavailable, UnknownVersion, error_body
from gateway.flow.deadline import Deadline
from gateway.request.deps import AppState
from gateway.results import outputs
from gateway.serving_client.replies import ServedModel
from gateway.stream import control


class Dialogue:
    """Who is to answer, what is asked of them, and what the client is told of it.

    ``answered_by``: model and version, as the client was last told.
    """

    def __init__(self, websocket: WebSocket, state: AppState) -> None:
        self.answered_by: tuple[str, int] | None = None
        self._websocket = websocket
        self._state = state
        self._configured = control.Configure(type="configure")

    @property
    def parameters(self) -> SegmentParameters:
        """What is asked of a frame."""
        return self._configured.parameters()

    @property
    def targets(self) -> tuple[Target, Target | None]:
        """Who is to answer a frame, and the canary where it should.

        Raises:
            GatewayError: there is no such model.
        """
        return self._targets(self._configured)

    async def configure(self, wanted: control.Configure) -> None:
        """Find out who will answer, and go over to it if it can do what is asked."""
        deadline = Deadline(self._state.settings.deadline_ms)
        try:
            parameters = wanted.parameters()
            target, canary = self._targets(wanted)
            served = await self._describe(target, canary, parameters, deadline)
        except GatewayError as error:
            await self.complain(error)
            return
        self._configured = wanted
        await self._tell(served)

    async def announce(self, served: ServedModel) -> None:
        """Before a reply: say who it is by, if that is news."""
        if self.answered_by != (served.name, served.version):
            await self._tell(served)

    async def complain(self, error: GatewayError) -> None:
        """A text message could not be followed."""
        self._state.metrics.errors.labels(error.code).inc()
        await self._say(control.ControlError(error=ErrorBody.model_validate(error_body(error))))

    async def sum_up(self, summary: control.Summary) -> None:
        """What became of the frames, at the end."""
        await self._say(summary)

    def _targets(self, wanted: control.Configure) -> tuple[Target, Target | None]:
        target = Target(self._state.catalog.resolve(wanted.model), wanted.version, wanted.label)
        named = wanted.model is not None
        return target, self._state.canary.choose(self._websocket, target, model_named=named)

    async def _describe(
        self, target: Target, canary: Target | None, parameters: SegmentParameters, deadline: Deadline
    ) -> ServedModel:
        """Who answers: as for images the canary only where it is loaded and has what is asked for."""

        async def able(candidate: Target) -> ServedModel:
            served = await self._state.serving.describe(candidate, deadline)
            outputs.check_classes(served.card, parameters)
            return served

        if canary is not None:
            with suppress(UnknownVersion, ModelUnavailable, InvalidParameter):
                return await able(canary)
        return await able(target)

    async def _tell(self, served: ServedModel) -> None:
        self.answered_by = served.name, served.version
        await self._say(control.Configured.by(served, self.parameters))

    async def _say(self, message: BaseModel) -> None:
        await self._websocket.send_text(message.model_dump_json())
