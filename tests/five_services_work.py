"""What people and services do at the five services, so that each database holds something."""

from shared.artifacts import Artifacts
from shared.events import (
    Candidate,
    CheckpointSaved,
    EvalDone,
    TrainingFinished,
    TrainingMetrics,
    TrainingRequested,
    TrainingSpec,
)
from shared.settings import CommonSettings
from tests.five_services import FiveServices
from tests.gateway import BASE, candidate, eventually, rows, saved
from tests.review import BEST, score_all
from tests.scripted_engine import adapter
from tests.unit.review.evidence import evaluation, sample_lines

GATED = {"mode": "hybrid", "gates": [{"metric": "exact_match", "at_least": 0.5}], "reviewers_wanted": 1}


def evaluated(made: Candidate, figure: float, settings: CommonSettings) -> EvalDone:
    samples = Artifacts(settings.artifacts).put_bytes(sample_lines(3))
    return evaluation(made.step, figure, samples=samples).model_copy(update={"candidate": made})


def checkpoint(made: Candidate, settings: CommonSettings) -> CheckpointSaved:
    rows_of_test = Artifacts(settings.artifacts).put_bytes(b"")
    known = saved(made)
    metrics = TrainingMetrics(step=made.step, train_loss=0.5)
    return known.model_copy(
        update={"metrics": metrics, "test": known.test.model_copy(update={"artifact": rows_of_test})}
    )


def requested(job_id: str, suffix: str | None) -> TrainingRequested:
    """A job whose file never comes, so that the trainer here does not train it."""
    spec = TrainingSpec(base_model=BASE, suffix=suffix)
    return TrainingRequested(job_id=job_id, training_file="file-never", spec=spec, created_at=5)


async def configure(at: FiveServices) -> None:
    """Policies, a binding, suites, a template, pools."""
    for name in ("people", "old"):
        assert (await at.review.put(f"/v1/policies/{name}", json=GATED)).status_code == 200
    changed = {**GATED, "items_per_review": 3, "readers": ["key_reader"]}
    assert (await at.review.put("/v1/policies/people", json=changed)).status_code == 200
    assert (await at.review.delete("/v1/policies/old")).is_success
    assert (await at.review.put("/v1/names/panel/policy", json={"policy": "people"})).is_success
    for name in ("pets", "gone"):
        task = {"name": "sorts", "data": {"rows": [{"question": "a cat?", "answer": "cat"}]}, "metrics": ["accuracy"]}
        put = await at.evaluator.put(f"/v1/suites/{name}", json={"tasks": [task]})
        assert put.status_code == 200, put.text
    assert (await at.evaluator.delete("/v1/suites/gone")).is_success
    made = {"name": "plain", "user": "Answer: {input}"}
    assert (await at.ingest.post("/v1/templates", json=made)).is_success
    assert (await at.http.put("/v1/pools/other", json={"replicas": ["http://127.0.0.1:2"]})).is_success
    assert (await at.http.put("/v1/pools/removed", json={"replicas": ["http://127.0.0.1:3"]})).is_success
    assert (await at.http.delete("/v1/pools/removed")).is_success


async def upload_and_train(at: FiveServices) -> None:
    """Three files, of which one is bad and one is deleted; a job that fails and one that is cancelled."""
    ids: list[str] = []
    for name, content in (("a", rows(20)), ("b", rows(12)), ("bad", b'{"messages": []}\n')):
        files = {"file": (f"{name}.jsonl", content)}
        answer = await at.http.post("/v1/files", data={"purpose": "fine-tune"}, files=files)
        ids.append(answer.json()["id"])
    await at.idle()
    assert (await at.http.delete(f"/v1/files/{ids[1]}")).is_success
    asked = {"model": BASE, "training_file": ids[0], "suffix": "mine"}
    job = (await at.http.post("/v1/fine_tuning/jobs", json=asked)).json()
    await eventually(lambda: status_is(at, job["id"], "failed"))
    await at.say("gateway", requested("ftjob-never", None))
    await eventually(lambda: status_is(at, "ftjob-never", "validating_files"))
    assert (await at.http.post("/v1/fine_tuning/jobs/ftjob-never/cancel")).is_success


async def status_is(at: FiveServices, job_id: str, status: str) -> bool:
    return (await at.http.get(f"/v1/fine_tuning/jobs/{job_id}")).json().get("status") == status


async def serve_versions(at: FiveServices, settings: CommonSettings) -> None:
    """Two versions that a policy approved; traffic is split, rolled back and split again; a key gets a permission."""
    versions = [candidate(f"ftjob-shop-{n}", adapter=adapter(settings, n), suffix="shop") for n in (1, 2)]
    old = versions[0]
    for seed, made in enumerate(versions):
        await at.say("gateway", requested(made.job_id, "shop"))
        await at.say("evaluator", evaluated(made, 0.9 + seed / 100, settings))
        await at.idle()
        await at.say("trainer", checkpoint(made, settings))
        await at.say("trainer", TrainingFinished(job_id=made.job_id, status="succeeded", checkpoints=(made.step,)))
        await eventually(lambda made=made: means(at, "shop", made))
    url, split = "/v1/models/shop/routing", [{"version": "current", "weight": 1}, {"version": "previous", "weight": 3}]
    assert (await at.http.put(url, json={"split": split})).is_success
    assert (await at.http.post("/v1/models/shop/rollback", json={"reason": "worse"})).is_success
    assert (await at.http.put(url, json={"shadow": {"version": old.version, "percent": 5}})).is_success
    path = f"/v1/fine_tuning/checkpoints/{old.model_name}/permissions"
    assert (await at.http.post(path, json={"project_ids": ["key_aaaaaaaaaaaa", "key_bbbbbbbbbbbb"]})).is_success
    given = (await at.http.get(path)).json()["data"]
    assert (await at.http.delete(f"{path}/{given[0]['id']}")).is_success


async def means(at: FiveServices, alias: str, made: Candidate) -> bool:
    return (await at.http.get(f"/v1/models/{alias}")).json().get("root") == made.version


async def review_by_people(at: FiveServices, settings: CommonSettings) -> None:
    """One review that people decided, and one that waits for them."""
    for name in ("ftjob-decided", "ftjob-open"):
        made = candidate(name, adapter=adapter(settings, len(name)), suffix="panel")
        await at.say("gateway", requested(name, "panel"))
        await at.say("evaluator", evaluated(made, 0.9, settings))
        await at.idle()
        await at.say("trainer", TrainingFinished(job_id=name, status="succeeded", checkpoints=(made.step,)))
        [path] = await eventually(lambda: open_reviews(at))
        if name == "ftjob-decided":
            await score_all(at.review, path, {}, BEST)
            await eventually(lambda made=made: means(at, "panel", made))


async def open_reviews(at: FiveServices) -> list[str]:
    found = (await at.review.get("/v1/reviews")).json()
    return [f"/v1/reviews/{each['id']}" for each in found if each["status"] == "open"]
