"""Pretraining with `transformers.Trainer`: pairs of views, momentum contrast, and the card of the weights.

`scripts/pretrain.py` trains the published weights; this is for those whose training loop is `Trainer` already.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from datasets import Dataset
from huggingface_hub import ModelCard
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..model.card_huidurep import write_first_card
from ..model.configuration_huidurep import HuiduRepConfig
from ..spike_dataset.geometry import read_geometry
from .dataset import SpikePairs
from .schedules import cosine_ramp
from .view_parameters import View, ViewParameters
from .views import SpikeViews

if TYPE_CHECKING:
    from ..model.pretraining_huidurep import HuiduRepForPreTraining


class PairCollator:
    """Turn units of a spike dataset into a batch for `HuiduRepForPreTraining`: two views of two spikes of each unit.

    The examples that it joins are numbers of units, `0 … len(collator) - 1`; the same units give the same batch, so
    that evaluations can be compared.

    Args:
        spikes: spike dataset as docs/architecture.md states, at the model's rate; the rows of a unit stand together.
        config: of the model.
        views: what a view is made of; the defaults if left out.
        seed: of the draws.

    Raises:
        ValueError: not a spike dataset, or one at another rate.

    Example:

    ```python
    >>> from datasets import load_dataset
    >>> from transformers import TrainingArguments

    >>> model = HuiduRepForPreTraining(HuiduRepConfig())  # doctest: +SKIP
    >>> collator = PairCollator(load_dataset("data/spikes", split="train"), model.config)  # doctest: +SKIP
    >>> units = list(range(len(collator)))  # doctest: +SKIP
    >>> trainer = SpikeTrainer(  # doctest: +SKIP
    ...     model, TrainingArguments("runs/mine"), data_collator=collator, train_dataset=units[100:],
    ...     eval_dataset=units[:100], callbacks=[MomentumCallback()],
    ... )

    ```
    """

    def __init__(self, spikes: Dataset, config: HuiduRepConfig, views: ViewParameters | None = None, seed: int = 0):
        geometry = read_geometry(spikes)
        if geometry.sampling_rate != config.sampling_rate:
            raise ValueError(
                f"The dataset's spikes are at {geometry.sampling_rate} Hz and the model's at {config.sampling_rate} Hz;"
                " build the dataset at the model's rate."
            )
        self.pairs = SpikePairs(spikes, geometry)
        self.views = SpikeViews(views or ViewParameters(), config, geometry.peak_sample, geometry.num_samples)
        self.seed = seed

    def __len__(self) -> int:
        return len(self.pairs)

    def __call__(self, units: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return the arguments of `HuiduRepForPreTraining.forward` for these units, a pair each."""
        random = np.random.default_rng([self.seed, *units])
        first, second, unit_ids = self.pairs.read(np.asarray(units), random)
        generator = torch.Generator().manual_seed(int(random.integers(2**62)))
        view, paired = self.views(first, second, generator)
        return {**pair_inputs(view, paired), "unit_ids": unit_ids}


def pair_inputs(view: View, paired: View) -> dict[str, torch.Tensor]:
    """Return two views by the names of the arguments of `HuiduRepForPreTraining.forward`."""
    return {
        "waveforms": view.waveforms,
        "channel_positions": view.positions,
        "channel_mask": view.mask,
        "clean_waveforms": view.clean,
        "locations": view.locations,
        "paired_waveforms": paired.waveforms,
        "paired_channel_positions": paired.positions,
        "paired_channel_mask": paired.mask,
        "paired_clean_waveforms": paired.clean,
        "paired_locations": paired.locations,
    }


class MomentumCallback(TrainerCallback):
    """Move the momentum branch after each step of a `Trainer`, as momentum contrast needs; prototypes need no callback.

    A run that is resumed starts the branch from the trained weights, since checkpoints of `Trainer` do not hold it.

    Args:
        momentum: at the first step; it rises to `final_momentum` along a cosine.
        final_momentum: at the last step.
    """

    def __init__(self, momentum: float = 0.99, final_momentum: float = 1.0):
        self.momentum, self.final_momentum = momentum, final_momentum

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: HuiduRepForPreTraining | None = None,
        **kwargs,
    ) -> None:
        """Start from the trained branch."""
        model.update_momentum(0.0)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: HuiduRepForPreTraining | None = None,
        **kwargs,
    ) -> None:
        """Follow the trained branch."""
        model.update_momentum(cosine_ramp(state.global_step, state.max_steps, self.momentum, self.final_momentum))


class SpikeTrainer(Trainer):
    """`Trainer` that keeps the card which the saved weights have: licence, base model, datasets and tags stay."""

    def create_model_card(
        self,
        language: str | None = None,
        license: str | None = None,
        tags: str | list[str] | None = None,
        finetuned_from: str | None = None,
        dataset: str | list[str] | None = None,
        **kwargs: object,
    ) -> None:
        """Write the card where there is none yet, and what is stated into it.

        Args:
            language, license, dataset: replace what the card says.
            finetuned_from: replaces the card's base model.
            tags: are added to the card's.
            kwargs: other arguments of `Trainer.create_model_card`, for which this card has no place.
        """
        if not self.is_world_process_zero():
            return
        path = Path(self.args.output_dir) / "README.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_first_card(path.parent, self.accelerator.unwrap_model(self.model).config.name_or_path)
        card = ModelCard.load(path)
        stated = {"language": language, "license": license, "base_model": finetuned_from, "datasets": dataset}
        for name, value in stated.items():
            if value is not None:
                card.data[name] = value
        more = [tags] if isinstance(tags, str) else tags or []
        card.data.tags = list(dict.fromkeys([*(card.data.tags or []), *more]))
        card.save(path)
