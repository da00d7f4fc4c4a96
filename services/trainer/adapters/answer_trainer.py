"""TRL's trainer with a loss over answer tokens and checkpoints without pickles."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from trl import SFTTrainer

from services.trainer.adapters import checkpoint_files
from services.trainer.adapters.cpu.answer_loss import answer_loss
from services.trainer.adapters.start_checkpoint import load_moments
from services.trainer.adapters.token_rows import IGNORED
from services.trainer.domain.stopping.stop_by_validation import EarlyStop


class AnswerScores:
    """Sums over the answer tokens that were scored since the last `take`."""

    def __init__(self) -> None:
        self._loss = self._correct = self._tokens = 0.0

    def add(self, loss_sum: float, correct: float, tokens: float) -> None:
        self._loss, self._correct, self._tokens = self._loss + loss_sum, self._correct + correct, self._tokens + tokens

    def take(self) -> tuple[float, float, float]:
        """The sums of losses in nats, of correct tokens and of tokens; resets them."""
        taken = self._loss, self._correct, self._tokens
        self.__init__()
        return taken


class AnswerTrainer(SFTTrainer):
    """Packs rows if it gets a `data_collator`, else TRL pads them."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        self.packs = "data_collator" in settings
        super().__init__(*args, **settings)
        self.scores = {True: AnswerScores(), False: AnswerScores()}
        """Of training (True) and of validation (False)."""
        self.optimizer_from: Path | None = None
        """A checkpoint of an earlier job whose optimizer state is reused."""
        self.early_stop: EarlyStop | None = None
        """Once it is decided, the learning rate falls to zero at its last step."""

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        loss, correct, tokens = self.score(model, inputs)
        self.scores[self.model.training].add(loss.item(), correct.item(), tokens)
        divisor = tokens if num_items_in_batch is None else num_items_in_batch
        loss = loss / torch.as_tensor(divisor, device=loss.device).clamp(min=1)
        if num_items_in_batch is not None:
            # The divisor counts all processes, and gradients are averaged over them.
            loss = loss * self.accelerator.num_processes
        return (loss, None) if return_outputs else loss

    def score(self, model: Any, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor, int]:
        """The summed loss of the answer tokens, how many of them the model ranks first, and their number."""
        if not self.packs:
            scored = model(**inputs, use_cache=False, fused_lm_head=True)
            return -scored.log_probs.sum(), scored.is_top1.sum(), int(scored.label_mask.sum())
        # Without Triton, TRL's head also scores padding and prompts, and computes them again in the backward pass.
        targets = inputs["shift_labels"]
        answers = targets != IGNORED
        base = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        read = {name: inputs[name] for name in ("input_ids", "position_ids", "row_lengths", "shared")}
        hidden = base.base_model(**read, use_cache=False).last_hidden_state[answers]
        loss, correct = answer_loss(hidden, base.get_output_embeddings().weight, targets[answers])
        return loss, correct, len(hidden)

    def take_scores(self, training: bool) -> tuple[float, float] | None:
        """Mean loss in nats and share of correct tokens of all processes since the last call; None without tokens."""
        sums = torch.tensor(self.scores[training].take(), dtype=torch.float64)
        loss, correct, tokens = self.accelerator.reduce(sums, "sum").tolist()
        return (loss / tokens, correct / tokens) if tokens else None

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Checkpoints need no model card."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        # By default PEFT asks a hub whether the embeddings were changed; LoRA never trains them.
        options = {"save_embedding_layers": False} if isinstance(self.model, PeftModel) else {}
        self.model.save_pretrained(folder, state_dict=state_dict, **options)
        (folder / "README.md").unlink(missing_ok=True)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """`StartCheckpoint` has loaded the weights; transformers could not read those of sharded models."""

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        checkpoint_files.save_optimizer(self.optimizer, Path(output_dir) if self.args.should_save else None)
        if self.args.should_save:
            checkpoint_files.save_scheduler(self.lr_scheduler, Path(output_dir))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            checkpoint_files.load_optimizer(self.optimizer, Path(checkpoint))
            checkpoint_files.load_scheduler(self.lr_scheduler, Path(checkpoint))

    def create_scheduler(self, *args: Any, **settings: Any) -> torch.optim.lr_scheduler.LRScheduler:
        if self.optimizer_from is not None:
            load_moments(self.optimizer, self.optimizer_from)
        scheduler = super().create_scheduler(*args, **settings)
        scheduler.lr_lambdas = [partial(self._rate_factor, factor) for factor in scheduler.lr_lambdas]
        return scheduler

    def _rate_factor(self, planned: Callable[[int], float], step: int) -> float:
        return planned(step) * (self.early_stop.rate_factor(step) if self.early_stop else 1.0)

    def _save_rng_state(self, output_dir: str) -> None:
        if self.args.should_save:
            checkpoint_files.save_random(Path(output_dir))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            checkpoint_files.load_random(Path(checkpoint))
