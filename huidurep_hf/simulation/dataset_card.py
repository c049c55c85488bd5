"""The card of a simulated spike dataset: what it holds, where it comes from, what it may be used for."""

from __future__ import annotations

import json

from .cells import HELD_OUT_CELLS, TRAINING_CELLS
from .probes import HELD_OUT_PROBES, TRAINING_PROBES

_CARD = """---
license: cc-by-nc-sa-4.0
pretty_name: HuiduRep simulated spikes
tags:
- neuroscience
- electrophysiology
- spike-sorting
- time-series
size_categories:
- {size_category}
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.parquet
  - split: test
    path: data/test-*.parquet
---

# HuiduRep simulated spikes

Clean extracellular spike waveforms of simulated cortical neurons on many probe layouts, each neuron at several
positions along the probe. Made for training and testing spike encoders.

| split | rows | cell models | probe layouts |
| --- | --- | --- | --- |
| train | {num_train_rows} | {training_cells} | {training_probes} |
| test | {num_test_rows} | {held_out_cells} | {held_out_probes} |

The test split's cell models and layouts are in no training data of this project.

## Rows

Each waveform has {num_samples} samples at {sampling_rate} Hz on {num_channels} channels; the peak channel's trough is
at sample {peak_sample}. Rows of one unit follow each other.

| column | meaning |
| --- | --- |
| `waveform` | float16, flat `(num_samples, num_channels)`, µV, channels sorted by distance from the peak channel |
| `channel_positions` | float32, flat `(num_channels, 2)`, µm relative to the peak channel |
| `channel_mask` | False for padding, on probes with fewer channels |
| `unit_id` | one number for all rows of a unit |
| `location` | soma in the probe plane, µm relative to the peak channel |
| `displacement_um` | how far the cell was moved along the probe for this row, 0 for the unit's first row |
| `cell_type` | cell model |
| `probe` | layout |
| `group` | what must not be split between train and test: the cell model |

```python
from datasets import load_dataset
import numpy as np
spikes = load_dataset(FOLDER, split="train")
waveform = np.array(spikes[0]["waveform"]).reshape({num_samples}, {num_channels})
```

## How it was made

The 13 layer-5 cell models of the Blue Brain Project (Markram et al., Cell 2015) that MEArec bundles (Buccino &
Einevoll, Neuroinformatics 2021) ran once in NEURON under two current steps. The membrane currents around up to five
spikes of each were kept. For every row the potential at the contacts was computed from them with the line-source
method (0.3 S/m), the cell being really moved for each displacement, and passed through a zero-phase band-pass. Units
differ in position, rotation, size, duration and band; a unit's rows differ in displacement and in the spike of the
train. Everything follows from the seed. `scripts/build_dataset.py` of huidurep-hf, with

```json
{parameters}
```

## Known limits

- Few cell models, all of rat somatosensory cortex, layer 5. Axons are stubs.
- An infinite homogeneous medium: the probe itself does not shadow the field. Contacts are points.
- No noise, no overlapping spikes; those are added in training.
- Units whose largest deflection is positive were left out.

## Licence

CC BY-NC-SA 4.0: the cell models carry that licence, and these waveforms are derived from them. Please cite the two
papers above.
"""


def dataset_card(shape: dict, parameters: dict, num_rows: dict[str, int]) -> str:
    """Text of the dataset's README.md.

    Args:
        shape: `num_samples`, `num_channels`, `sampling_rate`, `peak_sample` of the rows.
        parameters: what the dataset was simulated with.
        num_rows: rows of each split.
    """
    total = sum(num_rows.values())
    sizes = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return _CARD.format(
        **shape | {"sampling_rate": round(shape["sampling_rate"])},
        size_category=next((name for limit, name in sizes if total < limit), "n>1M"),
        num_train_rows=num_rows["train"],
        num_test_rows=num_rows["test"],
        training_cells=", ".join(TRAINING_CELLS),
        held_out_cells=", ".join(HELD_OUT_CELLS),
        training_probes=", ".join(TRAINING_PROBES),
        held_out_probes=", ".join(HELD_OUT_PROBES),
        parameters=json.dumps(parameters, indent=2),
    )
