# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""Configuration of the HuiduRep models."""

import math
from pathlib import Path
from typing import Any

from huggingface_hub.dataclasses import strict
from huggingface_hub.errors import StrictDataclassError
from transformers import PreTrainedConfig
from transformers.activations import ACT2FN

from .repository_huidurep import CODE_KEYS, IS_INSTALLED, MODEL_CODE, PIPELINE_CODE, name_code, write_code
from .resolving_huidurep import CheckpointResolvingMixin

ENCODER_TYPES = ("channel", "time")
POOLINGS = ("mean", "attention")
ORIGINS = ("peak", "center_of_mass")
OBJECTIVES = ("momentum_contrast", "prototypes")

# A config may come from a stranger's repository: sizes beyond these are refused before anything is allocated.
MAX_HIDDEN_SIZE = 4096
MAX_LAYERS = 128
MAX_WINDOW_SIZE = 4096
MAX_CHANNELS = 4096
MAX_WINDOW_S = 0.2
# Of the model with its pretraining heads and momentum branch: 4 GB in float32. The published model has 1.2 million.
MAX_PARAMETERS = 1_000_000_000
# What only a user may choose: these name code or files to load, and `hub_name` the weights that were loaded.
USER_KEYS = ("attn_implementation", "experts_implementation", "transformers_weights", "hub_name")


