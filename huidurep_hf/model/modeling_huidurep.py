# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""HuiduRep: an encoder of extracellular spikes that denoises and embeds them.

The method is that of Cao, Feng, Shi, Zhang, "HuiduRep" (arXiv 2507.17224). The time-token encoder is theirs, layer
by layer; the channel-token encoder, which knows where the contacts are, is ours. The denoiser that the losses train
is the one that runs.
"""

import difflib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.masking_utils import create_bidirectional_mask
from transformers.processing_utils import Unpack
from transformers.utils import ModelOutput, TransformersKwargs
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, _active_collector, capture_outputs

from .channel_tokens_huidurep import HuiduRepChannelTokenizer, center_of_mass
from .checkpoint_huidurep import CheckpointMixin
from .configuration_huidurep import HuiduRepConfig
from .layers_huidurep import HuiduRepAttention, HuiduRepLayer, HuiduRepPooling
from .time_tokens_huidurep import HuiduRepTimeTokenizer, sinusoidal_encoding

TOKENIZERS = {"channel": HuiduRepChannelTokenizer, "time": HuiduRepTimeTokenizer}
# What `forward` takes beside its own arguments.
FORWARD_OPTIONS = ("output_hidden_states", "output_attentions", "return_dict", "num_items_in_batch")
PROTOTYPE_INITIALIZER = 0.2
"""SD of the embedding's first weights where distances are in SDs of noise: units are some apart from the start. With
that of the other layers (0.02) all spikes lie in one place at first, and a hundred steps pass before they do not."""


@dataclass
class HuiduRepModelOutput(ModelOutput):
    """What a HuiduRep model says of a batch of spikes.

    Args:
        last_hidden_state (`torch.FloatTensor` of shape `(num_spikes, num_tokens, hidden_size)`):
            Tokens after the last layer: one per channel or per sample; both copies, the given and the denoised
            one, where the config says `fuse_denoised`.
        embeddings (`torch.FloatTensor` of shape `(num_spikes, embedding_size)`):
            The representation that is clustered; NaN for a spike of which every channel is masked.
        denoised_waveforms (`torch.FloatTensor` of shape `(num_spikes, window_size, num_channels)`, *optional*):
            The spike without noise and without its neighbours, in noise units; zero on masked channels. None with
            `denoise=False`, unless the config says `fuse_denoised`.
        locations (`torch.FloatTensor` of shape `(num_spikes, 2)`, *optional*):
            Where the neuron lies in the probe plane, µm, in the coordinates of the channel positions given: relative
            to the peak channel. An encoder of time tokens does not know the contacts and gives none.
        hidden_states (`tuple(torch.FloatTensor)`, *optional*):
            Tokens before the first and after each layer of the encoder, with `output_hidden_states=True`; where the
            config says `fuse_denoised`, of the pass over both copies.
        attentions (`tuple(torch.FloatTensor)`, *optional*):
            Attention weights of each layer of the encoder, of the same pass, with `output_attentions=True` and eager
            attention.
    """

    last_hidden_state: torch.FloatTensor | None = None
    embeddings: torch.FloatTensor | None = None
    denoised_waveforms: torch.FloatTensor | None = None
    locations: torch.FloatTensor | None = None
    hidden_states: tuple[torch.FloatTensor, ...] | None = None
    attentions: tuple[torch.FloatTensor, ...] | None = None


class HuiduRepEncoder(nn.Module):
    """Tokens of a spike, mixed by transformer layers."""

    def __init__(self, config: HuiduRepConfig):
        super().__init__()
        self.config = config
        self.tokenizer = TOKENIZERS[config.encoder_type](config)
        self.layers = nn.ModuleList([HuiduRepLayer(config) for _ in range(config.num_hidden_layers)])
        # Post-norm layers end in a norm already.
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps) if config.norm_first else nn.Identity()

    def forward(
        self, tokens: torch.Tensor, mask: torch.Tensor | None, **kwargs: Unpack[TransformersKwargs]
    ) -> torch.Tensor:
        """Return the mixed tokens; `mask` `(num_spikes, num_tokens)` is 1 for tokens that are there."""
        attention_mask = create_bidirectional_mask(self.config, tokens, mask)
        for layer in self.layers:
            tokens = layer(tokens, attention_mask, **kwargs)
        return self.norm(tokens)


class HuiduRepDecoder(nn.Module):
    """The denoiser: transformer layers over the encoder's tokens, then a waveform (or a sample) from each token."""

    def __init__(self, config: HuiduRepConfig, output_size: int):
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList([HuiduRepLayer(config) for _ in range(config.num_decoder_layers)])
        self.output_proj = nn.Linear(config.hidden_size, output_size)

    def forward(
        self, tokens: torch.Tensor, mask: torch.Tensor | None, **kwargs: Unpack[TransformersKwargs]
    ) -> torch.Tensor:
        """Return what each token says of the clean spike, `(num_spikes, num_tokens, output_size)`."""
        attention_mask = create_bidirectional_mask(self.config, tokens, mask)
        for layer in self.layers:
            tokens = layer(tokens, attention_mask, **kwargs)
        return self.output_proj(tokens)


