"""Datasets that a job must not train on."""

from services.trainer.domain.engine_limits import EngineLimits
from services.trainer.domain.errors import PlanRefused
from services.trainer.domain.tuning import Tuning
from shared.events import DatasetReady

_NAMED_SUITES = 5


def refuse_suite_questions(dataset: DatasetReady) -> None:
    """Raise `PlanRefused` if training rows contain questions of suites: their scores would mean nothing."""
    if not dataset.suites:
        return
    named = [f"{one.questions} of {one.suite!r} in {one.rows} rows" for one in dataset.suites[:_NAMED_SUITES]]
    message = f"training rows of {dataset.file_id} contain questions of suites: {'; '.join(named)}. Remove these rows"
    message += f" (GET /v1/datasets/{dataset.file_id}/rows?flag=in_suite lists them), or send the metadata"
    message += " allow_contaminated=true"
    raise PlanRefused("contaminated_training_file", message, "training_file")


def refuse_long_rows(dataset: DatasetReady, base_model: str, max_length: int) -> None:
    """Raise `PlanRefused` if a row is certainly longer than training allows.

    Certain is only what this base model's tokenizer counted. Plain texts are cut into pieces, so none is too long.
    """
    longest = dataset.longest_row_tokens or 0
    if dataset.kind == "chat" and dataset.tokenizer == base_model and longest > max_length:
        message = f"the longest row of {dataset.file_id} has {longest} tokens; {base_model} is trained and served here"
        message += f" with at most {max_length}. Shorten or split such rows"
        raise PlanRefused("rows_too_long", message, "training_file")


def refuse_high_rank(tuning: Tuning, limits: EngineLimits) -> None:
    """Raise `PlanRefused` for an adapter that no engine serves."""
    if tuning.makes_an_adapter and limits.max_lora_rank is not None and tuning.rank > limits.max_lora_rank:
        message = f"lora_rank is {tuning.rank}, but the engines serve adapters of at most rank {limits.max_lora_rank}"
        raise PlanRefused("invalid_hyperparameter", message, "lora_rank")
