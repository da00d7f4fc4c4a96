"""Evaluator processes with real NATS, MongoDB and vLLM: from checkpoints to scores."""

import json
import shutil
from contextlib import ExitStack

import httpx
import pytest

from deploy.local.settings import BASE_MODEL
from services.evaluator.suites.adapters.suite_folders import SHIPPED
from shared.artifacts import Artifacts
from shared.events import Artifact
from shared.security import Keyring
from tests.evaluator_process import checkpoint, evaluations, evaluator, nothing_is_left, send

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]
SHORT = '{"city": "Rome"}'
# The base model does not stop by itself.
FEW_TOKENS = {"EVALUATOR_MAX_TOKENS": "32"}


@pytest.mark.long
async def test_two_evaluators_share_the_checkpoints_and_score_the_base_once(
    bus_settings, keyring: Keyring, engine, adapters, tmp_path
) -> None:
    files = Artifacts(bus_settings.artifacts)
    events = [
        checkpoint(bus_settings, files.put_folder(folder), step, SHORT)
        for step, folder in zip((10, 20), adapters, strict=True)
    ]
    before = engine.answered_requests()
    with ExitStack() as stack:
        both = [stack.enter_context(evaluator(bus_settings, engine.url, tmp_path, f"evaluator-{n}")) for n in (1, 2)]
        await send(bus_settings, *events)
        first, second = await evaluations(bus_settings, 2)
        assert engine.answered_requests() - before == 3 * 12
        await send(bus_settings, *events)
        await nothing_is_left(bus_settings, done=2)
        assert engine.answered_requests() - before == 3 * 12
        assert all('"evaluated"' in each.log.read_text() for each in both)

        assert (first.candidate, second.candidate) == (events[0].candidate, events[1].candidate)
        assert first.suite == f"test-split@{events[0].test.artifact.sha256[:16]}"
        assert first.base_scores == second.base_scores
        assert set(first.scores) == set(first.base_scores) == {"exact_match", "json_fields", "bleu", "rouge_l"}
        assert set(first.intervals) == set(first.base_intervals) == set(first.scores)
        assert {(found.metric, found.against, found.n) for found in first.comparisons} == {
            (name, "base", 12) for name in first.scores
        }
        assert first.item_errors == first.base_item_errors == 0
        assert {score.n for score in (*first.scores.values(), *first.base_scores.values())} == {12}
        rows = [json.loads(line) for line in files.read(first.samples).splitlines()]
        assert len(rows) == 12
        assert {"prompt", "reference", "answer", "base_answer", "scores"} <= set(rows[0])
        assert any(row["answer"] != row["base_answer"] for row in rows), "the adapter was not used"

        models = httpx.get(f"{engine.url}/v1/models").json()["data"]
        assert [model["id"] for model in models] == [BASE_MODEL]
        key = {"authorization": f"Bearer {keyring.create('test', ('admin',))}"}
        another = {"authorization": f"Bearer {keyring.create('another', ('train',))}"}
        assert httpx.get(f"{both[0].url}/v1/evaluations", params={"job_id": "job-1"}, headers=another).json() == []
        assert httpx.get(f"{both[0].url}/v1/evaluations/job-1/10/samples", headers=another).status_code == 404
        listed = httpx.get(f"{both[0].url}/v1/evaluations", params={"job_id": "job-1"}, headers=key).json()
        assert [evaluation["step"] for evaluation in listed] == [10, 20]
        one = httpx.get(f"{both[1].url}/v1/evaluations/job-1/10", headers=key).json()
        assert one["scores"]["bleu"]["base_value"] == pytest.approx(first.base_scores["bleu"].value)
        samples = httpx.get(f"{both[0].url}/v1/evaluations/job-1/10/samples", params={"limit": 3}, headers=key)
        assert samples.json() == rows[:3]
        assert httpx.get(f"{both[0].url}/v1/evaluations/job-1/11", headers=key).status_code == 404
        assert httpx.get(f"{both[0].url}/v1/evaluations?job_id=job-1").status_code == 401
        assert httpx.get(f"{both[0].url}/readyz").json() == {"status": "ready"}


async def test_an_unusable_adapter_gives_an_evaluation_with_an_error_and_the_engine_survives(
    bus_settings, engine, adapters, tmp_path
) -> None:
    files = Artifacts(bus_settings.artifacts)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "adapter_config.json").write_bytes((adapters[0] / "adapter_config.json").read_bytes())
    (broken / "adapter_model.safetensors").write_bytes(b"\xff" * 5000)
    missing = Artifact(uri="file:///nowhere", sha256="0" * 64, bytes=1)
    events = [
        checkpoint(bus_settings, files.put_folder(broken), 10, SHORT, rows=2),
        checkpoint(bus_settings, missing, 20, SHORT, rows=2),
    ]
    with evaluator(bus_settings, engine.url, tmp_path, "evaluator-1", **FEW_TOKENS):
        await send(bus_settings, *events)
        refused, damaged = await evaluations(bus_settings, 2)
        await nothing_is_left(bus_settings, done=2)
    assert refused.error is not None
    assert refused.error.code == "adapter_refused"
    assert "deserializing header" in refused.error.message
    assert damaged.error is not None
    assert damaged.error.code == "artifact_damaged"
    assert refused.scores == damaged.scores == {}
    assert httpx.get(f"{engine.url}/health").status_code == 200


async def test_a_checkpoint_that_forgot_the_bases_knowledge_is_caught(bus_settings, engine, adapters, tmp_path) -> None:
    """Strong random changes of the weights destroy knowledge; a task with code fails alone."""
    shutil.copytree(adapters[0], tmp_path / "far")
    config_file = tmp_path / "far" / "adapter_config.json"
    config = json.loads(config_file.read_text())
    config_file.write_text(json.dumps(config | {"lora_alpha": 100 * config["lora_alpha"]}))
    rows = [json.loads(line) for line in (SHIPPED / "general-en.jsonl").read_text().splitlines()][::8]
    shown = [json.loads(line) for line in (SHIPPED / "general-en-examples.jsonl").read_text().splitlines()]
    task = {
        "name": "english",
        "kind": "multiple_choice",
        "data": {"rows": rows},
        "examples": {"rows": shown},
        "shots": 2,
    }
    (tmp_path / "known.yaml").write_text(json.dumps({"tasks": [task]}))
    (tmp_path / "mixed.yaml").write_text("tasks: [{name: code, data: !function x}]")
    forgot = Artifacts(bus_settings.artifacts).put_folder(tmp_path / "far")
    event = checkpoint(bus_settings, forgot, 10, SHORT, rows=2, suite="known,mixed")
    own = {"EVALUATOR_SUITES": json.dumps([str(tmp_path)]), **FEW_TOKENS}
    with evaluator(bus_settings, engine.url, tmp_path, "evaluator-1", **own):
        await send(bus_settings, event)
        [done] = await evaluations(bus_settings, 1)
    assert done.error is None
    assert {name: why.code for name, why in done.task_errors.items()} == {"mixed.code": "code_refused"}
    knew, knows = done.base_scores["known.english.accuracy"], done.scores["known.english.accuracy"]
    assert (knew.n, knows.n) == (20, 20)
    assert knew.value > knows.value + 0.2
    assert done.scores["known.kept"].value == 0
