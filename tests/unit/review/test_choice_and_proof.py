"""Ten equal checkpoints: how often one is approved falsely."""

import math

from bench.choice_and_proof import LEVEL, false_approvals


def test_choice_apart_from_proof_keeps_false_approvals_at_the_stated_rate() -> None:
    rounds = 600
    one, two = false_approvals(seed=7, rounds=rounds)
    stated = LEVEL / 2
    assert two <= stated + 2 * math.sqrt(stated * (1 - stated) / rounds)
    assert one > 2 * stated, "chosen and proved on one split, the best of ten equals looks better than it is"
