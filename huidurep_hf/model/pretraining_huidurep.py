# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""HuiduRep in pretraining: to tell units apart (by momentum contrast or prototypes) and to denoise, together."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from transformers.processing_utils import Unpack
from transformers.utils import ModelOutput, TransformersKwargs, logging
from transformers.utils.generic import can_return_tuple

from .configuration_huidurep import HuiduRepConfig
from .losses_huidurep import (
    HuiduRepBatchNorm,
    contrastive_loss,
    denoising_loss,
    gather_keys,
    location_loss,
    name_unknown_units,
    prototype_loss,
)
from .modeling_huidurep import HuiduRepBackbone, HuiduRepModel, HuiduRepModelOutput, HuiduRepPreTrainedModel

logger = logging.get_logger(__name__)


@dataclass
class HuiduRepForPreTrainingOutput(ModelOutput):
    """Losses of a batch of pairs of views, and what the first view became.

    Args:
        loss (`torch.FloatTensor` of shape `()`):
            `contrastive_loss + denoising_weight * denoising_loss + location_weight * location_loss`.
        contrastive_loss (`torch.FloatTensor` of shape `()`):
            InfoNCE in both directions, or the loss of prototypes.
        denoising_loss (`torch.FloatTensor` of shape `()`):
            Mean squared error of the denoised waveforms, in squared noise units.
        location_loss (`torch.FloatTensor` of shape `()`, *optional*):
            Huber loss of the locations, where true ones are given.
        embeddings (`torch.FloatTensor` of shape `(num_spikes, embedding_size)`):
            Embeddings of the first view.
        denoised_waveforms (`torch.FloatTensor` of shape `(num_spikes, window_size, num_channels)`):
            Denoised waveforms of the first view, noise units.
        locations (`torch.FloatTensor` of shape `(num_spikes, 2)`, *optional*):
            Locations found from the first view, µm relative to its peak channel.
        hidden_states (`tuple(torch.FloatTensor)`, *optional*):
            Tokens before the first and after each layer of the encoder, of the first view.
        attentions (`tuple(torch.FloatTensor)`, *optional*):
            Attention weights of each layer of the encoder, of the first view.
    """

    loss: torch.FloatTensor | None = None
    contrastive_loss: torch.FloatTensor | None = None
    denoising_loss: torch.FloatTensor | None = None
    location_loss: torch.FloatTensor | None = None
    embeddings: torch.FloatTensor | None = None
    denoised_waveforms: torch.FloatTensor | None = None
    locations: torch.FloatTensor | None = None
    hidden_states: tuple[torch.FloatTensor, ...] | None = None
    attentions: tuple[torch.FloatTensor, ...] | None = None


def build_head(sizes: list[int]) -> nn.Sequential:
    """Return linear maps through `sizes`, with batch norm and ReLU between them."""
    parts: list[nn.Module] = []
    for size, next_size in zip(sizes[:-1], sizes[1:]):
        parts += [nn.Linear(size, next_size), HuiduRepBatchNorm(next_size), nn.ReLU()]
    return nn.Sequential(*parts[:-2])