class HuiduRepEmbedding(nn.Linear):
    """From the pooled tokens to the representation that is clustered."""


class HuiduRepBackbone(nn.Module):
    """Encoder, denoiser and embedding: all that a spike passes through. The momentum branch is a second one."""

    def __init__(self, config: HuiduRepConfig):
        super().__init__()
        self.fuse_denoised = config.fuse_denoised
        self.encoder = HuiduRepEncoder(config)
        self.decoder = HuiduRepDecoder(config, self.encoder.tokenizer.output_size)
        self.pooling = HuiduRepPooling(config)
        self.embedding = HuiduRepEmbedding(config.hidden_size, config.embedding_size)
        self.position_scale_um = config.position_scale_um
        self.sees_from_center = config.origin == "center_of_mass"
        self.localizer = nn.Linear(config.hidden_size, 2) if config.encoder_type == "channel" else None

    def forward(
        self,
        waveforms: torch.Tensor,
        positions: torch.Tensor,
        mask: torch.Tensor,
        denoise: bool = True,
        **kwargs: Unpack[TransformersKwargs],
    ) -> HuiduRepModelOutput:
        """Return tokens, embeddings and, unless they are neither asked for nor needed, denoised waveforms."""
        channel_mask = mask[:, None, :].to(waveforms.dtype)
        waveforms = waveforms * channel_mask
        # At least one noise SD: a silent spike must not be blown up.
        scale = waveforms.abs().amax(dim=(1, 2), keepdim=True).clamp(min=1.0)
        tokenizer = self.encoder.tokenizer
        token_mask = tokenizer.mask_of_tokens(mask)
        origin = center_of_mass(waveforms, positions) if self.sees_from_center else None
        if origin is not None:
            positions = (positions - origin) * mask[:, :, None].to(positions.dtype)
        first_tokens = tokenizer(waveforms, positions, scale)
        with unrecorded() if self.fuse_denoised else nullcontext():
            tokens = self.encoder(first_tokens, token_mask, **kwargs)
        denoised = None
        if denoise or self.fuse_denoised:
            denoised = tokenizer.to_waveforms(self.decoder(tokens, token_mask, **kwargs), scale) * channel_mask
        if self.fuse_denoised:
            denoised_tokens = tokenizer(denoised, positions, scale)
            token_mask = None if token_mask is None else torch.cat([token_mask, token_mask], dim=1)
            tokens = self.encoder(torch.cat([first_tokens, denoised_tokens], dim=1), token_mask, **kwargs)
        # Nothing is known of a spike without channels; a number would be the same for all of them.
        known = torch.where(mask.any(dim=1, keepdim=True), 1.0, torch.nan).to(tokens.dtype)
        pooled = self.pooling(tokens, token_mask) * known
        locations = None if self.localizer is None else self.position_scale_um * self.localizer(pooled)
        if origin is not None:
            locations = locations + origin[:, 0]
        return HuiduRepModelOutput(
            last_hidden_state=tokens,
            embeddings=self.embedding(pooled),
            denoised_waveforms=denoised,
            locations=locations,
        )


