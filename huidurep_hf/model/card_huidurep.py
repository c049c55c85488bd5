# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""The first card of saved weights: what they are, and what the card of the weights that they were made from says."""

from __future__ import annotations

from pathlib import Path

import yaml
from huggingface_hub import ModelCard, ModelCardData, try_to_load_from_cache

TAGS = ["spike-sorting", "neuroscience", "electrophysiology", "huidurep"]

TEXT = """
# HuiduRep spike encoder

It turns extracellular spikes into embeddings that cluster by neuron, and into denoised waveforms. {origin}

```python
from transformers import AutoFeatureExtractor, AutoModel

# trust_remote_code is not needed after `import huidurep_hf`
extractor = AutoFeatureExtractor.from_pretrained(FOLDER_OR_NAME, trust_remote_code=True)
model = AutoModel.from_pretrained(FOLDER_OR_NAME, trust_remote_code=True)
features = extractor(waveforms, sampling_rate=30000, channel_positions=positions_um, noise_levels=noise)
embeddings = model(**features).embeddings
```
"""
UNKNOWN = """**Nobody has
written down how good these weights are**: no figures, training data or licence are stated. `huidurep card` writes a
card with the figures of `scripts/evaluate.py`."""
DERIVED = """These weights were
made from {base_model}, by training or by conversion. Licence, datasets and tags are those that its card states; what
was trained on since may ask for others. Its figures are not those of these weights: `huidurep card` writes a card with
the figures of `scripts/evaluate.py`."""


def write_first_card(folder: str | Path, source: str | Path | None = None) -> None:
    """Write a card where there is none.

    Args:
        folder: of the saved weights.
        source: hub name or folder that they were loaded from, whose licence, datasets and tags go into the card; of a
            hub name, the card in the cache is read.
    """
    path = Path(folder) / "README.md"
    if path.exists():
        return
    known = read_card(source)
    base_model = find_base_model(source, known)
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag="spike-embedding",
        license=known.license,
        license_name=known.get("license_name"),
        license_link=known.get("license_link"),
        base_model=base_model,
        datasets=known.datasets,
        tags=list(dict.fromkeys([*(known.tags or []), *TAGS])),
    )
    origin = UNKNOWN if base_model is None else DERIVED.format(base_model=base_model)
    path.write_text(f"---\n{data.to_yaml()}\n---\n{TEXT.format(origin=origin)}", encoding="utf-8")


def read_card(source: str | Path | None) -> ModelCardData:
    """Return what the card of a checkpoint states for machines; nothing where there is none that can be read.

    Args:
        source: folder, or hub name whose card is in the cache.
    """
    if not source:
        return ModelCardData()
    path = Path(source) / "README.md"
    if not path.is_file():
        found = None if Path(source).is_dir() else try_to_load_from_cache(str(source), "README.md")
        path = Path(found) if isinstance(found, str) else None
    try:
        return ModelCard.load(path).data if path else ModelCardData()
    except (OSError, ValueError, yaml.YAMLError):
        # Somebody else's YAML; weights are saved without it, too.
        return ModelCardData()


def find_base_model(source: str | Path | None, known: ModelCardData) -> str | None:
    """Return the hub name of the weights that others were made from: their own, or the one that their card states."""
    if source and not Path(source).exists():
        return str(source)
    if known.model_name and "/" in known.model_name:
        return known.model_name
    return known.base_model
