"""HuiduRep: representations of extracellular spikes, and the spike sorter built on them.

Importing this package teaches `transformers` the model type `huidurep`, so that `AutoModel.from_pretrained`,
`pipeline("spike-sorting")` and `pipeline("spike-embedding")` know it, and SpikeInterface the sorter "huidurep". Torch,
transformers, SpikeInterface and their kin are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .former_modules import find_former_modules
from .integrations.on_import import OnImport

__version__ = "0.1.0"

# Loaded on first use; sorting needs the extra `sorting`.
_LAZY = {
    "HuiduRepConfig": ".model.configuration_huidurep",
    "HuiduRepFeatureExtractor": ".model.feature_extraction_huidurep",
    "HuiduRepForPreTraining": ".model.pretraining_huidurep",
    "HuiduRepModel": ".model.modeling_huidurep",
    "SortingParameters": ".sorting.parameters",
    "SpikeSorter": ".sorting.sorter",
    "as_recording": ".recording.sources.given",
    "track_units": ".tracking",
    "unit_fingerprints": ".tracking",
    "checkpoint_path": ".hub.checkpoints",
    "install_checkpoints": ".hub.checkpoints",
    "list_checkpoints": ".hub.checkpoints",
}

__all__ = list(_LAZY)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)


def _register_with_transformers() -> None:
    import_module(".integrations.registration", __name__).register()


def _register_with_spikeinterface() -> None:
    # It registers itself when it is imported.
    import_module(".integrations.spikeinterface_sorter", __name__)


find_former_modules()
OnImport(
    ("transformers.models.auto.configuration_auto", f"{__name__}.model.resolving_huidurep"),
    ("transformers", __name__),
    _register_with_transformers,
).install()
OnImport(("spikeinterface.sorters",), ("spikeinterface",), _register_with_spikeinterface).install()
