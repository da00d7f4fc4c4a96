"""Estimates when a training will finish."""

import time
from dataclasses import dataclass


@dataclass
class EtaEstimator:
    """Extrapolates from the time since an attempt's first step."""

    first_step: int = 0
    first_at: float = 0.0

    def estimated_finish(self, step: int, total_steps: int) -> int | None:
        """Unix seconds; None before the second step."""
        if not self.first_step:
            self.first_step, self.first_at = step, time.time()
        if step == self.first_step:
            return None
        seconds_per_step = (time.time() - self.first_at) / (step - self.first_step)
        return round(time.time() + seconds_per_step * (total_steps - step))
