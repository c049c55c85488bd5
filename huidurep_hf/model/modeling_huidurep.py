# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""HuiduRep: an encoder of extracellular spikes that denoises and embeds them.

The method is that of Cao, Feng, Shi, Zhang, "HuiduRep" (arXiv 2507.17224). The time-token encoder is theirs, layer
by layer; the channel-token encoder, which knows where the contacts are, is ours. The denoiser that the losses train
is the one that runs.
"""

import difflib
import inspect
import math
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.activations import ACT2FN
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.processing_utils import Unpack
from transformers.utils import ModelOutput, TransformersKwargs
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, _active_collector, capture_outputs

from .configuration_huidurep import HuiduRepConfig
from .feature_extraction_huidurep import HuiduRepFeatureExtractor
from .integrity_huidurep import WeightsError, check_download, check_finite, check_report, check_shards
from .repository_huidurep import write_first_card
from .resolving_huidurep import CheckpointResolvingMixin

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
        denoised_waveforms (`torch.FloatTensor` of shape `(num_spikes, window_size, num_channels)`):
            The spike without noise and without its neighbours, in noise units; zero on masked channels.
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


def eager_attention_forward(module, query, key, value, attention_mask, scaling, dropout=0.0, **kwargs):
    """Plain scaled dot-product attention: `(num_spikes, heads, tokens, head_dim)` in, weights out as well."""
    weights = torch.matmul(query, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        weights = weights + attention_mask
    weights = nn.functional.softmax(weights, dim=-1, dtype=torch.float32).to(query.dtype)
    weights = nn.functional.dropout(weights, p=dropout, training=module.training)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


class HuiduRepAttention(nn.Module):
    """Multi-head self-attention over the tokens of one spike."""

    def __init__(self, config: HuiduRepConfig):
        super().__init__()
        self.config = config
        self.head_dim = config.hidden_size // config.num_attention_heads
        self.scaling = self.head_dim**-0.5
        self.attention_dropout = config.attention_probs_dropout_prob
        self.is_causal = False
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the mixed tokens and, under eager attention, the weights."""
        if not torch.compiler.is_compiling() and len(hidden_states) == 0:
            # The attention of transformers has no shape for a batch of no spikes; in a graph the number is not known.
            return hidden_states, None
        shape = (*hidden_states.shape[:-1], -1, self.head_dim)
        query, key, value = (
            project(hidden_states).view(shape).transpose(1, 2) for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        attention: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        mixed, weights = attention(
            self,
            query,
            key,
            value,
            attention_mask,
            scaling=self.scaling,
            dropout=self.attention_dropout if self.training else 0.0,
            **kwargs,
        )
        return self.o_proj(mixed.reshape(*hidden_states.shape)), weights


class HuiduRepLayer(GradientCheckpointingLayer):
    """Transformer layer; layer norms stand before each part (ours) or after it (the paper's)."""

    def __init__(self, config: HuiduRepConfig):
        super().__init__()
        self.norm_first = config.norm_first
        self.attention = HuiduRepAttention(config)
        self.attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size)
        self.activation = ACT2FN[config.hidden_act]
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size)
        self.feed_forward_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def feed_forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Two linear maps with an activation, token by token."""
        return self.down_proj(self.dropout(self.activation(self.up_proj(tokens))))

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> torch.Tensor:
        """Return the tokens after attention and feed-forward."""
        if self.norm_first:
            mixed, _ = self.attention(self.attention_norm(hidden_states), attention_mask, **kwargs)
            hidden_states = hidden_states + self.dropout(mixed)
            return hidden_states + self.dropout(self.feed_forward(self.feed_forward_norm(hidden_states)))
        mixed, _ = self.attention(hidden_states, attention_mask, **kwargs)
        hidden_states = self.attention_norm(hidden_states + self.dropout(mixed))
        return self.feed_forward_norm(hidden_states + self.dropout(self.feed_forward(hidden_states)))


class HuiduRepChannelTokenizer(nn.Module):
    """One token per channel: its waveform, where its contact lies, and how large the spike is.

    Waveforms are divided by the spike's largest absolute value, so that the layers see shapes of one size; the
    logarithm of that value is given beside them, since it says how far the noise can be trusted.
    """

    def __init__(self, config: HuiduRepConfig):
        super().__init__()
        self.position_scale_um = config.position_scale_um
        self.waveform_proj = nn.Sequential(
            nn.Linear(config.window_size, config.intermediate_size),
            nn.GELU(),
            nn.Linear(config.intermediate_size, config.hidden_size),
        )
        # x, y, distance from the peak channel, log of the spike's scale
        self.context_proj = nn.Sequential(
            nn.Linear(4, config.hidden_size), nn.GELU(), nn.Linear(config.hidden_size, config.hidden_size)
        )

    def forward(
        self, waveforms: torch.Tensor, positions: torch.Tensor, scale: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return tokens `(num_spikes, num_channels, hidden_size)` of `(num_spikes, window_size, num_channels)`."""
        place = positions / self.position_scale_um
        distance = torch.linalg.vector_norm(place, dim=-1, keepdim=True)
        size = torch.log(scale).expand(-1, place.shape[1], 1)
        context = self.context_proj(torch.cat([place, distance, size], dim=-1))
        return self.waveform_proj((waveforms / scale).transpose(1, 2)) + context


