"""Which samples make an epoch when that is not each of them once: see docs/sampling.md."""

from feedline.trainer.plan.samplers import (
    BalancedSampler,
    KeepProbabilitySampler,
    Sampler,
    SharesSampler,
    WeightedSampler,
)

__all__ = ["BalancedSampler", "KeepProbabilitySampler", "Sampler", "SharesSampler", "WeightedSampler"]