@contextmanager
def unrecorded() -> Iterator[None]:
    """Run the layers without recording: the tokens of a pass that only denoises are not the model's hidden states."""
    recorded = _active_collector.get()
    token = _active_collector.set({})
    try:
        yield
    finally:
        if token is None:
            # In a graph that is being compiled there are no tokens, and a reset would end all recording.
            _active_collector.set(recorded)
        else:
            _active_collector.reset(token)


class HuiduRepPreTrainedModel(CheckpointMixin, PreTrainedModel):
    """Weights, loading and saving of all HuiduRep models."""

    config: HuiduRepConfig
    base_model_prefix = "huidurep"
    main_input_name = "waveforms"
    input_modalities = ("time",)
    model_tags = ["spike-sorting", "neuroscience", "electrophysiology"]
    supports_gradient_checkpointing = True
    _no_split_modules = ["HuiduRepLayer", "HuiduRepChannelTokenizer", "HuiduRepTimeTokenizer"]
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    # The decoder's and the momentum branch's layers are not the encoder's: record by place.
    _can_record_outputs = {
        "hidden_states": OutputRecorder(HuiduRepLayer, index=0, layer_name="backbone.encoder.layers"),
        "attentions": OutputRecorder(HuiduRepAttention, index=1, layer_name="backbone.encoder.layers"),
    }

    def __init__(self, config: HuiduRepConfig, *args: object, **kwargs):
        refuse_flash_attention(config._attn_implementation)
        super().__init__(config, *args, **kwargs)

    def set_attn_implementation(self, attn_implementation: str | dict, **kwargs) -> None:
        """As in `transformers`: eager, sdpa or flex_attention.

        Raises:
            ValueError: flash attention.
        """
        refuse_flash_attention(attn_implementation)
        super().set_attn_implementation(attn_implementation, **kwargs)

    def check_arguments(
        self, channel_mask: torch.Tensor | None, kwargs: dict[str, object]
    ) -> tuple[torch.Tensor | None, dict[str, object]]:
        """Return the channel mask and the options among further arguments of `forward`.

        Unknown ones that are `None` or `False` ask for nothing: `transformers` and its kin pass such.

        Raises:
            TypeError: an unknown argument, which would otherwise be passed over.
            ValueError: an attention mask beside a channel mask.
        """
        given = {name: value for name, value in kwargs.items() if value is not None}
        attention_mask = given.pop("attention_mask", None)
        if attention_mask is not None:
            if channel_mask is not None:
                raise ValueError("Got attention_mask, which is channel_mask by another name; give channel_mask alone.")
            channel_mask = attention_mask
        options = {name: value for name, value in given.items() if name in FORWARD_OPTIONS}
        unknown = sorted(name for name, value in given.items() if name not in options and value is not False)
        if unknown:
            known = [name for name in inspect.signature(self.forward).parameters if name != "kwargs"]
            alike = difflib.get_close_matches(unknown[0], known, n=1)
            remedy = f"did you mean {alike[0]!r}?" if alike else f"there are {', '.join(known)}."
            raise TypeError(f"{type(self).__name__} got the unknown argument {unknown[0]!r}; {remedy}")
        return channel_mask, options

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, HuiduRepEmbedding) and self.config.objective == "prototypes":
            init.normal_(module.weight, std=PROTOTYPE_INITIALIZER)
            init.zeros_(module.bias)
            return
        super()._init_weights(module)
        if isinstance(module, HuiduRepTimeTokenizer):
            # Not in the checkpoint, so loading leaves it empty.
            init.copy_(module.time_encoding, sinusoidal_encoding(self.config))


