"""Schedules of the learning rate and of the momentum branch, as plain floats of the step."""

import math


def warmup_cosine(step: int, num_steps: int, num_warmup_steps: int, final: float = 0.0) -> float:
    """Return the factor on the learning rate: from 0 to 1 in a line, then down to `final` along a cosine."""
    if step < num_warmup_steps:
        return (step + 1) / num_warmup_steps
    progress = min(1.0, (step - num_warmup_steps) / max(1, num_steps - num_warmup_steps))
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress))


def cosine_ramp(step: int, num_steps: int, start: float, end: float) -> float:
    """Return the momentum: from `start` to `end` along a cosine (MoCo v3, section 4, and its released code)."""
    progress = min(1.0, step / max(1, num_steps))
    return end - (end - start) * 0.5 * (1.0 + math.cos(math.pi * progress))
