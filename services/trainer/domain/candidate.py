"""A checkpoint of a run as it is evaluated, reviewed and served."""

from services.trainer.domain.model_names import checkpoint_name
from services.trainer.domain.training_run import TrainingRun
from services.trainer.domain.worker_messages import CheckpointWritten
from shared.events import Candidate


def candidate_of(run: TrainingRun, written: CheckpointWritten) -> Candidate:
    """The run must be planned."""
    spec = run.request.spec
    assert run.plan is not None
    return Candidate(
        job_id=run.id,
        step=written.step,
        base_model=spec.base_model,
        model_name=checkpoint_name(run.plan.model_name, written.step),
        adapter=written.adapter,
        lora_rank=run.plan.tuning.rank if run.plan.tuning.makes_an_adapter else 0,
        suffix=spec.suffix,
        policy=spec.policy,
        suite=spec.metadata.get("suite"),
        tuning=run.plan.tuning.published_as,
        owner=run.request.owner,
        template=run.data.template if run.data is not None else None,
        learning_rate=run.plan.learning_rate,
        n_epochs=run.plan.n_epochs,
        batch_size=run.plan.batch_size,
    )