class HuiduRepModel(HuiduRepPreTrainedModel):
    """Denoise spikes and embed them: the model that sorts.

    Example:

    ```python
    >>> import torch
    >>> from huidurep_hf import HuiduRepConfig, HuiduRepModel

    >>> model = HuiduRepModel(HuiduRepConfig()).eval()
    >>> output = model(torch.randn(5, 72, 4), channel_positions=25 * torch.randn(5, 4, 2))
    >>> output.embeddings.shape, output.denoised_waveforms.shape
    (torch.Size([5, 32]), torch.Size([5, 72, 4]))

    ```
    """

    # A pretraining checkpoint holds its heads as well; they are not missed here.
    _keys_to_ignore_on_load_unexpected = [r"^(projector|predictor|momentum_\w+)\."]

    def __init__(self, config: HuiduRepConfig):
        super().__init__(config)
        self.backbone = HuiduRepBackbone(config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the first map from waveforms to tokens."""
        return self.backbone.encoder.tokenizer.get_input_projection()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the first map from waveforms to tokens."""
        self.backbone.encoder.tokenizer.set_input_projection(value)

    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    def forward(
        self,
        waveforms: torch.Tensor,
        channel_positions: torch.Tensor | None = None,
        channel_mask: torch.Tensor | None = None,
        denoise: bool = True,
        **kwargs: Unpack[TransformersKwargs],
    ) -> HuiduRepModelOutput:
        """Return embeddings and denoised waveforms of a batch of spikes.

        Args:
            waveforms: `(num_spikes, window_size, num_channels)`, in units of each channel's noise SD.
            channel_positions: `(num_spikes, num_channels, 2)`, µm relative to the peak channel. Left out, all
                contacts count as being in one place.
            channel_mask: `(num_spikes, num_channels)`, 1 for a channel that is there. Left out, all are. A spike
                without any has an embedding of NaN.
            denoise: False leaves the denoised waveforms out, which takes less time; all else is the same.
            kwargs: `output_hidden_states`, `output_attentions`, `return_dict`, as in any `transformers` model;
                `attention_mask` is another name of `channel_mask`, also where tokens are samples.

        Raises:
            ValueError: if a shape does not fit the configuration or the waveforms.
            TypeError: if an argument is unknown.
        """
        channel_mask, kwargs = self.check_arguments(channel_mask, kwargs)
        check_model_input(self.config, waveforms, channel_positions, channel_mask)
        waveforms = waveforms.to(self.dtype)
        num_spikes, _, num_channels = waveforms.shape
        if channel_positions is None:
            channel_positions = waveforms.new_zeros(num_spikes, num_channels, 2)
        if channel_mask is None:
            channel_mask = waveforms.new_ones(num_spikes, num_channels)
        return self.backbone(waveforms, channel_positions.to(self.dtype), channel_mask, denoise, **kwargs)


def refuse_flash_attention(attn_implementation: str | dict | None) -> None:
    """Refuse kernels that would gain nothing on a dozen tokens, and that know no mask of channels."""
    if "flash" in str(attn_implementation):
        raise ValueError(
            f"HuiduRep does not support attn_implementation={attn_implementation!r}: spikes are short sequences with"
            " masks. Give 'sdpa', which is the default, 'eager', which returns attentions, or 'flex_attention'."
        )


def check_model_input(
    config: HuiduRepConfig,
    waveforms: torch.Tensor,
    channel_positions: torch.Tensor | None,
    channel_mask: torch.Tensor | None,
) -> None:
    """Refuse input of the wrong shape, saying what was given and what is needed."""
    if waveforms.ndim != 3 or waveforms.shape[1] != config.window_size:
        raise ValueError(
            f"Got waveforms of shape {tuple(waveforms.shape)}; expected (num_spikes, {config.window_size}, "
            "num_channels). HuiduRepFeatureExtractor brings waveforms of any rate and window to this shape."
        )
    if config.encoder_type == "time" and waveforms.shape[2] != config.num_channels:
        raise ValueError(
            f"Got waveforms of {waveforms.shape[2]} channels; this encoder of time tokens needs exactly "
            f"{config.num_channels}. HuiduRepFeatureExtractor with pad_channels=True pads and crops."
        )
    spikes_and_channels = (waveforms.shape[0], waveforms.shape[2])
    if channel_positions is not None and tuple(channel_positions.shape) != (*spikes_and_channels, 2):
        raise ValueError(
            f"Got channel_positions of shape {tuple(channel_positions.shape)}; expected {(*spikes_and_channels, 2)}."
        )
    if channel_mask is not None and tuple(channel_mask.shape) != spikes_and_channels:
        raise ValueError(f"Got channel_mask of shape {tuple(channel_mask.shape)}; expected {spikes_and_channels}.")


__all__ = ["HuiduRepModel", "HuiduRepModelOutput", "HuiduRepPreTrainedModel"]
