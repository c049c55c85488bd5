# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""Configuration of the HuiduRep models."""

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from .resolving_huidurep import CheckpointResolvingMixin

ENCODER_TYPES = ("channel", "time")
POOLINGS = ("mean", "attention")

# A config may come from a stranger's repository: sizes beyond these are refused before anything is allocated.
MAX_HIDDEN_SIZE = 4096
MAX_LAYERS = 128
MAX_WINDOW_SIZE = 4096
MAX_CHANNELS = 4096


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
        initializer_range (`float`, defaults to 0.02): Standard deviation of initial weights.
        position_scale_um (`float`, defaults to 50): Contact positions are divided by this length in µm.
        fuse_denoised (`bool`, defaults to `False`): Embed the spike's tokens together with those of its denoised
            waveform, in training as in use (the paper does so in use alone), at about three times the cost.
        projection_hidden_size (`int`, defaults to 256): Width of the contrastive projector and predictor.
        projection_size (`int`, defaults to 64): Size of the space in which views are compared; 5 in the paper.
        temperature (`float`, defaults to 0.2): Temperature of the contrastive loss.
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
    fuse_denoised: bool = False
    projection_hidden_size: int = 256
    projection_size: int = 64
    temperature: float | int = 0.2
    denoising_weight: float | int = 0.2
    location_weight: float | int = 0.2

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

    def validate_architecture(self):
        """Refuse impossible or absurd sizes; called by `@strict` once the fields are set."""
        if self.encoder_type not in ENCODER_TYPES:
            raise ValueError(f"encoder_type is {self.encoder_type!r}; it must be one of {ENCODER_TYPES}.")
        if self.pooling not in POOLINGS:
            raise ValueError(f"pooling is {self.pooling!r}; it must be one of {POOLINGS}.")
        limits = {
            "window_size": MAX_WINDOW_SIZE,
            "num_channels": MAX_CHANNELS,
            "embedding_size": MAX_HIDDEN_SIZE,
            "hidden_size": MAX_HIDDEN_SIZE,
            "num_hidden_layers": MAX_LAYERS,
            "num_attention_heads": MAX_HIDDEN_SIZE,
            "intermediate_size": 4 * MAX_HIDDEN_SIZE,
            "projection_hidden_size": 4 * MAX_HIDDEN_SIZE,
            "projection_size": MAX_HIDDEN_SIZE,
        }
        for name, limit in limits.items():
            value = getattr(self, name)
            if not 1 <= value <= limit:
                raise ValueError(f"{name} is {value}; it must lie between 1 and {limit}.")
        if not 0 <= self.num_decoder_layers <= MAX_LAYERS:
            raise ValueError(f"num_decoder_layers is {self.num_decoder_layers}; it must lie in 0..{MAX_LAYERS}.")
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}."
            )
        if not 0 <= self.peak_sample < self.window_size:
            raise ValueError(f"peak_sample {self.peak_sample} lies outside the window of {self.window_size} samples.")
        for name in ("sampling_rate", "position_scale_um", "temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive.")


__all__ = ["HuiduRepConfig"]
