"""Every event of Assay: the one place where they are defined. Fields are only ever added."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.cloudevents import Envelope, EventData


class Value(BaseModel):
    """A part of an event: compared by what it holds, never changed."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Artifact(Value):
    """Where an artifact lies and what it must hash to; `uri` is an fsspec URL, `bytes` its size.

    For a folder, `uri` and `sha256` are those of its manifest, and `bytes` is the sum of its files.
    """

    uri: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class RowError(Value):
    """Why one line of an uploaded file was refused. `line` counts from 1."""

    line: int
    field: str
    reason: str


class Split(Value):
    """One part of a dataset, as JSON Lines of `{"messages": [...]}`."""

    artifact: Artifact
    rows: int


class Splits(Value):
    """A dataset's three disjoint parts."""

    train: Split
    validation: Split
    test: Split


class Hyperparameters(Value):
    """What a caller asked for; None stands for "auto". `learning_rate` is absolute, the multiplier scales it.

    `lora_targets` is `all-linear`, `attention`, `mlp`, or names of linear layers with commas between; `freeze_blocks`
    are the last ones, those that `freeze` trains. A run stops early when `early_stopping_metric` lies
    `early_stopping_drop` below its best, when it has not risen in `early_stopping_patience` evaluations, or when
    `general_metric` lies `general_drop` below the base model's; each only where it was asked for. `start_job` and
    `start_step` name a checkpoint to go on from, with its optimizer's state or, by default, without; rows of the
    dataset `general_file` are mixed in, so that they are `general_share` of all. A row may have `max_length` tokens.
    """

    n_epochs: float | None = Field(default=None, gt=0, le=100)
    batch_size: int | None = Field(default=None, ge=1, le=1024)
    learning_rate: float | None = Field(default=None, gt=0, le=1)
    learning_rate_multiplier: float | None = Field(default=None, gt=0, le=1000)
    lora_rank: int | None = Field(default=None, ge=1, le=256)
    n_checkpoints: int | None = Field(default=None, ge=1, le=100)
    max_length: int | None = Field(default=None, ge=16, le=2**20)
    tuning: Literal["lora", "freeze", "full"] | None = None
    lora_alpha: int | None = Field(default=None, ge=1, le=1024)
    lora_targets: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]+(,[A-Za-z0-9_-]+)*$", max_length=256)
    use_dora: bool | None = None
    use_rslora: bool | None = None
    freeze_blocks: int | None = Field(default=None, ge=1, le=1000)
    early_stopping_metric: str | None = Field(default=None, min_length=1, max_length=256)
    early_stopping_patience: int | None = Field(default=None, ge=1, le=100)
    early_stopping_drop: float | None = Field(default=None, ge=0, le=1)
    general_metric: str | None = Field(default=None, min_length=1, max_length=256)
    general_drop: float | None = Field(default=None, ge=0, le=1)
    start_job: str | None = Field(default=None, min_length=1, max_length=128)
    start_step: int | None = Field(default=None, ge=1)
    start_optimizer: bool | None = None
    general_file: str | None = Field(default=None, min_length=1, max_length=128)
    general_share: float | None = Field(default=None, gt=0, le=0.9)


class TrainingSpec(Value):
    """What to train, independent of the data: the part of a request that a user chooses."""

    base_model: str = Field(min_length=1, max_length=256)
    method: Literal["supervised"] = "supervised"
    hyperparameters: Hyperparameters = Hyperparameters()
    suffix: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    policy: str | None = Field(default=None, max_length=64)
    priority: int = Field(default=0, ge=-100, le=100)
    """Of the jobs that wait, the highest goes first; among equals the oldest."""
    metadata: dict[str, str] = Field(default_factory=dict)


class TrainingMetrics(Value):
    """Figures of one step, named as OpenAI names them. Losses are mean nats per answer token; accuracies are 0 to 1."""

    step: int
    train_loss: float | None = None
    train_mean_token_accuracy: float | None = None
    valid_loss: float | None = None
    valid_mean_token_accuracy: float | None = None
    full_valid_loss: float | None = None
    full_valid_mean_token_accuracy: float | None = None
    learning_rate: float | None = None
    grad_norm: float | None = None
    tokens_per_s: float | None = None
    memory_bytes: int | None = None


class Failure(Value):
    """Why something ended badly, in the shape of OpenAI's job error."""

    code: str
    message: str
    param: str | None = None


class Score(Value):
    """One metric over `n` items: from 0 to 1, more being better, unless docs/metrics.md says otherwise of it."""

    value: float = Field(allow_inf_nan=False)
    n: int = Field(ge=0)


class Interval(Value):
    """Where a figure lies with probability `level`. `seed` is that of the draws, None where nothing was drawn."""

    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)
    level: float = Field(gt=0, lt=1)
    method: str
    seed: int | None = None