class HuiduRepTimeTokenizer(nn.Module):
    """One token per sample, by two convolutions over time and fixed sinusoidal positions (the paper's)."""

    def __init__(self, config: HuiduRepConfig):
        super().__init__()
        self.conv1 = nn.Conv1d(config.num_channels, config.hidden_size, kernel_size=5, padding=2)
        self.conv2 = nn.Conv1d(config.hidden_size, config.hidden_size, kernel_size=3, padding=1)
        self.register_buffer("time_encoding", sinusoidal_encoding(config), persistent=False)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Return tokens `(num_spikes, window_size, hidden_size)` of `(num_spikes, window_size, num_channels)`."""
        features = torch.relu(self.conv2(torch.relu(self.conv1(waveforms.transpose(1, 2)))))
        return features.transpose(1, 2) + self.time_encoding.to(features.dtype)


def sinusoidal_encoding(config: HuiduRepConfig) -> torch.Tensor:
    """Return the sine and cosine table `(window_size, hidden_size)` of Vaswani et al. 2017, section 3.5."""
    time = torch.arange(config.window_size, dtype=torch.float32)[:, None]
    frequency = torch.exp(torch.arange(0, config.hidden_size, 2) * (-math.log(10000.0) / config.hidden_size))
    table = torch.zeros(config.window_size, config.hidden_size)
    table[:, 0::2] = torch.sin(time * frequency)
    table[:, 1::2] = torch.cos(time * frequency[: config.hidden_size // 2])
    return table


class HuiduRepEncoder(nn.Module):
    """Tokens of a spike, mixed by transformer layers."""

    def __init__(self, config: HuiduRepConfig):
        super().__init__()
        self.config = config
        self.is_channelwise = config.encoder_type == "channel"
        self.tokenizer = HuiduRepChannelTokenizer(config) if self.is_channelwise else HuiduRepTimeTokenizer(config)
        self.layers = nn.ModuleList([HuiduRepLayer(config) for _ in range(config.num_hidden_layers)])
        # Post-norm layers end in a norm already.
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps) if config.norm_first else nn.Identity()

    def tokenize(self, waveforms: torch.Tensor, positions: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Return the tokens before the first layer."""
        return self.tokenizer(waveforms, positions, scale) if self.is_channelwise else self.tokenizer(waveforms)

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

    def __init__(self, config: HuiduRepConfig):
        super().__init__()
        self.config = config
        self.is_channelwise = config.encoder_type == "channel"
        self.layers = nn.ModuleList([HuiduRepLayer(config) for _ in range(config.num_decoder_layers)])
        self.output_proj = nn.Linear(
            config.hidden_size, config.window_size if self.is_channelwise else config.num_channels
        )

    def forward(
        self, tokens: torch.Tensor, mask: torch.Tensor | None, scale: torch.Tensor, **kwargs: Unpack[TransformersKwargs]
    ) -> torch.Tensor:
        """Return denoised waveforms `(num_spikes, window_size, num_channels)` in the unit of the input."""
        attention_mask = create_bidirectional_mask(self.config, tokens, mask)
        for layer in self.layers:
            tokens = layer(tokens, attention_mask, **kwargs)
        waveforms = self.output_proj(tokens)
        if not self.is_channelwise:
            return waveforms
        return waveforms.transpose(1, 2) * scale


