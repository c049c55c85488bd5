"""Teach `transformers` the model type `huidurep` and its two tasks, and the model's classes where checkpoints are."""

from __future__ import annotations

from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForPreTraining, AutoProcessor
from transformers.pipelines import PIPELINE_REGISTRY

from ..hub.checkpoints import resolve_checkpoint
from ..model.configuration_huidurep import HuiduRepConfig
from ..model.embedding_pipeline_huidurep import SpikeEmbeddingPipeline
from ..model.feature_extraction_huidurep import HuiduRepFeatureExtractor
from ..model.modeling_huidurep import HuiduRepModel
from ..model.pretraining_huidurep import HuiduRepForPreTraining
from ..model.resolving_huidurep import CheckpointResolvingMixin
from ..model.sorting_pipeline_huidurep import SpikeSortingPipeline

PIPELINES = {"spike-sorting": SpikeSortingPipeline, "spike-embedding": SpikeEmbeddingPipeline}


def register() -> None:
    """Register all classes; a second call changes nothing."""
    CheckpointResolvingMixin.resolve_checkpoint = staticmethod(resolve_checkpoint)
    AutoConfig.register(HuiduRepConfig.model_type, HuiduRepConfig, exist_ok=True)
    AutoModel.register(HuiduRepConfig, HuiduRepModel, exist_ok=True)
    AutoModelForPreTraining.register(HuiduRepConfig, HuiduRepForPreTraining, exist_ok=True)
    AutoFeatureExtractor.register(HuiduRepConfig, HuiduRepFeatureExtractor, exist_ok=True)
    AutoProcessor.register(HuiduRepConfig, HuiduRepFeatureExtractor, exist_ok=True)
    for task, pipeline_class in PIPELINES.items():
        PIPELINE_REGISTRY.register_pipeline(
            task, pipeline_class=pipeline_class, pt_model=AutoModel, default={"model": ("huidurep/base", "main")}
        )