class HuiduRepForPreTraining(HuiduRepPreTrainedModel):
    """A HuiduRep model that learns: two views of each spike must agree, and each must give the clean spike back.

    What "agree" means is the configuration's `objective`. With `"prototypes"`, the embeddings of a unit must lie
    nearer to their own mean than to that of any other unit ([`~.losses_huidurep.prototype_loss`]); that needs no heads.
    With `"momentum_contrast"`, as published, each view's projection must find the other view's among all.

    There a slowly moving copy of backbone and projector (the momentum branch) makes the keys. It follows the trained
    branch by `update_momentum`, called by the trainer after each step and never by `forward`, so that evaluating the
    model does not change it. The copy is not published: `save_pretrained` leaves it out and `from_pretrained` starts
    it from the trained branch; `accelerator.save_state` keeps it, so resuming is exact.
    """

    def __init__(self, config: HuiduRepConfig):
        super().__init__(config)
        self.huidurep = HuiduRepModel(config)
        self.has_momentum = config.objective == "momentum_contrast"
        if self.has_momentum:
            self._build_momentum_contrast(config)
        # Until somebody moves the momentum branch, training looks whether weights change without it.
        self._is_branch_watched = self.has_momentum
        self._first_sum = None
        self.post_init()

    def _build_momentum_contrast(self, config: HuiduRepConfig) -> None:
        projector_sizes = [config.embedding_size, *2 * [config.projection_hidden_size], config.projection_size]
        self.projector = build_head(projector_sizes)
        self.predictor = build_head([config.projection_size, config.projection_hidden_size, config.projection_size])
        self.momentum_backbone = HuiduRepBackbone(config)
        self.momentum_projector = build_head(projector_sizes)
        keys = [
            key
            for key in self.state_dict()
            if key.startswith(("momentum_backbone.", "momentum_projector.")) and "num_batches_tracked" not in key
        ]
        self._keys_to_ignore_on_save = keys
        self._keys_to_ignore_on_load_missing = [f"^{re.escape(key)}$" for key in keys]

    def get_input_embeddings(self) -> nn.Module:
        """Return the first map from waveforms to tokens."""
        return self.huidurep.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the first map from waveforms to tokens."""
        self.huidurep.set_input_embeddings(value)

    def _momentum_pairs(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Give each tensor of the trained branch with its momentum copy, parameters and buffers; none without one."""
        if not self.has_momentum:
            return
        for trained, copy in (
            (self.huidurep.backbone, self.momentum_backbone),
            (self.projector, self.momentum_projector),
        ):
            yield from zip(trained.state_dict(keep_vars=True).values(), copy.state_dict(keep_vars=True).values())

    @torch.no_grad()
    def initialize_weights(self) -> None:
        """Initialise; what no checkpoint gave the momentum branch it takes from the trained one.

        Raises:
            ValueError: weights lie on the disk (`device_map`), where they can be neither copied nor trained.
        """
        super().initialize_weights()
        for trained, copy in self._momentum_pairs():
            if trained.is_meta and not copy.is_meta:
                raise ValueError("HuiduRepForPreTraining cannot be offloaded to the disk; HuiduRepModel can.")
            if not getattr(copy, "_is_hf_initialized", False) or copy.dtype == torch.long:
                copy.copy_(trained)
        # Here and not in __init__, because loading resets it.
        for _, copy in self._momentum_pairs():
            copy.requires_grad_(False)

    @torch.no_grad()
    def update_momentum(self, momentum: float) -> None:
        """Move the momentum branch towards the trained one: `copy = momentum * copy + (1 - momentum) * trained`."""
        self._is_branch_watched = False
        for trained, copy in self._momentum_pairs():
            if copy.is_floating_point():
                copy.lerp_(trained, 1.0 - momentum)
            else:
                copy.copy_(trained)

    @can_return_tuple
    def forward(
        self,
        waveforms: torch.Tensor,
        channel_positions: torch.Tensor | None = None,
        channel_mask: torch.Tensor | None = None,
        clean_waveforms: torch.Tensor | None = None,
        locations: torch.Tensor | None = None,
        paired_waveforms: torch.Tensor | None = None,
        paired_channel_positions: torch.Tensor | None = None,
        paired_channel_mask: torch.Tensor | None = None,
        paired_clean_waveforms: torch.Tensor | None = None,
        paired_locations: torch.Tensor | None = None,
        unit_ids: torch.Tensor | None = None,
        return_loss: bool = True,
        **kwargs: Unpack[TransformersKwargs],
    ) -> HuiduRepForPreTrainingOutput:
        """Return the losses of a batch of pairs of views.

        Args:
            waveforms: first view, `(num_spikes, window_size, num_channels)`, noise units.
            channel_positions: `(num_spikes, num_channels, 2)`, µm relative to the peak channel.
            channel_mask: `(num_spikes, num_channels)`, 1 for a channel that is there.
            clean_waveforms: what the denoiser should make of `waveforms`; left out, `waveforms` themselves.
            locations: true place of the unit `(num_spikes, 2)`, µm relative to the peak channel; NaN or left out where
                it is not known.
            paired_waveforms: second view of the same spikes or units; left out, the first view stands for both.
            paired_channel_positions, paired_channel_mask, paired_clean_waveforms, paired_locations: the second view's.
            unit_ids: `(num_spikes,)`; spikes of one unit are no negatives of each other, or share a prototype. Negative
                for an unknown unit, and left out if all are: then the two views of a spike are its unit.
            return_loss: compute the losses. `transformers.Trainer` looks for this argument, and reports `eval_loss`.
            kwargs: `output_hidden_states`, `output_attentions`, `return_dict`.

        Raises:
            ValueError: if a shape does not fit the configuration or the waveforms.
            TypeError: if an argument is unknown.
        """
        channel_mask, kwargs = self.check_arguments(channel_mask, kwargs)
        views = [_complete_view(waveforms, channel_positions, channel_mask, clean_waveforms, locations)]
        if paired_waveforms is not None:
            second = (paired_channel_positions, paired_channel_mask, paired_clean_waveforms, paired_locations)
            views.append(_complete_view(paired_waveforms, *second))
        both, positions, mask, clean, true_locations = (torch.cat(parts) for parts in zip(*views))
        trained = self.huidurep(both, positions, mask, **kwargs)
        num_spikes = len(waveforms)
        losses = {}
        if return_loss:
            if self.has_momentum:
                contrastive = self._contrast_with_momentum(
                    trained.embeddings, both, positions, mask, len(views), unit_ids
                )
            else:
                if unit_ids is None:
                    unit_ids = torch.full((num_spikes,), -1, device=waveforms.device)
                contrastive = prototype_loss(trained.embeddings, name_unknown_units(unit_ids).repeat(len(views)))
            losses = self._weigh(contrastive, trained, clean, mask, true_locations)
        return HuiduRepForPreTrainingOutput(
            **losses,
            embeddings=trained.embeddings[:num_spikes],
            denoised_waveforms=trained.denoised_waveforms[:num_spikes],
            locations=None if trained.locations is None else trained.locations[:num_spikes],
            hidden_states=_of_first_view(trained.hidden_states, len(views), num_spikes),
            attentions=_of_first_view(trained.attentions, len(views), num_spikes),
        )

    def _weigh(
        self,
        contrastive: torch.Tensor,
        trained: HuiduRepModelOutput,
        clean: torch.Tensor,
        mask: torch.Tensor,
        true_locations: torch.Tensor,
    ) -> dict[str, torch.Tensor | None]:
        """Return the losses by their names in the output, and their weighted sum."""
        denoising = denoising_loss(trained.denoised_waveforms, clean, mask)
        loss = contrastive + self.config.denoising_weight * denoising
        localizing = None
        if trained.locations is not None:
            localizing = location_loss(trained.locations, true_locations, self.config.position_scale_um)
            loss = loss + self.config.location_weight * localizing
        return {
            "loss": loss,
            "contrastive_loss": contrastive,
            "denoising_loss": denoising,
            "location_loss": localizing,
        }

    def _warn_of_a_branch_that_stays(self) -> None:
        """Say that weights are trained and nobody moves the momentum branch, which would be silent otherwise."""
        if not self.training or not self._is_branch_watched or torch.compiler.is_compiling():
            return
        trained = self.projector[-1].weight.detach().double().sum().item()
        if self._first_sum is None:
            self._first_sum = trained
        elif trained != self._first_sum:
            self._is_branch_watched = False
            logger.warning_once(
                "The momentum branch stays where it began, so momentum contrast learns little; give Trainer"
                " callbacks=[MomentumCallback()] of huidurep_hf.pretraining.recipe, or call update_momentum after each"
                " step."
            )

    def _contrast_with_momentum(
        self,
        embeddings: torch.Tensor,
        waveforms: torch.Tensor,
        positions: torch.Tensor,
        mask: torch.Tensor,
        num_views: int,
        unit_ids: torch.Tensor | None,
    ) -> torch.Tensor:
        self._warn_of_a_branch_that_stays()
        queries = self.predictor(self.projector(embeddings)).chunk(num_views)
        with torch.no_grad():
            copied = self.momentum_backbone(waveforms.to(self.dtype), positions.to(self.dtype), mask, denoise=False)
            keys = self.momentum_projector(copied.embeddings).chunk(num_views)
        # A view that stands for both is compared with itself, in two directions that are the same.
        return (2 // num_views) * sum(
            self._contrast(own_queries, other_keys, unit_ids) for own_queries, other_keys in zip(queries, keys[::-1])
        )

    def _contrast(self, queries: torch.Tensor, keys: torch.Tensor, unit_ids: torch.Tensor | None) -> torch.Tensor:
        all_keys, offset = gather_keys(keys)
        key_units = None if unit_ids is None else gather_keys(unit_ids)[0]
        return contrastive_loss(queries, all_keys, self.config.temperature, unit_ids, key_units, offset)


def _of_first_view(
    recorded: tuple[torch.Tensor | None, ...] | None, num_views: int, num_spikes: int
) -> tuple[torch.Tensor | None, ...] | None:
    """Return recorded tensors of the first view alone, so that the batch comes first in every output."""
    if recorded is None or num_views == 1:
        # Unsliced, so that the loss's gradients reach what is returned.
        return recorded
    return tuple(None if tensor is None else tensor[:num_spikes] for tensor in recorded)


def _complete_view(
    waveforms: torch.Tensor,
    positions: torch.Tensor | None,
    mask: torch.Tensor | None,
    clean: torch.Tensor | None,
    locations: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Fill in what a view leaves out: unknown geometry and place, all channels, the waveforms as their own target."""
    num_spikes, _, num_channels = waveforms.shape
    if positions is None:
        positions = waveforms.new_zeros(num_spikes, num_channels, 2)
    if mask is None:
        mask = waveforms.new_ones(num_spikes, num_channels)
    if locations is None:
        locations = waveforms.new_full((num_spikes, 2), float("nan"))
    return waveforms, positions, mask, waveforms if clean is None else clean, locations


__all__ = ["HuiduRepForPreTraining", "HuiduRepForPreTrainingOutput"]