class HuiduRepPooling(nn.Module):
    """One vector per spike: the mean of its tokens, or a mean by weights that each token is given."""

    def __init__(self, config: HuiduRepConfig):
        super().__init__()
        self.score = nn.Linear(config.hidden_size, 1) if config.pooling == "attention" else None

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Return `(num_spikes, hidden_size)`; tokens where `mask` is 0 do not count."""
        if mask is None:
            mask = tokens.new_ones(tokens.shape[:2])
        weights = mask.to(tokens.dtype)[:, :, None]
        if self.score is not None:
            scores = self.score(tokens).masked_fill(weights == 0, torch.finfo(tokens.dtype).min)
            weights = weights * torch.exp(scores - scores.amax(dim=1, keepdim=True))
        return (tokens * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=torch.finfo(weights.dtype).tiny)


class HuiduRepEmbedding(nn.Linear):
    """From the pooled tokens to the representation that is clustered."""


class HuiduRepBackbone(nn.Module):
    """Encoder, denoiser and embedding: all that a spike passes through. The momentum branch is a second one."""

    def __init__(self, config: HuiduRepConfig):
        super().__init__()
        self.fuse_denoised = config.fuse_denoised
        self.encoder = HuiduRepEncoder(config)
        self.decoder = HuiduRepDecoder(config)
        self.pooling = HuiduRepPooling(config)
        self.embedding = HuiduRepEmbedding(config.hidden_size, config.embedding_size)
        self.position_scale_um = config.position_scale_um
        self.sees_from_center = config.origin == "center_of_mass"
        self.localizer = nn.Linear(config.hidden_size, 2) if self.encoder.is_channelwise else None

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
        token_mask = mask if self.encoder.is_channelwise else None
        origin = center_of_mass(waveforms, positions) if self.sees_from_center else None
        if origin is not None:
            positions = (positions - origin) * mask[:, :, None].to(positions.dtype)
        first_tokens = self.encoder.tokenize(waveforms, positions, scale)
        with unrecorded() if self.fuse_denoised else nullcontext():
            tokens = self.encoder(first_tokens, token_mask, **kwargs)
        denoised = None
        if denoise or self.fuse_denoised:
            denoised = self.decoder(tokens, token_mask, scale, **kwargs) * channel_mask
        if self.fuse_denoised:
            denoised_tokens = self.encoder.tokenize(denoised, positions, scale)
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
def unrecorded():
    """Run the layers without recording: the tokens of a pass that only denoises are not the model's hidden states."""
    recorded = _active_collector.get()
    _active_collector.set(None)
    try:
        yield
    finally:
        _active_collector.set(recorded)