@strict
class HuiduRepConfig(CheckpointResolvingMixin, PreTrainedConfig):
    r"""Architecture of a HuiduRep encoder, its denoiser and its pretraining heads.

    Two encoders share this configuration. `"channel"` (ours, the default) makes one token of every channel from its
    waveform and the position of its contact, so it takes any probe and any number of channels. `"time"` is the
    encoder of the paper (Cao, Feng, Shi, Zhang, "HuiduRep", arXiv 2507.17224): one token per sample from a fixed
    number of channels in index order.

    Args:
        encoder_type (`str`, defaults to `"channel"`): What a token is: `"channel"` or `"time"`.
        sampling_rate (`float`, defaults to 30000): Rate in Hz of the waveforms that the model sees.
        window_size (`int`, defaults to 72): Samples in a waveform.
        peak_sample (`int`, defaults to 24): Sample at which the trough of the spike lies.
        num_channels (`int`, defaults to 11): Channels of a spike; exact for `"time"`, the usual number for `"channel"`.
        embedding_size (`int`, defaults to 32): Size of the embedding that is clustered.
        hidden_size (`int`, defaults to 128): Size of a token.
        num_hidden_layers (`int`, defaults to 4): Transformer layers of the encoder.
        num_decoder_layers (`int`, defaults to 1): Transformer layers of the denoiser, over the encoder's tokens.
        num_attention_heads (`int`, defaults to 4): Attention heads of a layer.
        intermediate_size (`int`, defaults to 256): Size inside a layer's feed-forward part.
        hidden_act (`str`, defaults to `"gelu"`): Activation function.
        hidden_dropout_prob (`float`, defaults to 0): Dropout after attention and feed-forward, in training.
        attention_probs_dropout_prob (`float`, defaults to 0): Dropout of attention weights, in training.
        pooling (`str`, defaults to `"mean"`): How tokens become one vector: their `"mean"`, or a mean by learned
            weights (`"attention"`).
        norm_first (`bool`, defaults to `True`): Layer norm before (`True`) or after (`False`, the paper) each part.
        layer_norm_eps (`float`, defaults to 1e-5): Added to the variance in layer norms.
        initializer_range (`float`, defaults to 0.02): Standard deviation of initial weights; those of the embedding
            have one of 0.2 where the objective is `"prototypes"`.
        position_scale_um (`float`, defaults to 50): Contact positions are divided by this length in µm.
        origin (`str`, defaults to `"peak"`): From where the layers see the contacts: from the `"peak"` channel, as
            they are given, or from the spike's own `"center_of_mass"`, which does not jump from contact to contact
            where noise makes now one and now another the largest.
        fuse_denoised (`bool`, defaults to `False`): Embed the spike's tokens together with those of its denoised
            waveform, in training as in use (the paper does so in use alone), at about three times the cost.
        objective (`str`, defaults to `"momentum_contrast"`): What the embedding is trained for, see
            [`HuiduRepForPreTraining`]: `"momentum_contrast"` (MoCo v3, published) or `"prototypes"` (ours).
        projection_hidden_size (`int`, defaults to 256): Width of the contrastive projector and predictor.
        projection_size (`int`, defaults to 64): Size of the space in which views are compared; 5 in the paper.
        temperature (`float`, defaults to 0.2): Temperature of the contrastive loss.
            Projections and temperature belong to `"momentum_contrast"` alone.
        denoising_weight (`float`, defaults to 0.2): Weight alpha of the denoising loss.
        location_weight (`float`, defaults to 0.2): Weight of the localising loss; `"channel"` alone localises.

    Example:

    ```python
    >>> from huidurep_hf import HuiduRepConfig, HuiduRepModel

    >>> config = HuiduRepConfig(num_hidden_layers=2)
    >>> HuiduRepModel(config).config.embedding_size
    32
    ```
    """

    model_type = "huidurep"
    attribute_map = {"num_samples": "window_size"}
    # No predictions: `transformers.Trainer` would gather them as such.
    keys_to_ignore_at_inference = ["contrastive_loss", "denoising_loss", "location_loss"]

    encoder_type: str = "channel"
    sampling_rate: float | int = 30000.0
    window_size: int = 72
    peak_sample: int = 24
    num_channels: int = 11
    embedding_size: int = 32
    hidden_size: int = 128
    num_hidden_layers: int = 4
    num_decoder_layers: int = 1
    num_attention_heads: int = 4
    intermediate_size: int = 256
    hidden_act: str = "gelu"
    hidden_dropout_prob: float | int = 0.0
    attention_probs_dropout_prob: float | int = 0.0
    pooling: str = "mean"
    norm_first: bool = True
    layer_norm_eps: float | int = 1e-5
    initializer_range: float | int = 0.02
    position_scale_um: float | int = 50.0
    origin: str = "peak"
    fuse_denoised: bool = False
    objective: str = "momentum_contrast"
    projection_hidden_size: int = 256
    projection_size: int = 64
    temperature: float | int = 0.2
    denoising_weight: float | int = 0.2
    location_weight: float | int = 0.2

    def __post_init__(self, **kwargs) -> None:
        """Take the fields that `transformers` adds."""
        if IS_INSTALLED:
            kwargs = {name: value for name, value in kwargs.items() if name not in CODE_KEYS}
        super().__post_init__(**kwargs)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs) -> "HuiduRepConfig":
        """As in `transformers`, but a repository cannot choose attention code or a weights file for its users.

        Raises:
            ValueError: of another kind of model, or a value of the wrong type or size.
        """
        model_type = config_dict.get("model_type", cls.model_type) if isinstance(config_dict, dict) else None
        if model_type != cls.model_type:
            raise ValueError(
                f"The configuration is of model type {model_type!r}, not {cls.model_type!r}; load it with that model's"
                " classes, or give a HuiduRep checkpoint."
            )
        try:
            return super().from_dict({k: v for k, v in config_dict.items() if k not in USER_KEYS}, **kwargs)
        except StrictDataclassError as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise ValueError(f"The configuration cannot be used: {reason}") from error

    def save_pretrained(self, save_directory: str | Path, push_to_hub: bool = False, **kwargs) -> None:
        """Write `config.json` and the code that it names, so that the folder can be used without `huidurep_hf`.

        Args:
            save_directory: folder, made if there is none.
            push_to_hub: upload a configuration with its code, too.
            kwargs: `repo_id` and the other arguments of `push_to_hub`.
        """
        super().save_pretrained(save_directory)
        write_code(save_directory)
        name_code(Path(save_directory) / "config.json", MODEL_CODE, PIPELINE_CODE)
        if push_to_hub:
            self.push_to_hub(kwargs.pop("repo_id", Path(save_directory).name), **kwargs)

    def to_dict(self) -> dict[str, Any]:
        """As in `transformers`; a checkpoint that ships goes by its hub name, not by its folder on this machine."""
        values = super().to_dict()
        hub_name = values.pop("hub_name", None)
        return values if hub_name is None else {**values, "_name_or_path": hub_name}

    @classmethod
    def paper(cls, **overrides) -> "HuiduRepConfig":
        """Return the published architecture: 16 post-norm layers over 121 samples of 11 channels, d 64.

        Its encoder and embedding have the published 553,568 parameters. The projection space has 5 dimensions, and
        the embedding is made from the spike together with its denoised self, as published.
        """
        published = {
            "encoder_type": "time",
            "window_size": 121,
            "peak_sample": 42,
            "hidden_size": 64,
            "num_hidden_layers": 16,
            "intermediate_size": 128,
            "hidden_act": "relu",
            "hidden_dropout_prob": 0.1,
            "attention_probs_dropout_prob": 0.1,
            "norm_first": False,
            "fuse_denoised": True,
            "projection_size": 5,
        }
        return cls(**{**published, **overrides})

    def validate_architecture(self) -> None:
        """Refuse impossible or absurd values; called by `@strict` once the fields are set, before anything is built."""
        choices = {"encoder_type": ENCODER_TYPES, "pooling": POOLINGS, "origin": ORIGINS, "objective": OBJECTIVES}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {known}.")
        if self.encoder_type == "time" and self.origin != "peak":
            raise ValueError(f"origin is {self.origin!r}; an encoder of time tokens does not see where contacts lie.")
        if self.hidden_act not in ACT2FN:
            raise ValueError(f"hidden_act is {self.hidden_act!r}; it must be one of {sorted(ACT2FN)}.")
        limits = {
            "window_size": (1, MAX_WINDOW_SIZE),
            "num_channels": (1, MAX_CHANNELS),
            "embedding_size": (1, MAX_HIDDEN_SIZE),
            "hidden_size": (1, MAX_HIDDEN_SIZE),
            "num_hidden_layers": (1, MAX_LAYERS),
            "num_decoder_layers": (0, MAX_LAYERS),
            "num_attention_heads": (1, MAX_HIDDEN_SIZE),
            "intermediate_size": (1, 4 * MAX_HIDDEN_SIZE),
            "projection_hidden_size": (1, 4 * MAX_HIDDEN_SIZE),
            "projection_size": (1, MAX_HIDDEN_SIZE),
            "hidden_dropout_prob": (0, 1),
            "attention_probs_dropout_prob": (0, 1),
        }
        for name, (least, most) in limits.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie between {least} and {most}.")
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}."
            )
        if not 0 <= self.peak_sample < self.window_size:
            raise ValueError(f"peak_sample {self.peak_sample} lies outside the window of {self.window_size} samples.")
        for name in ("sampling_rate", "position_scale_um", "temperature", "layer_norm_eps"):
            if not (getattr(self, name) > 0 and math.isfinite(getattr(self, name))):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive and finite.")
        if self.window_size / self.sampling_rate > MAX_WINDOW_S:
            raise ValueError(
                f"window_size {self.window_size} at sampling_rate {self.sampling_rate} Hz exceeds {MAX_WINDOW_S} s."
            )
        if self.count_parameters() > MAX_PARAMETERS:
            raise ValueError(
                f"A model of these sizes has {self.count_parameters():,} parameters with its pretraining heads; at "
                f"most {MAX_PARAMETERS:,} are built."
            )

    def count_parameters(self) -> int:
        """Return how many parameters a `HuiduRepForPreTraining` of this configuration has, without building it."""

        def linear(*sizes: int) -> int:
            return sum(a * b + b for a, b in zip(sizes[:-1], sizes[1:]))

        width, inner, window = self.hidden_size, self.intermediate_size, self.window_size
        layer = 4 * linear(width, width) + linear(width, inner, width) + 4 * width
        backbone = (self.num_hidden_layers + self.num_decoder_layers) * layer + linear(width, self.embedding_size)
        if self.norm_first:
            backbone += 2 * width
        if self.pooling == "attention":
            backbone += linear(width, 1)
        if self.encoder_type == "channel":
            backbone += linear(window, inner, width) + linear(4, width, width)
            backbone += linear(width, window) + linear(width, 2)
        else:
            backbone += linear(5 * self.num_channels, width) + linear(3 * width, width)
            backbone += linear(width, self.num_channels)
        if self.objective == "prototypes":
            return backbone
        hidden, size = self.projection_hidden_size, self.projection_size
        # Between two linear maps stands a batch norm with a weight and a bias.
        projector = linear(self.embedding_size, hidden, hidden, size) + 4 * hidden
        return 2 * (backbone + projector) + linear(size, hidden, size) + 2 * hidden


__all__ = ["HuiduRepConfig"]
