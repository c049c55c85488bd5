# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""The transformer layers of both encoders and of the denoiser, and how tokens become one vector."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from transformers.activations import ACT2FN
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs

from .configuration_huidurep import HuiduRepConfig


def eager_attention_forward(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs,
) -> tuple[torch.Tensor, torch.Tensor]:
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
        self.num_heads = config.num_attention_heads
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
        shape = (*hidden_states.shape[:-1], self.num_heads, self.head_dim)
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
        if not torch.compiler.is_compiling() and len(hidden_states) == 0:
            # The attention of transformers has no shape for a batch of no spikes; in a graph the number is not known.
            return hidden_states
        if self.norm_first:
            mixed, _ = self.attention(self.attention_norm(hidden_states), attention_mask, **kwargs)
            hidden_states = hidden_states + self.dropout(mixed)
            return hidden_states + self.dropout(self.feed_forward(self.feed_forward_norm(hidden_states)))
        mixed, _ = self.attention(hidden_states, attention_mask, **kwargs)
        hidden_states = self.attention_norm(hidden_states + self.dropout(mixed))
        return self.feed_forward_norm(hidden_states + self.dropout(self.feed_forward(hidden_states)))


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
