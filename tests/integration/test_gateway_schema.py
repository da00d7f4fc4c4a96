"""Requests made up from the gateway's own OpenAPI schema, hostile ones among them: none is answered with a 5xx."""

import asyncio
from collections.abc import AsyncIterator

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, strategies

from shared.settings import CommonSettings
from tests.gateway import Gateway, running

EXAMPLES_OF_EACH = 10
# A stream that ends when its reader leaves.
ENDLESS = {"GET /v1/events"}
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)


@pytest.fixture
async def gateway(bus_settings: CommonSettings) -> AsyncIterator[Gateway]:
    async with running(bus_settings, ["http://127.0.0.1:9"]) as gateway:
        yield gateway


def statuses(gateway: Gateway, secret: str) -> dict[str, set[int]]:
    """What each operation answered with."""
    schema = schemathesis.openapi.from_url(f"{gateway.url}/schema/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    return {found.label: probed(found, gateway.url, secret) for found in operations if found.label not in ENDLESS}


def probed(operation: schemathesis.schemas.APIOperation, url: str, secret: str) -> set[int]:
    seen: set[int] = set()

    @hypothesis.settings(
        max_examples=EXAMPLES_OF_EACH,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategies.one_of(*(operation.as_strategy(mode) for mode in MODES)))
    def ask(case: schemathesis.Case) -> None:
        answer = case.call(base_url=url, headers={"authorization": f"Bearer {secret}"}, timeout=20)
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        seen.add(answer.status_code)

    ask()
    return seen


async def test_nothing_that_the_schema_allows_or_forbids_is_answered_with_a_server_error(gateway) -> None:
    found = await asyncio.to_thread(statuses, gateway, gateway.key("admin"))
    assert {"GET /v1/files", "POST /v1/fine_tuning/jobs", "PATCH /v1/keys/{key_id}", "POST /v1/events"} <= found.keys()
    assert 200 in found["GET /v1/files"]
    # Bodies are made up too: some are right.
    assert 201 in found["POST /v1/keys"]
    assert 404 in found["GET /v1/fine_tuning/jobs/{job_id}"]
