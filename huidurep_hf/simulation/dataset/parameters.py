"""What a simulated spike dataset is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...spike_dataset.geometry import SpikeGeometry
from ..electrodes.templates import TemplateParameters

SOURCES = ("stylised", "cell_models", "both")
"""Where the neurons of the train split come from: our own stylised neurons, published cell models, half and half."""


@dataclass(frozen=True)
class SpikeDatasetParameters:
    """What a simulated spike dataset is made of.

    Attributes:
        num_units: units of the train split, cell models and probes in equal shares; those that find no place before
            their probe are left out.
        num_test_units: units of the test split, from held-out cells on held-out probes; 0 for no such split.
        source: neurons of the train split, one of `SOURCES`.
        units_per_neuron: units that a neuron serves one after the other, each in another pose before one probe.
        num_layouts: versions of each layout: dimensions, where they are drawn at random, and the recording chain's
            filter. A unit should not be told from the others by its contacts or by its filter, so many share each.
        stretch_range: factor on the duration of a neuron's spikes, drawn per neuron (log-uniform); that of `templates`
            comes on top, drawn per unit.
        num_channels: channels of a row, those nearest to its peak channel.
        seed: the whole dataset follows from it.
        templates: how units are placed and their waveforms cut.
    """

    num_units: int = 12_000
    num_test_units: int = 500
    source: str = "cell_models"
    units_per_neuron: int = 6
    num_layouts: int = 8
    stretch_range: tuple[float, float] = (0.7, 1.5)
    num_channels: int = 21
    seed: int = 0
    templates: TemplateParameters = field(default_factory=TemplateParameters)

    @property
    def geometry(self) -> SpikeGeometry:
        """What all rows share."""
        templates = self.templates
        return SpikeGeometry(templates.num_samples, self.num_channels, templates.sampling_rate, templates.peak_sample)

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ValueError(f"Got source {self.source!r}; expected one of {list(SOURCES)}.")
