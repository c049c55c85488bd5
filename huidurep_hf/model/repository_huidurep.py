# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""What makes a folder of weights a whole repository, also for those who do not have `huidurep_hf`: code and card."""

import json
import shutil
from pathlib import Path

# Which file of the repository defines what; `trust_remote_code=True` reads these from its JSON files.
MODEL_CODE = {
    "AutoConfig": "configuration_huidurep.HuiduRepConfig",
    "AutoModel": "modeling_huidurep.HuiduRepModel",
    "AutoModelForPreTraining": "pretraining_huidurep.HuiduRepForPreTraining",
}
EXTRACTOR_CODE = {"AutoFeatureExtractor": "feature_extraction_huidurep.HuiduRepFeatureExtractor"}
PIPELINE_CODE = {
    "spike-embedding": "embedding_pipeline_huidurep.SpikeEmbeddingPipeline",
    "spike-sorting": "sorting_pipeline_huidurep.SpikeSortingPipeline",
}
# What a JSON file of a repository may say about code. The installed package has the code and does not listen.
CODE_KEYS = ("auto_map", "custom_pipelines")
IS_INSTALLED = __package__ == "huidurep_hf.model"

CARD = """---
library_name: transformers
pipeline_tag: spike-embedding
tags:
- spike-sorting
- neuroscience
- electrophysiology
- huidurep
---

# HuiduRep spike encoder

It turns extracellular spikes into embeddings that cluster by neuron, and into denoised waveforms. **Nobody has written
down how good these weights are**: no figures, training data or licence are stated. `huidurep card` writes a card with
the figures of `scripts/evaluate.py`.

```python
from transformers import AutoFeatureExtractor, AutoModel

# trust_remote_code is not needed after `import huidurep_hf`
extractor = AutoFeatureExtractor.from_pretrained(FOLDER_OR_NAME, trust_remote_code=True)
model = AutoModel.from_pretrained(FOLDER_OR_NAME, trust_remote_code=True)
features = extractor(waveforms, sampling_rate=30000, channel_positions=positions_um, noise_levels=noise)
embeddings = model(**features).embeddings
```
"""


def list_entry_points():
    """Return the classes that users of a repository start from, apart from those that this file's readers import.

    `transformers` copies a file of a repository together with all that it imports, and no others. These imports make
    every copy whole, so that what is saved from one is a whole repository again.
    """
    from .embedding_pipeline_huidurep import SpikeEmbeddingPipeline
    from .pretraining_huidurep import HuiduRepForPreTraining
    from .sorting_pipeline_huidurep import SpikeSortingPipeline

    return HuiduRepForPreTraining, SpikeEmbeddingPipeline, SpikeSortingPipeline


def write_code(folder):
    """Copy the model's code into a folder; files that are there already are replaced.

    Args:
        folder: `str` or `Path`, exists.
    """
    source = Path(__file__).parent
    if source.resolve() == Path(folder).resolve():
        return
    for path in source.glob("*_huidurep.py"):
        shutil.copyfile(path, Path(folder) / path.name)


def name_code(path, auto_map, pipelines=()):
    """Say in a JSON file which code beside it defines what. Code that is not there is not named.

    Args:
        path: `config.json` or `preprocessor_config.json`.
        auto_map: auto class -> `file.Class`.
        pipelines: task -> `file.Class`.
    """
    path = Path(path)

    def is_there(reference):
        return (path.parent / f"{reference.split('.')[0]}.py").is_file()

    content = {key: value for key, value in json.loads(path.read_text()).items() if key not in CODE_KEYS}
    content["auto_map"] = {name: reference for name, reference in auto_map.items() if is_there(reference)}
    tasks = {
        task: {"impl": reference, "pt": ["AutoModel"]}
        for task, reference in dict(pipelines).items()
        if is_there(reference)
    }
    if tasks:
        content["custom_pipelines"] = tasks
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_first_card(folder):
    """Write a card that says what the weights are and that nothing is known of them, where there is no card."""
    path = Path(folder) / "README.md"
    if not path.exists():
        path.write_text(CARD, encoding="utf-8")
