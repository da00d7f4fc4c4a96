"""The policies that come with Assay, from the JSON files beside the code."""

import json
from pathlib import Path

from services.review.policies.domain.policy import Policy

FOLDER = Path(__file__).parent


def shipped_policies(folder: Path = FOLDER) -> dict[str, Policy]:
    """Each file's policy under the file's name, as revision 0."""
    return {
        path.stem: Policy.model_validate({**json.loads(path.read_bytes()), "name": path.stem})
        for path in sorted(folder.glob("*.json"))
    }
