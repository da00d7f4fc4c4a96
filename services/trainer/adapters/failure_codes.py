"""Codes of permanent failures: errors that would occur again in a retry."""

import errno

from services.trainer.adapters.pretrained import BaseModelUnusable
from services.trainer.adapters.progress_callback import LossDiverged
from services.trainer.adapters.token_rows import EmptySplit, RowsTooLong, ToolsNotRendered
from services.trainer.adapters.trainable_parameters import LayersUnknown
from shared.artifacts import ArtifactError

_CODES: dict[type[Exception], str] = {
    BaseModelUnusable: "base_model_unusable",
    EmptySplit: "empty_training_split",
    RowsTooLong: "rows_too_long",
    ToolsNotRendered: "tools_not_rendered",
    LossDiverged: "loss_diverged",
    ArtifactError: "artifact_damaged",
    LayersUnknown: "invalid_hyperparameter",
    MemoryError: "out_of_memory",
}
_ERRNOS = {
    errno.ENOMEM: "out_of_memory",
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "disk_full",
}
# PyTorch and safetensors raise general types for these: "CUDA out of memory", "can't allocate memory", ...
_WORDS = {
    "out of memory": "out_of_memory",
    "not enough memory": "out_of_memory",
    "allocate memory": "out_of_memory",
    "No space left on device": "disk_full",
    "File too large": "disk_full",
    "quota exceeded": "disk_full",
}


def failure_code(error: Exception) -> str | None:
    """The code of a permanent failure; None for an error that a retry may not meet."""
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return _ERRNOS[error.errno]
    if code := next((code for kind, code in _CODES.items() if isinstance(error, kind)), None):
        return code
    return next((code for words, code in _WORDS.items() if words in str(error)), None)
