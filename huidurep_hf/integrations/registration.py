"""Teach `transformers` the model type `huidurep` and its two tasks, and SpikeInterface the sorter "huidurep"."""

import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.util import find_spec

from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForPreTraining
from transformers.pipelines import PIPELINE_REGISTRY

from ..model.configuration_huidurep import HuiduRepConfig
from ..model.embedding_pipeline_huidurep import SpikeEmbeddingPipeline
from ..model.feature_extraction_huidurep import HuiduRepFeatureExtractor
from ..model.modeling_huidurep import HuiduRepModel
from ..model.pretraining_huidurep import HuiduRepForPreTraining
from ..model.sorting_pipeline_huidurep import SpikeSortingPipeline

SORTERS_MODULE = "spikeinterface.sorters"
PIPELINES = {"spike-sorting": SpikeSortingPipeline, "spike-embedding": SpikeEmbeddingPipeline}


def register():
    """Register all classes; a second call changes nothing."""
    AutoConfig.register(HuiduRepConfig.model_type, HuiduRepConfig, exist_ok=True)
    AutoModel.register(HuiduRepConfig, HuiduRepModel, exist_ok=True)
    AutoModelForPreTraining.register(HuiduRepConfig, HuiduRepForPreTraining, exist_ok=True)
    AutoFeatureExtractor.register(HuiduRepConfig, HuiduRepFeatureExtractor, exist_ok=True)
    for task, pipeline_class in PIPELINES.items():
        PIPELINE_REGISTRY.register_pipeline(
            task, pipeline_class=pipeline_class, pt_model=AutoModel, default={"model": ("huidurep/base", "main")}
        )
    if SORTERS_MODULE in sys.modules:
        _register_sorter()
    elif not any(isinstance(finder, _SortersWatcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _SortersWatcher())


class _SortersWatcher(MetaPathFinder):
    """Waits until SpikeInterface's sorters are imported: importing them for everybody would take seconds."""

    def find_spec(self, fullname, path=None, target=None):
        """Let the usual finders find the module, and have the sorter registered once it is there."""
        if fullname != SORTERS_MODULE:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module):
                execute(module)
                _register_sorter()

            spec.loader.exec_module = execute_and_register
        return spec


def _register_sorter():
    # It registers itself, also if it is imported before SpikeInterface's sorters.
    import_module(".spikeinterface_sorter", __package__)