class Comparison(Value):
    """One metric of two models on the same `n` items: `difference` is the first's mean item value less the other's.

    `gained` items score higher than in the other model, `lost` lower. `p_adjusted` is corrected for all metrics
    compared at once, and `verdict` follows from it alone: 5 % of comparisons of equals may call a difference.
    """

    metric: str
    against: str
    difference: float = Field(allow_inf_nan=False)
    interval: Interval
    p_value: float = Field(ge=0, le=1)
    p_adjusted: float = Field(ge=0, le=1)
    test: str
    n: int = Field(ge=1)
    gained: int = Field(ge=0)
    lost: int = Field(ge=0)
    verdict: Literal["better", "worse", "no_difference"]


class Contamination(Value):
    """How many of a task's `n` questions the training rows held; `task` is empty for the test split."""

    task: str
    n: int = Field(ge=0)
    seen: int = Field(ge=0)


class RuleOutcome(Value):
    """One rule of a policy: what was measured, what was demanded, and whether it held."""

    rule: str
    figure: float | None
    limit: float | None
    passed: bool
    reason: str


class Verdict(Value):
    """The decision over one checkpoint with every rule that led to it."""

    approved: bool
    mode: Literal["automatic", "hybrid"]
    policy: str
    rules: tuple[RuleOutcome, ...]
    reason: str


class Candidate(Value):
    """One checkpoint and what is needed to score, review and serve it; it travels with every event about it."""

    job_id: str
    step: int
    base_model: str
    model_name: str
    """The name of this checkpoint that one can call, such as `ft:<base>:<org>:<suffix>:<id>:ckpt-step-<step>`."""
    adapter: Artifact
    """The weights' folder: a LoRA adapter, or for freeze and full the whole model's safetensors and config.json."""
    lora_rank: int
    """0 for freeze and full."""
    suffix: str | None = None
    policy: str | None = None
    tuning: Literal["lora", "freeze", "full"] = "lora"
    """`full` also where an adapter was merged, as that of DoRA is."""
    suite: str | None = None
    """The suites that it is scored on beside its test split, joined by commas; None for the evaluator's default."""
    owner: str = ""
    """The id of the key whose job made it."""

    @property
    def version(self) -> str:
        """The immutable name of these weights: made of their digest, never given to others."""
        return f"v-{self.adapter.sha256[:16]}"


class DatasetUploaded(EventData):
    """A file was stored and waits to be checked. With `train`, training starts as soon as it is ready."""

    type: ClassVar[str] = "dataset.uploaded"
    file_id: str
    filename: str
    purpose: str = "fine-tune"
    artifact: Artifact
    owner: str = ""
    drop_bad_rows: bool = False
    split_seed: int = 0
    train: TrainingSpec | None = None
    created_at: int = 0

    def aggregate_id(self) -> str:
        return self.file_id


class DatasetReady(EventData):
    """A file was found clean and was split."""

    type: ClassVar[str] = "dataset.ready"
    file_id: str
    format: Literal["messages"] = "messages"
    rows: int
    dropped_rows: int = 0
    duplicate_rows: int = 0
    splits: Splits
    owner: str = ""
    train: TrainingSpec | None = None

    def aggregate_id(self) -> str:
        return self.file_id


class DatasetRejected(EventData):
    """A file cannot be trained on. `errors` holds the first of them, `bad_rows` counts all lines that are bad."""

    type: ClassVar[str] = "dataset.rejected"
    file_id: str
    rows: int
    bad_rows: int
    errors: tuple[RowError, ...]

    def aggregate_id(self) -> str:
        return self.file_id


class TrainingRequested(EventData):
    """Somebody asked for a job."""

    type: ClassVar[str] = "training.requested"
    job_id: str
    training_file: str
    validation_file: str | None = None
    spec: TrainingSpec
    owner: str = ""
    created_at: int = 0

    def aggregate_id(self) -> str:
        return self.job_id


class TrainingCancelRequested(EventData):
    """Somebody asked for a job to stop."""

    type: ClassVar[str] = "training.cancel_requested"
    job_id: str

    def aggregate_id(self) -> str:
        return self.job_id


class TrainingPauseRequested(EventData):
    """Somebody asked for a job to hold.

    `change` rises with each pause and each resume of a job. The two are heard on ways of their own, perhaps not in
    the order in which they were said: the one with the highest `change` holds.
    """

    type: ClassVar[str] = "training.pause_requested"
    job_id: str
    change: int = Field(ge=1)

    def aggregate_id(self) -> str:
        return self.job_id

    def natural_key(self) -> str:
        return f"{self.job_id}/{self.change}"


