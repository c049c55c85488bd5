"""The card of a simulated spike dataset: what it holds, where it comes from, what it may be used for."""

from __future__ import annotations

import json

from ...spike_dataset.size_category import size_category
from ..electrodes.probes import HELD_OUT_PROBES, TRAINING_PROBES
from ..neurons.cells import HELD_OUT_CELLS, TRAINING_CELLS

_CARD = """---
license: {license}
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
{data_files}
---

# HuiduRep simulated spikes

Clean extracellular spike waveforms of simulated neurons on many probe layouts, each neuron at several positions along
the probe. Made for training and testing spike encoders.

| split | rows | neurons | probe layouts | licence |
| --- | --- | --- | --- | --- |
{splits}

The cell models {held_out_cells} and the layouts {held_out_probes} are in no training data of this project.

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
| `cell_type` | cell model, or family of a stylised neuron |
| `probe` | layout |
| `layout` | version of the layout: its dimensions, where they are drawn at random, and its filter |
| `group` | what must not be split between train and test: the cell model, or the one stylised neuron |
| `sampling_rate`, `peak_sample` | rate in Hz and sample of the trough, the same in all rows |
| `unit`, `labelled` | of the waveform ("uV" or "noise_sd"); whether `unit_id` says which neuron fired |

```python
from datasets import load_dataset
import numpy as np
spikes = load_dataset(FOLDER, split="train")
waveform = np.array(spikes[0]["waveform"]).reshape({num_samples}, {num_channels})
```

## How it was made

{neurons}

The membrane currents around up to five spikes of each neuron were kept. For every row the potential at the contacts
was computed from them with the line-source method (0.3 S/m), the cell being really moved for each displacement, and
passed through a band-pass, of zero phase or with a causal high-pass, the same for all units of one probe and layout.
Each neuron serves several units, which differ in position, rotation and size and a little in duration, as neurons of
one type do; a unit's rows differ in displacement and in the spike of the train. Everything follows from the seed.
`scripts/build_dataset.py` of huidurep-hf, with

```json
{parameters}
```

## Known limits

{limits}
- An infinite homogeneous medium: the probe itself does not shadow the field. Contacts are points.
- No noise, no overlapping spikes; those are added in training.
- Units whose largest deflection is positive were left out.

## Licence

{licence_text}
"""


_STYLISED = """Stylised neurons are this project's own: random branching morphologies of several families (pyramidal,
basket, stellate, bipolar, bitufted, granule, motor) with an axon, random passive properties and random densities and
kinetics of sodium, delayed-rectifier and slow potassium channels (equations of Traub & Miles 1991 and Pospischil et
al., Biol. Cybern. 2008). Each ran in NEURON under a weak and a strong constant current; those that did not spike, or
whose extracellular spikes were too small, narrow or wide, were drawn again. No published cell model is in them."""

_CELL_MODELS = """Cell models are the layer-5 neurons of the Blue Brain Project (Markram et al., Cell 2015) that MEArec
bundles (Buccino & Einevoll, Neuroinformatics 2021), run once in NEURON under two current steps."""

_LICENCE_TEXTS = {
    "apache-2.0": "Apache-2.0. Nothing in this dataset is derived from another project's models or data.",
    "cc-by-nc-sa-4.0": """CC BY-NC-SA 4.0 for the dataset as a whole: the Blue Brain cell models carry that licence, and
waveforms simulated from them are derived from them. Please cite the two papers above. Rows of stylised neurons
(`cell_type` begins with `stylised_`), if there are any, are Apache-2.0 on their own.""",
}

_MODEL_LICENSE, _OWN_LICENSE = "cc-by-nc-sa-4.0", "apache-2.0"


def dataset_license(source: str, has_test_split: bool) -> str:
    """Licence of a dataset: our own where all its neurons are ours, otherwise that of the cell models."""
    return _OWN_LICENSE if source == "stylised" and not has_test_split else _MODEL_LICENSE


def dataset_card(shape: dict, parameters: dict, num_rows: dict[str, int]) -> str:
    """Text of the dataset's README.md.

    Args:
        shape: `num_samples`, `num_channels`, `sampling_rate`, `peak_sample` of the rows.
        parameters: what the dataset was simulated with.
        num_rows: rows of each split that there is.
    """
    source = parameters["source"]
    license = dataset_license(source, "test" in num_rows)
    own, models = source != "cell_models", source != "stylised" or "test" in num_rows
    limits = ["- Stylised neurons are plausible, not fitted to any recorded cell."] if own else []
    if models:
        limits.append("- Few cell models, all of rat somatosensory cortex, layer 5, with axons that are stubs.")
    return _CARD.format(
        **shape | {"sampling_rate": round(shape["sampling_rate"])},
        license=license,
        size_category=size_category(sum(num_rows.values())),
        data_files="\n".join(f"  - split: {split}\n    path: data/{split}-*.parquet" for split in num_rows),
        splits="\n".join(_split_row(split, rows, source) for split, rows in num_rows.items()),
        held_out_cells=", ".join(HELD_OUT_CELLS),
        held_out_probes=", ".join(HELD_OUT_PROBES),
        neurons="\n\n".join(([_STYLISED] if own else []) + ([_CELL_MODELS] if models else [])),
        parameters=json.dumps(parameters, indent=2),
        limits="\n".join(limits),
        licence_text=_LICENCE_TEXTS[license],
    )


def _split_row(split: str, num_rows: int, source: str) -> str:
    if split == "test":
        cells, probes, license = ", ".join(HELD_OUT_CELLS), HELD_OUT_PROBES, _MODEL_LICENSE
    else:
        cells = " and ".join(
            (["stylised neurons"] if source != "cell_models" else [])
            + ([", ".join(TRAINING_CELLS)] if source != "stylised" else [])
        )
        probes, license = TRAINING_PROBES, dataset_license(source, False)
    return f"| {split} | {num_rows} | {cells} | {', '.join(probes)} | {license} |"