def center_of_mass(waveforms: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Return the mean position of the contacts, each weighed by the energy that it sees: `(num_spikes, 1, 2)`.

    Args:
        waveforms: `(num_spikes, window_size, num_channels)`, zero on channels that are not there.
        positions: `(num_spikes, num_channels, 2)`, µm.
    """
    # Energies times µm pass what float16 can hold.
    dtype = torch.promote_types(positions.dtype, torch.float32)
    energy = waveforms.to(dtype).square().sum(dim=1)[:, :, None]
    moment = (energy * positions.to(dtype)).sum(dim=1, keepdim=True)
    return (moment / energy.sum(dim=1, keepdim=True).clamp(min=1e-6)).to(positions.dtype)


class HuiduRepPreTrainedModel(CheckpointResolvingMixin, PreTrainedModel):
    """Weights, loading and saving of all HuiduRep models."""

    config: HuiduRepConfig
    base_model_prefix = "huidurep"
    main_input_name = "waveforms"
    input_modalities = ("time",)
    model_tags = ["spike-sorting", "neuroscience", "electrophysiology"]
    supports_gradient_checkpointing = True
    _no_split_modules = ["HuiduRepLayer", "HuiduRepChannelTokenizer", "HuiduRepTimeTokenizer"]
    _supports_sdpa = True
    _supports_attention_backend = True
    # The decoder's and the momentum branch's layers are not the encoder's: record by place.
    _can_record_outputs = {
        "hidden_states": OutputRecorder(HuiduRepLayer, index=0, layer_name="backbone.encoder.layers"),
        "attentions": OutputRecorder(HuiduRepAttention, index=1, layer_name="backbone.encoder.layers"),
    }

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs):
        """As in `transformers`, but whole weights or an error, and from safetensors alone: no pickle is ever opened.

        With `output_loading_info=True` the report says what a checkpoint lacks or has beside, and nothing is refused
        for that.

        Raises:
            ValueError: pickled weights are asked for, or a local folder names a weights file outside itself.
            OSError: there are no safetensors weights of that name; they are broken, missing, unexpected, not finite or
                of another shape; or a download is not what the Hub promised.
        """
        if kwargs.pop("use_safetensors", None) is False:
            raise ValueError("HuiduRep weights are read from safetensors alone; leave use_safetensors out.")
        check_shards(Path(pretrained_model_name_or_path or "", kwargs.get("subfolder", "")))
        wants_report = kwargs.pop("output_loading_info", False)
        allow_mismatched = kwargs.pop("ignore_mismatched_sizes", False)
        options = {"use_safetensors": True, "output_loading_info": True, "ignore_mismatched_sizes": True}
        try:
            model, report = super().from_pretrained(pretrained_model_name_or_path, *args, **options, **kwargs)
        except SafetensorError as error:
            raise WeightsError(
                f"The weights of {pretrained_model_name_or_path} are broken ({error}); download or copy them again."
            ) from error
        name = model.config.name_or_path or pretrained_model_name_or_path
        if not wants_report and kwargs.get("state_dict") is None:
            check_report(report, name, allow_mismatched)
        check_finite(model, name)
        check_download(model.config.name_or_path or "", kwargs.get("revision"), kwargs.get("cache_dir"))
        return (model, report) if wants_report else model

    def save_pretrained(self, save_directory, push_to_hub=False, **kwargs):
        """Write a whole repository: weights, configuration, code; feature extractor and card where there are none.

        Args:
            save_directory: folder, made if there is none.
            push_to_hub: upload the model, too.
            kwargs: as in `transformers`; with `push_to_hub` also `repo_id`, `commit_message`, `private`, `token`,
                `revision` and `create_pr`.
        """
        names = ("repo_id", "commit_message", "private", "revision", "create_pr")
        hub_arguments = {name: kwargs.pop(name) for name in names if name in kwargs}
        super().save_pretrained(save_directory, **kwargs)
        if not kwargs.get("is_main_process", True):
            return
        if not (Path(save_directory) / "preprocessor_config.json").exists():
            HuiduRepFeatureExtractor.from_config(self.config).save_pretrained(save_directory)
        write_first_card(save_directory)
        if push_to_hub:
            hub_arguments.setdefault("repo_id", Path(save_directory).name)
            self.push_to_hub(token=kwargs.get("token"), **hub_arguments)

    def check_arguments(
        self, channel_mask: torch.Tensor | None, kwargs: dict[str, object]
    ) -> tuple[torch.Tensor | None, dict[str, object]]:
        """Return the channel mask and the options among further arguments of `forward`.

        Unknown ones that are `None` or `False` ask for nothing: `transformers` and its kin pass such.

        Raises:
            TypeError: an unknown argument, which would otherwise be passed over.
            ValueError: an attention mask beside a channel mask, or where tokens are no channels.
        """
        given = {name: value for name, value in kwargs.items() if value is not None}
        attention_mask = given.pop("attention_mask", None)
        if attention_mask is not None:
            if channel_mask is not None or self.config.encoder_type != "channel":
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
    def _init_weights(self, module):
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
        tokenizer = self.backbone.encoder.tokenizer
        return tokenizer.waveform_proj if self.backbone.encoder.is_channelwise else tokenizer.conv1

    def set_input_embeddings(self, value: nn.Module):
        """Replace the first map from waveforms to tokens."""
        tokenizer = self.backbone.encoder.tokenizer
        if self.backbone.encoder.is_channelwise:
            tokenizer.waveform_proj = value
        else:
            tokenizer.conv1 = value

    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    def forward(
        self,
        waveforms: torch.Tensor,
        channel_positions: torch.Tensor | None = None,
        channel_mask: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> HuiduRepModelOutput:
        """Return embeddings and denoised waveforms of a batch of spikes.

        Args:
            waveforms: `(num_spikes, window_size, num_channels)`, in units of each channel's noise SD.
            channel_positions: `(num_spikes, num_channels, 2)`, µm relative to the peak channel. Left out, all
                contacts count as being in one place.
            channel_mask: `(num_spikes, num_channels)`, 1 for a channel that is there. Left out, all are. A spike
                without any has an embedding of NaN.
            kwargs: `output_hidden_states`, `output_attentions`, `return_dict`, as in any `transformers` model; where
                tokens are channels, `attention_mask` is another name of `channel_mask`.

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
        return self.backbone(waveforms, channel_positions.to(self.dtype), channel_mask, **kwargs)


def check_model_input(
    config: HuiduRepConfig,
    waveforms: torch.Tensor,
    channel_positions: torch.Tensor | None,
    channel_mask: torch.Tensor | None,
):
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
