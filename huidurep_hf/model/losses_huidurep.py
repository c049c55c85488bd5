# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""The losses of HuiduRep, as functions of tensors, and what they need across processes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


def contrastive_loss(
    queries: torch.Tensor,
    keys: torch.Tensor,
    temperature: float,
    query_units: torch.Tensor | None = None,
    key_units: torch.Tensor | None = None,
    offset: int = 0,
) -> torch.Tensor:
    """InfoNCE of MoCo v3 (Chen, Xie, He 2021, algorithm 1): each query finds its own key among all keys.

    Args:
        queries: `(num_spikes, size)`; normalised here.
        keys: `(num_keys, size)`, of all processes; normalised here. The key of query `i` is key `offset + i`.
        temperature: T of the softmax. The loss is scaled by 2·T, as MoCo v3 does.
        query_units, key_units: unit ids `(num_spikes,)` and `(num_keys,)`. A key of the query's unit that is not its
            own key is no negative and is left out; a negative id means that the unit is unknown.
        offset: where this process's keys start.

    Returns:
        The mean over queries, a float32 scalar.
    """
    queries = F.normalize(queries.float(), dim=1)
    keys = F.normalize(keys.float(), dim=1)
    logits = queries @ keys.T / temperature
    own = torch.arange(len(queries), device=queries.device) + offset
    if query_units is not None:
        same_unit = (query_units[:, None] == key_units[None, :]) & (query_units[:, None] >= 0)
        same_unit.scatter_(1, own[:, None], False)
        logits = logits.masked_fill(same_unit, float("-inf"))
    return 2 * temperature * F.cross_entropy(logits, own)


def prototype_loss(embeddings: torch.Tensor, unit_ids: torch.Tensor) -> torch.Tensor:
    """Each spike finds its own unit among the means of all units, by Euclidean distance in the embedding itself.

    The loss of prototypical networks (Snell, Swersky, Zemel 2017), each spike once left out of its own unit's mean:
    the cross-entropy of `softmax(-|z - mean|² / 2)`. That is the likelihood of one Gaussian of unit covariance for each
    unit, so an embedding that makes it small has clusters that are round and of one size, as mixtures want them, and
    distances in SDs of what noise does to it.

    Args:
        embeddings: `(num_spikes, size)`, of this process.
        unit_ids: `(num_spikes,)`, at least two spikes of each unit over all processes; a unit with one spike is a
            negative for the others and no query.

    Returns:
        The mean over this process's spikes, a float32 scalar. Means are over the spikes of all processes, and their
        gradient reaches each of them.
    """
    own = embeddings.float()
    everyone, all_ids = gather_with_gradient(own), gather_keys(unit_ids)[0]
    units, membership = all_ids.unique(return_inverse=True)
    counts = torch.bincount(membership, minlength=len(units)).to(own.dtype)[:, None]
    sums = torch.zeros(len(units), own.shape[1], dtype=own.dtype, device=own.device).index_add(0, membership, everyone)
    means = sums / counts
    home = torch.searchsorted(units, unit_ids)
    # In products, not by `cdist`, whose gradient is NaN where a mean lies on a spike.
    squared = own.square().sum(dim=1, keepdim=True) - 2 * own @ means.T + means.square().sum(dim=1)
    others = (sums[home] - own) / (counts[home] - 1).clamp(min=1.0)
    squared = squared.scatter(1, home[:, None], (own - others).square().sum(dim=1, keepdim=True))
    has_others = counts[home, 0] > 1
    loss = F.cross_entropy(-0.5 * squared, home, reduction="none")
    return torch.where(has_others, loss, 0.0).mean()


def name_unknown_units(unit_ids: torch.Tensor) -> torch.Tensor:
    """Return unit ids `(num_spikes,)` where each spike of an unknown unit (a negative id) is a unit of its own."""
    first = torch.distributed.get_rank() * len(unit_ids) if torch.distributed.is_initialized() else 0
    return torch.where(unit_ids < 0, -1 - first - torch.arange(len(unit_ids), device=unit_ids.device), unit_ids)


def denoising_loss(denoised: torch.Tensor, clean: torch.Tensor, channel_mask: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the denoised waveforms over samples and channels that are there, then over spikes.

    The mean over spikes comes last, so that processes with half the batch average to the loss of the whole.

    Args:
        denoised, clean: `(num_spikes, window_size, num_channels)`, noise units. A clean spike that holds NaN is not
            known: it adds nothing, and still counts in the mean.
        channel_mask: `(num_spikes, num_channels)`, 1 for a channel that is there.
    """
    known = ~clean.isnan().any(dim=2).any(dim=1)
    weights = channel_mask.float()
    error = torch.where(known[:, None, None], denoised.float() - clean.float(), 0.0)
    per_channel = error.square().mean(dim=1)
    return ((per_channel * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)).mean()


def location_loss(locations: torch.Tensor, true_locations: torch.Tensor, scale_um: float) -> torch.Tensor:
    """Huber loss of the distance between found and true locations, in units of `scale_um`; the mean over spikes.

    Squared within one scale and linear beyond: an overlapping spike can move a location by a probe's length.

    Args:
        locations, true_locations: `(num_spikes, 2)`, µm; a true one that is NaN is unknown: it adds nothing, and
            still counts in the mean.
        scale_um: µm.
    """
    known = true_locations.isfinite().all(dim=1)
    error = torch.where(known[:, None], locations.float() - true_locations.float(), 0.0) / scale_um
    return F.huber_loss(error, torch.zeros_like(error), reduction="none").sum(dim=1).mean()


def gather_keys(values: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Return the values of all processes, in order of rank, and where this process's start. No gradient passes."""
    if not torch.distributed.is_initialized():
        return values, 0
    parts = [torch.empty_like(values) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, values.contiguous())
    return torch.cat(parts), torch.distributed.get_rank() * len(values)


class _SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes, which hand one another's gradients back in the same way."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, values: torch.Tensor) -> torch.Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: torch.Tensor) -> torch.Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(total)
        return total


def gather_with_gradient(values: torch.Tensor) -> torch.Tensor:
    """Return the values of all processes, in order of rank; gradients go back to where each came from."""
    if not torch.distributed.is_initialized():
        return values
    rank = torch.distributed.get_rank()
    others = [torch.zeros_like(values)] * torch.distributed.get_world_size()
    return _SumOverProcesses.apply(torch.cat([*others[:rank], values, *others[rank + 1 :]]))


class HuiduRepBatchNorm(nn.BatchNorm1d):
    """Batch norm over the batch of all processes, on any backend (torch's own synchronised one needs a GPU)."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Normalise `(num_spikes, num_features)`."""
        if not (self.training and torch.distributed.is_initialized()):
            return super().forward(features)
        # Sums, not means, with their gradients: processes may hold different numbers of spikes. In full precision, also
        # under autocast: the difference of two sums has few digits left.
        dtype, features = features.dtype, features.to(torch.promote_types(features.dtype, torch.float32))
        count = features.new_full((1,), len(features))
        sums = torch.cat([features.sum(dim=0), features.square().sum(dim=0), count])
        sums = _SumOverProcesses.apply(sums)
        total = sums[-1].detach()
        mean, mean_square = sums[:-1].div(total).chunk(2)
        variance = (mean_square - mean.square()).clamp(min=0.0)
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * total / (total - 1).clamp(min=1.0), self.momentum)
        return ((features - mean) * torch.rsqrt(variance + self.eps) * self.weight + self.bias).to(dtype)
