"""`pipeline("spike-sorting")`: the sorter in the clothes of a transformers pipeline."""

from transformers import AutoModel, Pipeline
from transformers.pipelines import PIPELINE_REGISTRY

from .parameters import SortingParameters

TASK = "spike-sorting"
SORT_ARGUMENTS = ("output_folder", "overwrite", "progress")


class SpikeSortingPipeline(Pipeline):
    """Sort recordings: `pipeline("spike-sorting", model="huidurep/base")(recording)`.

    A call takes one SpikeInterface recording, or a list of them, and the arguments of
    [`~huidurep_hf.sorting.sorter.SpikeSorter.sort`]; it returns a SpikeInterface sorting, or a list of them.
    `batch_size` is the number of spikes in one pass of the model.
    """

    _load_feature_extractor = True
    _load_tokenizer = False
    _load_image_processor = False
    _load_video_processor = False
    _load_processor = False

    def __call__(self, recording, *, batch_size=None, **kwargs):
        """Sort one recording or a list of recordings; see the class.

        Raises:
            ValueError: unknown parameter, or several recordings for one `output_folder`.
        """
        if batch_size is not None:
            kwargs["spike_batch_size"] = batch_size
        if isinstance(recording, (list, tuple)) and kwargs.get("output_folder") is not None:
            raise ValueError(
                f"Got {len(recording)} recordings and one output_folder; sort them one by one, each to its own folder."
            )
        # Recordings are never batched together; the model's batches are of spikes.
        return super().__call__(recording, batch_size=1, **kwargs)

    def _sanitize_parameters(self, spike_batch_size=None, **kwargs):
        sort_arguments = {name: kwargs.pop(name) for name in SORT_ARGUMENTS if name in kwargs}
        if spike_batch_size is not None:
            kwargs["batch_size"] = spike_batch_size
        # Refuses unknown names here, where the caller can still see them.
        SortingParameters.from_dict(kwargs)
        return {}, {**sort_arguments, **kwargs}, {}

    def preprocess(self, recording):
        """Wrap the recording, which is no tensor."""
        return {"recording": recording}

    def _forward(self, inputs, **kwargs):
        # Here, because the task is registered when huidurep_hf is imported, and SpikeInterface takes seconds to load.

        # Here, because SpikeInterface and pandas are needed only once sorting begins.
        from .sorter import SpikeSorter

        sorter = SpikeSorter(self.model, self.feature_extractor)
        return {"sorting": sorter(inputs["recording"], **kwargs)}

    def postprocess(self, outputs):
        """Return the sorting."""
        return outputs["sorting"]


def register_pipeline():
    """Teach transformers the task "spike-sorting"."""
    PIPELINE_REGISTRY.register_pipeline(
        TASK,
        pipeline_class=SpikeSortingPipeline,
        pt_model=AutoModel,
        default={"model": ("huidurep/base", "main")},
    )
