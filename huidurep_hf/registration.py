"""Teach `transformers` the model type `huidurep` and the tasks "spike-sorting" and "spike-embedding"."""

from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForPreTraining
from transformers.pipelines import PIPELINE_REGISTRY

from .model.configuration_huidurep import HuiduRepConfig
from .model.embedding_pipeline_huidurep import SpikeEmbeddingPipeline
from .model.feature_extraction_huidurep import HuiduRepFeatureExtractor
from .model.modeling_huidurep import HuiduRepModel
from .model.pretraining_huidurep import HuiduRepForPreTraining
from .model.sorting_pipeline_huidurep import SpikeSortingPipeline

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
