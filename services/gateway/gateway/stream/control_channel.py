"""A stream's configuration, and the text messages that the gateway sends about it."""

from pydantic import BaseModel
from starlette.websockets import WebSocket

from gateway.api.parameters import SegmentParameters
from gateway.api.schemas import ErrorBody
from gateway.api.targets import Target
from gateway.errors import GatewayError, error_body
from gateway.flow.deadline import Deadline
from gateway.metrics import Metrics
from gateway.request.context import RequestContext
from gateway.results import outputs
from gateway.rollout.router import Route, Router
from gateway.serving_client.client import ServingClient
from gateway.serving_client.replies import ServedModel
from gateway.stream import messages


class ControlChannel:
    """What the client has configured, and what it knows about the model that answers.

    Attributes:
        parameters: of each frame.
        answered_by: model and version, as last sent to the client.
    """

    def __init__(
        self,
        websocket: WebSocket,
        context: RequestContext,
        router: Router,
        serving: ServingClient,
        metrics: Metrics,
        deadline_ms: int,
    ) -> None:
        self.answered_by: tuple[str, int] | None = None
        self.parameters: SegmentParameters = messages.Configure(type="configure").parameters()
        self._websocket = websocket
        self._context = context
        self._router = router
        self._serving = serving
        self._metrics = metrics
        self._deadline_ms = deadline_ms

    @property
    def route(self) -> Route:
        """Where a frame goes.

        Raises:
            GatewayError: there is no such model.
        """
        return self._router.route(self.parameters, self._context.canary_identity)

    async def configure(self, wanted: messages.Configure) -> None:
        """Reply with the model that will answer, and switch to ``wanted``; or with an error, and change nothing."""
        deadline = Deadline(self._deadline_ms)
        try:
            parameters = wanted.parameters()

            async def describe(target: Target) -> ServedModel:
                served = await self._serving.describe(target, deadline)
                outputs.check_classes(served.card, parameters)
                return served

            served = await self._router.route(parameters, self._context.canary_identity).call(describe)
        except GatewayError as error:
            await self.send_error(error)
            return
        self.parameters = parameters
        await self._send_configured(served)

    async def announce(self, served: ServedModel) -> None:
        """Send the client the version, ``served``, that made the next reply, unless it knows."""
        if self.answered_by != (served.name, served.version):
            await self._send_configured(served)

    async def send_error(self, error: GatewayError) -> None:
        """Reply to a text message that could not be followed."""
        self._metrics.errors.labels(error.code).inc()
        await self._send(messages.ControlError(error=ErrorBody.model_validate(error_body(error))))

    async def send_summary(self, summary: messages.Summary) -> None:
        """Send the counts of frames, at the end."""
        await self._send(summary)

    async def _send_configured(self, served: ServedModel) -> None:
        self.answered_by = served.name, served.version
        await self._send(messages.Configured.by(served, self.parameters))

    async def _send(self, message: BaseModel) -> None:
        await self._websocket.send_text(message.model_dump_json())
