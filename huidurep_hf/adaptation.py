"""Adapt a checkpoint to a recording: a minute or two of training on the recording's own spikes.

The recording is sorted with the checkpoint as it is. Its units' spikes, with the noise that is in them, are then what
the encoder learns to tell apart, with the objective that it was trained by, and each is what the denoiser should make
of another one of its unit, whose noise is another (Lehtinen et al., "Noise2Noise", ICML 2018). Both are cut at their
own deepest samples, which noise helps to choose: in units of SNR 3 to 5 the trough so learned is a few tenths of a
noise SD too deep. And what differs between spikes of a unit, as in bursts, is averaged away.

Without labels, each spike a unit of its own, nothing is gained: two views of one spike share its noise
(docs/ablation.md).
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datasets import load_dataset

from .output_path import check_writable
from .pretraining.arguments import PretrainingArguments
from .pretraining.trainer import Pretrainer
from .pretraining.view_parameters import ViewParameters
from .sorting.sorter import SpikeSorter
from .spike_dataset.from_recording import RecordedSpikesParameters, spikes_from_recording
from .spike_dataset.recorded_card import RecordedCard
from .spike_dataset.writing import write_spikes

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseSorting

logger = logging.getLogger("huidurep_hf")

VIEWS = ViewParameters(
    amplitude=(0.95, 1.05),
    channel_gain=(0.97, 1.03),
    jitter_samples=1.0,
    misalignment_probability=0.05,
    collision_probability=0.1,
    background_probability=0.0,
    extra_noise=(0.0, 0.3),
    misplacement_probability=0.1,
    truncation_probability=0.0,
    dropout_probability=0.1,
    dropout_fraction=0.3,
)
"""Recorded spikes bring their own noise, collisions and misplaced peaks; views add little to them."""

MAX_UNITS_PER_BATCH = 64
"""More of them would leave each too few of a step's pairs to have a mean of its own."""


@dataclass(frozen=True)
class AdaptationParameters:
    """How a checkpoint is adapted.

    Attributes:
        max_spikes: of the recording that are trained on, drawn at random.
        num_steps: optimiser steps.
        num_pairs: pairs of spikes in a step, shared evenly by its units.
        learning_rate: its highest value.
        denoising_weight: of the denoising loss; it stays in the adapted checkpoint's configuration. More than in
            pretraining, where the loss is about the large errors that collisions leave.
        seed: of sorting, draw and training.
    """

    max_spikes: int = 30_000
    num_steps: int = 100
    num_pairs: int = 256
    learning_rate: float = 3e-4
    denoising_weight: float = 1.0
    seed: int = 0


def adapt(
    model: str | Path,
    recording: BaseRecording,
    output: str | Path,
    sorting: BaseSorting | None = None,
    parameters: AdaptationParameters | None = None,
    *,
    progress: bool = True,
) -> Path:
    """Train a checkpoint further, on the spikes of a recording.

    Args:
        model: hub name or folder of the checkpoint; it stays as it is.
        recording: SpikeInterface recording with a probe.
        output: folder to be made: of the run, the adapted checkpoint in its `model/`.
        sorting: units of the recording, at least two; left out, it is sorted with the checkpoint.
        parameters: how it is adapted.
        progress: show progress bars.

    Returns:
        The folder of the adapted checkpoint.

    Raises:
        FileExistsError: the output folder holds something.
        OSError: it cannot be made.
        ValueError: fewer than two units.
        TypeError: not a SpikeInterface recording.
    """
    parameters = parameters or AdaptationParameters()
    # Before the work, not after it.
    if Path(output).exists() and any(Path(output).iterdir()):
        raise FileExistsError(f"{str(output)!r} is not empty; give another output folder.")
    check_writable(output)
    if sorting is None:
        sorting = SpikeSorter.from_pretrained(model).sort(recording, seed=parameters.seed, progress=progress).sorting
    taken = RecordedSpikesParameters(max_spikes=parameters.max_spikes, name="recording", seed=parameters.seed)
    spikes = spikes_from_recording(recording, sorting, taken, progress=progress)
    num_units = len(spikes.unique("unit_id"))
    if num_units < 2:
        raise ValueError(
            f"The recording has {num_units} unit(s), and to tell units apart takes two. Give a longer recording or a "
            "sorting with more units."
        )
    logger.info("adapt: %d spikes of %d units", len(spikes), num_units)
    units_per_batch = min(num_units, MAX_UNITS_PER_BATCH)
    pairs_per_unit = max(parameters.num_pairs // units_per_batch, 1)
    with tempfile.TemporaryDirectory() as folder:
        card = RecordedCard("Spikes of a recording", "unknown", "a recording", taken)
        dataset = write_spikes(spikes, Path(folder) / "spikes", card)
        arguments = PretrainingArguments(
            dataset=str(dataset),
            start=str(model),
            model={"denoising_weight": parameters.denoising_weight},
            views=VIEWS,
            num_steps=parameters.num_steps,
            batch_size=units_per_batch * pairs_per_unit,
            pairs_per_unit=pairs_per_unit,
            learning_rate=parameters.learning_rate,
            num_warmup_steps=max(parameters.num_steps // 10, 1),
            # All units are trained on, and nothing is left to validate on.
            num_validation_units=0,
            evaluate_every=parameters.num_steps + 1,
            checkpoint_every=parameters.num_steps + 1,
            seed=parameters.seed,
        )
        try:
            return Pretrainer(arguments, output).run(progress_bar=progress)
        finally:
            _forget_copy(dataset)


def _forget_copy(dataset: Path) -> None:
    """Delete the copy that `datasets` keeps in its cache of what it has read: nobody will read this dataset again."""
    for file in load_dataset(str(dataset), split="train").cache_files:
        shutil.rmtree(Path(file["filename"]).parent, ignore_errors=True)