class TrainingResumeRequested(EventData):
    """Somebody asked for a paused job to go on; `change` is as in `training.pause_requested`."""

    type: ClassVar[str] = "training.resume_requested"
    job_id: str
    change: int = Field(ge=1)

    def aggregate_id(self) -> str:
        return self.job_id

    def natural_key(self) -> str:
        return f"{self.job_id}/{self.change}"


class TrainingQueued(EventData):
    """A job has its data and waits for a trainer: the trainers' work queue.

    `turn` is 0 for the first time, and the `change` of the resume that brought a paused job back.
    """

    type: ClassVar[str] = "training.queued"
    job_id: str
    turn: int = Field(default=0, ge=0)

    def aggregate_id(self) -> str:
        return self.job_id

    def natural_key(self) -> str:
        return f"{self.job_id}/{self.turn}" if self.turn else self.job_id


class TrainingProgress(EventData):
    """One step of a running job. `message` is for people; `estimated_finish` is in Unix seconds."""

    type: ClassVar[str] = "training.progress"
    job_id: str
    attempt: int
    step: int
    total_steps: int
    metrics: TrainingMetrics
    trained_tokens: int = 0
    message: str = ""
    estimated_finish: int | None = None

    def aggregate_id(self) -> str:
        return self.job_id

    def natural_key(self) -> str:
        return f"{self.job_id}/{self.attempt}/{self.step}"


class CheckpointSaved(EventData):
    """A checkpoint lies whole in the artifact store. `state` is what a trainer needs to go on from it.

    `train` holds what it was trained on, against which questions are checked.
    """

    type: ClassVar[str] = "checkpoint.saved"
    candidate: Candidate
    total_steps: int
    metrics: TrainingMetrics
    test: Split
    state: Artifact | None = None
    train: Split | None = None

    def aggregate_id(self) -> str:
        return self.candidate.job_id

    def natural_key(self) -> str:
        return f"{self.candidate.job_id}/{self.candidate.step}"


class TrainingFinished(EventData):
    """A job trains no more; `checkpoints` are the steps that were saved.

    `trainable_share` is that of the parameters, adapters included; None where it never got as far as a model.
    `stop_reason` says why it ended before its last step, `best_step` which checkpoint had the best score by then.
    """

    type: ClassVar[str] = "training.finished"
    job_id: str
    status: Literal["succeeded", "failed", "cancelled"]
    checkpoints: tuple[int, ...] = ()
    trained_tokens: int = 0
    duration_s: float = 0.0
    peak_memory_bytes: int = 0
    error: Failure | None = None
    trainable_share: float | None = None
    stop_reason: str | None = None
    best_step: int | None = None

    def aggregate_id(self) -> str:
        return self.job_id


class EvalDone(EventData):
    """A checkpoint was scored on the test split, beside its base model on the same items.

    `samples` is a JSON Lines artifact of `{"prompt", "reference", "answer", "base_answer", "scores"}`, with
    `production_answer` where there is one, and `confidence` where the engine told how sure the model was.
    `intervals` are those of `scores`, by metric; `comparisons` hold one for each metric with the base model and, where
    another version of the same alias and base model is in production, as `production` names it, with that.
    `item_errors` counts the questions that the engine refused, which count as empty answers.

    Where the checkpoint was scored on suites too, their scores stand beside the test split's as
    `<suite>.<task>.<metric>`, `<suite>.score` (the tasks' own metrics by weight) and `<suite>.kept` (1 where no task's
    own metric is worse than the base model's by the test); `subjects` are by metric, then subject. A task that could
    not be scored is in `task_errors` and has no score, nor has its suite. `task_samples` are as `samples`, by task. The
    score `contaminated` is the share of all questions that training held, where `checkpoint.saved` says what it was.
    """

    type: ClassVar[str] = "eval.done"
    candidate: Candidate
    suite: str
    scores: dict[str, Score]
    base_scores: dict[str, Score]
    samples: Artifact
    duration_s: float = 0.0
    error: Failure | None = None
    intervals: dict[str, Interval] = Field(default_factory=dict)
    base_intervals: dict[str, Interval] = Field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    item_errors: int = Field(default=0, ge=0)
    base_item_errors: int = Field(default=0, ge=0)
    judge_invalid: int = Field(default=0, ge=0)
    """A judge's replies on the checkpoint's answers that were no judgement; each was asked for again."""
    production: str | None = None
    production_scores: dict[str, Score] = Field(default_factory=dict)
    subjects: dict[str, dict[str, Score]] = Field(default_factory=dict)
    task_samples: dict[str, Artifact] = Field(default_factory=dict)
    task_errors: dict[str, Failure] = Field(default_factory=dict)
    contamination: tuple[Contamination, ...] = ()

    def aggregate_id(self) -> str:
        return self.candidate.job_id

    def natural_key(self) -> str:
        return f"{self.candidate.job_id}/{self.candidate.step}/{self.suite}"


