"""The trace of a chat request: a span of the request, and one inside it from the request to the first token.

Made only where traces are exported. Prompts and answers are not recorded.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from services.gateway.inference.api.fast_path import FastHandler
from services.gateway.inference.api.request_cycle import RequestCycle
from services.gateway.inference.domain import completion_request
from services.gateway.inference.domain.chat_request import ChatRequest
from services.gateway.inference.domain.stream_events import used
from services.gateway.inference.service.served_answer import ServedAnswer
from shared import tracing

# By OpenTelemetry's semantic conventions for generative AI.
_REQUEST = {
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "n": "gen_ai.request.choice.count",
}


@dataclass(frozen=True)
class TracedChat:
    """Runs the handler of one path in a span.

    `answered` holds the versions that this process answered with: the first answer of each is linked to its rollout.
    """

    path: str
    handler: FastHandler
    answered: set[str]

    async def __call__(self, cycle: RequestCycle) -> None:
        operation = _operation(self.path)
        about = {"http.request.method": "POST", "http.route": self.path, "url.path": self.path}
        parent = cycle.text(b"traceparent")
        with tracing.span(
            f"POST {self.path}", parent=parent, kind=tracing.SpanKind.SERVER, attributes=about
        ) as request:
            # The handler continues the trace of this header, and names it in its answer.
            cycle.headers[b"traceparent"] = (tracing.traceparent_of(request) or "").encode()
            with tracing.span(operation, attributes={"gen_ai.operation.name": operation}, end_on_exit=False) as first:
                cycle.trace = trace = ChatTrace(cycle, request, first, self.answered)
                try:
                    await self.handler(cycle)
                finally:
                    trace.ended()


@dataclass
class ChatTrace:
    """What happens to one request; takes the place of the request as the sink of a stream."""

    cycle: RequestCycle
    request: tracing.Span
    first: tracing.Span
    answered: set[str]
    began_at: float = field(default_factory=time.perf_counter)
    served: ServedAnswer | None = None

    def served_by(self, asked: ChatRequest, served: ServedAnswer) -> None:
        """A version answers; the first token of a stream is still to come."""
        self.served, version = served, served.target.version
        self.first.update_name(f"{_operation(asked.path)} {asked.model}")
        asked_for = {name: asked.members[key] for key, name in _REQUEST.items() if key in asked.members}
        self.first.set_attributes(
            {
                "gen_ai.provider.name": "vllm",
                "gen_ai.request.model": asked.model,
                "gen_ai.response.model": served.target.public,
                "gen_ai.request.stream": asked.stream,
                "assay.version": version,
                "assay.engine": served.replica.url,
                **asked_for,
            }
        )
        served.when_closed(self._usage)
        if served.body is not None:
            self._first_token()

    def send_events(self, events: Sequence[bytes]) -> bool:
        if events and self.first.is_recording():
            self.first.set_attribute("gen_ai.response.time_to_first_chunk", time.perf_counter() - self.began_at)
            self._first_token()
        return self.cycle.send_events(events)

    async def drained(self) -> None:
        await self.cycle.drained()

    def ended(self) -> None:
        """The answer is over, or the request was refused."""
        status = self.cycle.status
        self.request.set_attribute("http.response.status_code", status)
        if status == 0 or status >= 500:
            tracing.fail(self.request, f"answered with status {status}")
        if self.first.is_recording():
            tracing.fail(self.first, "no token was sent")
            self.first.end()

    def _first_token(self) -> None:
        target = self.served.target if self.served else None
        if target is not None and target.rollout and target.version not in self.answered:
            self.answered.add(target.version)
            tracing.link(self.first, target.rollout)
        self.first.end()

    def _usage(self, served: ServedAnswer) -> None:
        said: Any = served.usage.used if served.body is None else used(served.body)
        if said is not None:
            self.request.set_attribute("gen_ai.usage.input_tokens", said.prompt_tokens)
            self.request.set_attribute("gen_ai.usage.output_tokens", said.completion_tokens)


def _operation(path: str) -> str:
    """By the conventions, too."""
    return "text_completion" if path == completion_request.PATH else "chat"
