"""A light spike dataset from SpikeInterface's template generator, on two probes."""

import json
from dataclasses import asdict

import numpy as np
from datasets import Dataset, DatasetInfo, Features, List, Value

NUM_SAMPLES, NUM_CHANNELS, PEAK_SAMPLE = 121, 8, 42
GEOMETRY = {"sampling_rate": 30000.0, "peak_sample": PEAK_SAMPLE, "unit": "uV", "labelled": True}


def make_rows(num_units_per_probe=24, num_rows_per_unit=2, seed=0):
    """Give rows of units on a tetrode and on a linear probe; a unit's rows differ in displacement."""
    from spikeinterface.generation import generate_templates

    random = np.random.default_rng(seed)
    probes = {
        "tetrode": np.array([[0.0, 0], [25, 0], [0, 25], [25, 25]]),
        "linear": np.stack([np.zeros(12), 20.0 * np.arange(12)], axis=1),
    }
    unit_id = 0
    for probe, contacts in probes.items():
        for _ in range(num_units_per_probe):
            place = random.uniform(contacts.min(axis=0) - 10, contacts.max(axis=0) + 10)
            unit_seed = int(random.integers(2**31))
            for displacement in np.linspace(0, 10, num_rows_per_unit):
                location = np.array([[place[0], place[1] + displacement, 15.0]])
                template = generate_templates(
                    contacts,
                    location,
                    sampling_frequency=30000.0,
                    ms_before=1.4,
                    ms_after=121 / 30 - 1.4,
                    seed=unit_seed,
                )[0][:NUM_SAMPLES]
                peak = np.abs(template).max(axis=0).argmax()
                positions = contacts - contacts[peak]
                order = np.linalg.norm(positions, axis=1).argsort(kind="stable")[:NUM_CHANNELS]
                missing = NUM_CHANNELS - len(order)
                yield {
                    "waveform": np.pad(template[:, order], ((0, 0), (0, missing))).astype(np.float16).ravel(),
                    "channel_positions": np.pad(positions[order], ((0, missing), (0, 0))).astype(np.float32).ravel(),
                    "channel_mask": np.arange(NUM_CHANNELS) < len(order),
                    "location": (location[0, :2] - contacts[peak]).astype(np.float32),
                    "displacement_um": displacement,
                    "unit_id": unit_id,
                    "cell_type": "template",
                    "probe": probe,
                    "layout": 0,
                    **GEOMETRY,
                }
            unit_id += 1


def build_dataset(folder, **arguments):
    """Write the rows as a dataset folder."""
    features = Features(
        {
            "waveform": List(Value("float16"), length=NUM_SAMPLES * NUM_CHANNELS),
            "channel_positions": List(Value("float32"), length=NUM_CHANNELS * 2),
            "channel_mask": List(Value("bool"), length=NUM_CHANNELS),
            "location": List(Value("float32"), length=2),
            "displacement_um": Value("float32"),
            "unit_id": Value("int32"),
            "cell_type": Value("string"),
            "probe": Value("string"),
            "layout": Value("int32"),
            "sampling_rate": Value("float64"),
            "peak_sample": Value("int32"),
            "unit": Value("string"),
            "labelled": Value("bool"),
        }
    )
    rows = list(make_rows(**arguments))
    columns = {name: [row[name] for row in rows] for name in features}
    (folder / "data").mkdir(parents=True)
    Dataset.from_dict(columns, features=features).to_parquet(folder / "data" / "train-00000-of-00001.parquet")
    info = DatasetInfo(features=features, license="apache-2.0")
    (folder / "dataset_infos.json").write_text(json.dumps({"default": asdict(info)}))
    return folder
