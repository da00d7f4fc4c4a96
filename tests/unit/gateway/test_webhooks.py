"""Webhooks: what is said to whom, signed how, and which addresses may be called."""

import pytest

from services.gateway.common.domain.errors import BadRequest
from services.gateway.events.domain import webhook_delivery, webhook_payload
from services.gateway.events.domain.networks import allowed, networks, within
from services.gateway.events.domain.webhook_delivery import WebhookDelivery
from shared.cloudevents import Envelope
from shared.events import JobEnded, TrainingQueued

PRIVATE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1"),
    *("255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1"),
    *("::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2001:db8::1", "192.0.2.1"),
    *("198.18.0.1", "240.0.0.1", "fec0::1", "ff0e::1"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_nobodys_own_network_is_called_unless_it_is_allowed(address: str) -> None:
    assert not allowed(address, ())
    assert allowed(address, networks(["0.0.0.0/0", "::/0"]))


def test_the_public_internet_is_called_and_what_an_operator_allows() -> None:
    assert all(allowed(address, ()) for address in ("8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"))
    inside = networks(["10.0.0.0/8"])
    assert within("10.9.9.9", inside)
    assert not within("8.8.8.8", inside)
    assert not within("::1", inside)


def test_a_signature_is_the_one_of_standard_webhooks_own_example() -> None:
    # The example of its specification and of its reference libraries.
    told = webhook_payload.headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        '{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        1614265330,
    )
    assert told["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (told["webhook-id"], told["webhook-timestamp"]) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330")


def test_a_job_that_ended_has_openais_name_and_body_beside_its_own() -> None:
    envelope = Envelope.of(JobEnded(job_id="ftjob-1", status="succeeded"), "test")
    assert webhook_payload.types_of(envelope) == ("fine_tuning.job.succeeded", "job.ended")
    assert webhook_payload.types_of(Envelope.of(TrainingQueued(job_id="j"), "test")) == ("training.queued",)
    assert '"data": {"id": "ftjob-1"}' in webhook_payload.body("fine_tuning.job.succeeded", envelope)
    assert '"status": "succeeded"' in webhook_payload.body("job.ended", envelope)


def test_a_delivery_is_tried_by_one_at_a_time_and_given_up_after_the_last_delay() -> None:
    call = WebhookDelivery(id="d", at=0, webhook_id="w", owner="k", event_id="e", event_type="t", payload="{}")
    now, waits = 0.0, []
    while call.status == "pending":
        mine = webhook_delivery.claimed(call, now, 60)
        assert mine is not None
        assert webhook_delivery.claimed(mine, now + 59, 60) is None, "another one waits as long as the lease"
        assert webhook_delivery.claimed(mine, now + 60, 60) is not None, "unless the first process is gone"
        call = webhook_delivery.tried(mine, 500, "no", (5, 30), now)
        waits.append(call.due_at - now)
        now = max(now, call.due_at)
    assert (call.status, call.attempts, waits[:2]) == ("dead", 3, [5, 30])
    again = webhook_delivery.again(call, now)
    assert (again.status, again.attempts) == ("pending", 0)
    with pytest.raises(BadRequest):
        webhook_delivery.again(again, now)
    assert webhook_delivery.tried(again, 200, None, (5, 30), now).status == "delivered"
