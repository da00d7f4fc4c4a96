"""What a stream holds and how far its consumers have come, for the operator's commands."""

from collections.abc import AsyncGenerator
from contextlib import suppress

from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from shared.consumers import Consumer

_BATCH = 500
_TIMEOUT_S = 10.0
_LEFT_S = 60.0


async def messages(js: JetStreamContext, stream: str, first: int, subject: str = ">") -> AsyncGenerator[Msg]:
    """The messages from the place `first` to the end; raises `NotFoundError` for a stream that is missing."""
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=first,
        filter_subject=subject,
        ack_policy=AckPolicy.NONE,
        inactive_threshold=_LEFT_S,
        mem_storage=True,
        num_replicas=1,
    )
    made = await js.add_consumer(stream, config)
    waiting = made.num_pending or 0
    subscription = await js.pull_subscribe_bind(made.name, stream)
    try:
        while waiting:
            for message in await subscription.fetch(_BATCH, timeout=_TIMEOUT_S):
                waiting = message.metadata.num_pending
                yield message
    finally:
        with suppress(Exception):
            await subscription.unsubscribe()


async def handled_up_to(js: JetStreamContext, consumer: Consumer) -> int:
    """The place up to which a consumer has handled all of its messages; raises `NotFoundError` if it is missing."""
    # Read first: what comes later is not handled.
    last = (await js.stream_info(consumer.stream)).state.last_seq
    info = await js.consumer_info(consumer.stream, consumer.name)
    floor = info.ack_floor.stream_seq if info.ack_floor else 0
    return floor if info.num_pending or info.num_ack_pending else last
