"""HuiduRep: representations of extracellular spikes, and the spike sorter built on them.

Importing this package teaches `transformers` the model type `huidurep`, so that `AutoModel.from_pretrained`,
`pipeline("spike-sorting")` and `pipeline("spike-embedding")` know it. SpikeInterface and its kin are imported only when
sorting begins.
"""

from importlib import import_module

from .former_modules import find_former_modules
from .hub.checkpoints import checkpoint_path, install_checkpoints, list_checkpoints, resolve_checkpoint
from .integrations.registration import register
from .model.configuration_huidurep import HuiduRepConfig
from .model.feature_extraction_huidurep import HuiduRepFeatureExtractor
from .model.modeling_huidurep import HuiduRepModel
from .model.pretraining_huidurep import HuiduRepForPreTraining
from .model.resolving_huidurep import CheckpointResolvingMixin

__version__ = "0.1.0"

CheckpointResolvingMixin.resolve_checkpoint = staticmethod(resolve_checkpoint)
register()
find_former_modules()

# Loaded on first use: sorting needs the extra `sorting`.
_LAZY = {
    "SortingParameters": ".sorting.parameters",
    "SpikeSorter": ".sorting.sorter",
    "as_recording": ".recording.sources.given",
    "track_units": ".tracking",
    "unit_fingerprints": ".tracking",
}

__all__ = [
    "HuiduRepConfig",
    "HuiduRepFeatureExtractor",
    "HuiduRepForPreTraining",
    "HuiduRepModel",
    "checkpoint_path",
    "install_checkpoints",
    "list_checkpoints",
    *_LAZY,
]


def __getattr__(name: str):
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)
