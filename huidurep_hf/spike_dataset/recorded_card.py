"""The card of a spike dataset that was cut from a recording."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from .from_recording import RecordedSpikesParameters
from .geometry import SpikeGeometry
from .size_category import size_category

_CARD = """# {title}

Spike waveforms cut from an extracellular recording by huidurep-hf, for training and testing spike encoders.

{source}

| split | rows | units |
| --- | --- | --- |
| {split} | {num_rows} | {units} |

## Rows

Each waveform has {num_samples} samples at {sampling_rate:.0f} Hz on {num_channels} channels; the peak channel's
trough is at sample {peak_sample}. Rows of one unit follow each other.

| column | meaning |
| --- | --- |
| `waveform` | float16, flat `(num_samples, num_channels)`, {unit}, channels sorted by distance from the peak channel |
| `channel_positions` | float32, flat `(num_channels, 2)`, µm relative to the peak channel |
| `channel_mask` | False for padding, on probes with fewer channels |
| `unit_id` | {unit_id} |
| `location` | centre of mass of the squared peak-to-peak amplitude, µm relative to the peak channel |
| `displacement_um` | 0: not known |
{peak_position}| `cell_type` | `recorded` |
| `probe` | model of the probe |
| `layout` | number that stands for the positions of the usable contacts |
| `group` | the recording |
| `sampling_rate`, `peak_sample` | rate in Hz and sample of the trough, the same in all rows |
| `unit`, `labelled` | of the waveform ("uV" or "noise_sd"); whether `unit_id` says which neuron fired |

```python
from datasets import load_dataset
import numpy as np
spikes = load_dataset(FOLDER, split="{split}")
waveform = np.array(spikes[0]["waveform"]).reshape({num_samples}, {num_channels})
```

## How it was made

The recording was centred, band-passed, referenced to the common median of each shank where a shank has 16 channels or
more, and divided by each channel's noise. `scripts/spikes_from_recording.py` of huidurep-hf, with

```json
{parameters}
```

## Known limits

- {labels}
- The waveforms are not clean: noise and overlapping spikes are in them.
- Spikes below the threshold are missing; so are rare units, where the number of rows was limited.
- Locations are estimates, drawn towards the middle of the probe's contacts.
"""

_RECORDED = "SDs of each channel's noise, which is in the waveform"
_UNITS = {"uV": "µV", "noise_sd": _RECORDED, "noise_sd or uV": f"µV, or {_RECORDED}: see `unit`"}


@dataclass(frozen=True)
class RecordedCard:
    """What only the owner of a recording knows of its spike dataset.

    Attributes:
        title: of the dataset.
        license: identifier as the hub knows them, such as "cc-by-4.0"; it follows that of the recording.
        source: a sentence or more: which recording, of what, by whom, where it is published.
        parameters: with which the spikes were taken.
    """

    title: str = "Recorded spikes"
    license: str = "unknown"
    source: str = "The recording's origin was not stated."
    parameters: RecordedSpikesParameters = field(default_factory=RecordedSpikesParameters)

    def render(self, geometry: SpikeGeometry, split: str, num_rows: int, num_units: int) -> str:
        """Return the text of the dataset's README.md."""
        from huggingface_hub import DatasetCardData

        # The hub's own writer quotes what YAML would misread in a title.
        metadata = DatasetCardData(
            license=self.license,
            pretty_name=self.title,
            tags=["neuroscience", "electrophysiology", "spike-sorting", "time-series"],
            size_categories=[size_category(num_rows)],
            configs=[{"config_name": "default", "data_files": [{"split": split, "path": f"data/{split}-*.parquet"}]}],
        )
        labelled = geometry.labelled
        text = _CARD.format(
            **asdict(geometry) | {"unit": _UNITS[geometry.unit]},
            title=self.title,
            source=self.source,
            split=split,
            num_rows=num_rows,
            units=num_units if labelled else "not known",
            unit_id="the sorting's unit" if labelled else "the row: which neuron fired is not known",
            labels="The labels are those of a spike sorter, with its errors." if labelled else "There are no labels.",
            peak_position="" if geometry.unit == "uV" else "| `peak_position` | where the peak channel lies, µm |\n",
            parameters=json.dumps(asdict(self.parameters), indent=2),
        )
        return f"---\n{metadata.to_yaml()}\n---\n\n{text}"
