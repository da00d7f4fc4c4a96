"""Ids, and the names that one model goes by: the public one, and the one under which an engine holds its weights."""

import re

from shared.events import Candidate

ORGANIZATION = "assay"
LOADED_PREFIX = "assay-"
_CHECKPOINT = re.compile(r":ckpt-step-\d+$")


def fine_tuned_model(candidate: Candidate) -> str:
    """The model's name: its checkpoint's without the step."""
    return _CHECKPOINT.sub("", candidate.model_name)


def loaded_name(candidate: Candidate) -> str:
    """The immutable name under which engines hold these weights; its prefix says that the gateway owns it."""
    return f"{LOADED_PREFIX}{candidate.version}"