class JobEnded(EventData):
    """A fine-tuning job is over for its caller: its model can be called or waits for people alone, or it failed."""

    type: ClassVar[str] = "job.ended"
    job_id: str
    status: Literal["succeeded", "failed", "cancelled"]
    fine_tuned_model: str | None = None
    error: Failure | None = None
    owner: str = ""

    def aggregate_id(self) -> str:
        return self.job_id


class ReviewOpened(EventData):
    """A checkpoint passed its gates and waits for people."""

    type: ClassVar[str] = "review.opened"
    review_id: str
    candidate: Candidate
    items: int
    reviewers_wanted: int

    def aggregate_id(self) -> str:
        return self.review_id


class ReviewScored(EventData):
    """The evidence over one checkpoint is complete. `score` is 0 to 100 and None where no person was asked."""

    type: ClassVar[str] = "review.scored"
    review_id: str
    candidate: Candidate
    mode: Literal["automatic", "hybrid"]
    score: float | None
    reviewers: int
    rules: tuple[RuleOutcome, ...]
    item_scores: dict[str, float] = Field(default_factory=dict)
    """People's mean over each answer that they judged, 0 to 100; `item-3` is the third of the evaluation's samples."""

    def aggregate_id(self) -> str:
        return self.review_id


class ModelApproved(EventData):
    """A checkpoint may be served."""

    type: ClassVar[str] = "model.approved"
    candidate: Candidate
    verdict: Verdict

    def aggregate_id(self) -> str:
        return self.candidate.job_id


class ModelRejected(EventData):
    """No checkpoint of a job may be served; `candidate` is the best one, None where there was none."""

    type: ClassVar[str] = "model.rejected"
    job_id: str
    candidate: Candidate | None
    verdict: Verdict

    def aggregate_id(self) -> str:
        return self.job_id


class ModelDeployed(EventData):
    """A version is served and its alias points to it.

    `replicas` counts the engines that answer with it: all that are up, or at least half of those that are for this
    alias alone and hold one version at a time; the rest follow.
    """

    type: ClassVar[str] = "model.deployed"
    candidate: Candidate
    alias: str | None
    replicas: int
    duration_s: float

    def aggregate_id(self) -> str:
        return self.candidate.job_id

    def natural_key(self) -> str:
        return f"{self.candidate.job_id}/{self.candidate.version}"


class ModelDeploymentFailed(EventData):
    """An attempt to serve a version failed, and what was served before serves on.

    `replica` is the engine's URL, None where none was reached; after a `permanent` failure there is no further attempt.
    """

    type: ClassVar[str] = "model.deployment_failed"
    candidate: Candidate
    reason: str
    replica: str | None
    attempt: int
    permanent: bool

    def aggregate_id(self) -> str:
        return self.candidate.job_id

    def natural_key(self) -> str:
        return f"{self.candidate.job_id}/{self.candidate.version}/{self.attempt}"


class ModelRolledBack(EventData):
    """An alias went back to an earlier version."""

    type: ClassVar[str] = "model.rolled_back"
    alias: str
    version: str
    previous_version: str
    reason: str

    def aggregate_id(self) -> str:
        return self.alias

    def natural_key(self) -> None:
        return None


class FeedbackRecorded(EventData):
    """Somebody judged a served answer."""

    type: ClassVar[str] = "feedback.recorded"
    completion_id: str
    model: str
    rating: Literal["good", "bad"]
    correction: str | None = None

    def aggregate_id(self) -> str:
        return self.completion_id

    def natural_key(self) -> None:
        return None


EVENTS: Mapping[str, type[EventData]] = {
    event.type: event
    for event in (
        DatasetUploaded,
        DatasetReady,
        DatasetRejected,
        TrainingRequested,
        TrainingCancelRequested,
        TrainingPauseRequested,
        TrainingResumeRequested,
        TrainingQueued,
        TrainingProgress,
        CheckpointSaved,
        TrainingFinished,
        EvalDone,
        JobEnded,
        ReviewOpened,
        ReviewScored,
        ModelApproved,
        ModelRejected,
        ModelDeployed,
        ModelDeploymentFailed,
        ModelRolledBack,
        FeedbackRecorded,
    )
}


class UnknownEventTypeError(ValueError):
    """An envelope's `type` is not one of Assay's."""


def parse(envelope: Envelope) -> EventData:
    """The fact inside an envelope; raises `UnknownEventTypeError`, or pydantic's `ValidationError` for bad data."""
    event = EVENTS.get(envelope.type)
    if event is None:
        raise UnknownEventTypeError(f"unknown event type {envelope.type!r}; known are {', '.join(sorted(EVENTS))}")
    return event.model_validate(envelope.data)


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON schema of each event's `data`, by type."""
    return {name: event.model_json_schema() for name, event in EVENTS.items()}
