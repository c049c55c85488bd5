import pytest


@pytest.fixture(scope="session")
def light_spikes():
    """A spike dataset of five rows in noise units on a tetrode."""
    import numpy as np
    from datasets import Dataset

    from huidurep_hf.spike_dataset.geometry import SpikeGeometry, describe

    geometry = SpikeGeometry(num_samples=72, num_channels=4, peak_sample=24, unit="noise_sd")
    random = np.random.default_rng(0)
    rows = [
        {
            "waveform": random.normal(0, 3, size=288).astype("float16"),
            "channel_positions": np.array([0, 0, 25, 0, 0, 25, 25, 25], dtype="float32"),
            "channel_mask": [True] * 4,
            "unit_id": unit_id,
            "location": [0.0, 0.0],
            "displacement_um": 0.0,
            "cell_type": "recorded",
            "probe": "tetrode",
            "layout": 0,
            "group": "session",
            "peak_position": [0.0, 20.0],
            **geometry.said_in_rows,
        }
        for unit_id in (3, 3, 1, 2, 2)
    ]
    info = describe(geometry, "apache-2.0")
    return Dataset.from_list(rows, features=info.features, info=info, split="train")
