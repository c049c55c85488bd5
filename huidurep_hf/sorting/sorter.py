"""The sorter: a recording goes in, sorted spike trains come out. This file reads like the path between them."""

import dataclasses
import logging
import time
from contextlib import contextmanager

import numpy as np
import torch

from ..hub.checkpoints import resolve_checkpoint
from ..model.feature_extraction_huidurep import HuiduRepFeatureExtractor
from ..model.modeling_huidurep import HuiduRepModel
from ..recording.motion.following import check_motion, follow_motion
from ..recording.preprocessing.preparation import prepare
from ..recording.preprocessing.whitening import whiten
from ..recording.spikes.detection import check_sign, detect
from .clustering.clusters import find_clusters
from .embedded_spikes import embed_spikes
from .output.provenance import describe_run
from .output.result import SortingResult, check_output_folder
from .parameters import SortingParameters
from .units import find_units

logger = logging.getLogger("huidurep_hf")


class SpikeSorter:
    """Sort recordings with a HuiduRep model.

    Args:
        model: HuiduRep model, on the device and in the precision it is to run with.
        feature_extractor: its feature extractor.

    Example:

    ```python
    >>> from huidurep_hf import SpikeSorter

    >>> sorter = SpikeSorter.from_pretrained("huidurep/base")  # doctest: +SKIP
    >>> sorting = sorter(recording)  # doctest: +SKIP

    ```
    """

    def __init__(self, model, feature_extractor):
        self.model = model.eval()
        self.feature_extractor = feature_extractor

    @classmethod
    def from_pretrained(cls, name_or_path, *, revision=None, device=None, dtype=None, **hub_kwargs):
        """Load model and feature extractor from a folder, the Hub, its cache or this package.

        Args:
            name_or_path: hub name such as "huidurep/base", or a folder.
            revision: branch, tag or commit.
            device: where the model runs; a GPU where there is one if left out.
            dtype: precision of the model; float32 if left out.
            hub_kwargs: such as `cache_dir`, `token`, `local_files_only`.

        Returns:
            [`SpikeSorter`].

        Raises:
            OSError: no checkpoint of that name.
        """
        if device is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
        # Once for both, so that they come from one place.
        source = resolve_checkpoint(name_or_path, revision=revision, **hub_kwargs)
        model = HuiduRepModel.from_pretrained(source, revision=revision, dtype=dtype or torch.float32, **hub_kwargs)
        feature_extractor = HuiduRepFeatureExtractor.from_pretrained(source, revision=revision, **hub_kwargs)
        logger.info("model: %s on %s", model.config.name_or_path, device)
        return cls(model.to(device), feature_extractor)

    def __call__(self, recording, **kwargs):
        """Sort a recording and return the sorting alone; arguments as in [`~SpikeSorter.sort`].

        Returns:
            SpikeInterface `NumpySorting` with the recording's segments.
        """
        return self.sort(recording, **kwargs).sorting

    @torch.no_grad()
    def sort(
        self, recording, *, parameters=None, output_folder=None, overwrite=False, progress=False, **overrides
    ) -> SortingResult:
        """Sort a recording.

        Args:
            recording: SpikeInterface recording: 1 to 384 channels or more, any rate, segments and shanks.
            parameters: [`SortingParameters`]; the defaults if left out.
            output_folder: where the result is saved; nothing is written if left out, or if anything fails.
            overwrite: replace an earlier result in that folder.
            progress: show progress bars.
            overrides: parameters by name, in place of `parameters`.

        Returns:
            [`SortingResult`]. A recording without spikes gives one without units.

        Raises:
            TypeError, ValueError: a recording or parameter that cannot work; the message says what to do.
            FileExistsError: the output folder is there and `overwrite` is not set.
        """
        if parameters is not None and overrides:
            raise TypeError("Give parameters=SortingParameters(...) or single parameters by name, not both.")
        parameters = parameters or SortingParameters.from_dict(overrides)
        if output_folder is not None:
            check_output_folder(output_folder, overwrite)
        seconds = {}
        prepared, peaks, spikes = self._find_spikes(recording, parameters, seconds, progress)
        with _timed(seconds, "whiten"):
            whitened = self._whiten(prepared, parameters) if len(peaks) else prepared
            # From here on the traces as recorded serve whitened only.
            prepared = dataclasses.replace(prepared, unmoved=None)
        with _timed(seconds, "cluster"):
            clusters = find_clusters(spikes, peaks, whitened, parameters)
            logger.info("cluster: %d clusters", clusters.labels.max(initial=-1) + 1)
        with _timed(seconds, "match"):
            units = find_units(clusters, peaks, prepared, whitened, parameters)
            logger.info("match: %d units", len(units.templates))
        with _timed(seconds, "embed matched"):
            is_added = units.detected < 0
            added = self._embed(prepared, units.peaks[is_added], parameters, progress)
            rows = np.where(is_added, len(peaks) + np.cumsum(is_added) - 1, units.detected)
            spikes = spikes.reordered(added, rows)
        provenance = describe_run(recording, prepared, self, parameters, seconds)
        result = SortingResult.from_events(recording, prepared, spikes, units, provenance)
        if output_folder is not None:
            result.save(output_folder, overwrite=overwrite)
        return result

    def _find_spikes(self, recording, parameters, seconds, progress):
        """The prepared recording, its motion followed; its peaks; their embeddings."""
        with _timed(seconds, "prepare"):
            prepared = _prepare(recording, parameters)
            check_motion(prepared, parameters.motion)
            check_sign(prepared, **_of_detection(parameters))
        peaks, spikes = self._detect_and_embed(prepared, parameters, seconds, progress)
        with _timed(seconds, "motion"):
            prepared = self._follow_motion(prepared, peaks, spikes, parameters)
        if prepared.motion is not None:
            # What was found tells where the tissue was; the spikes themselves are looked for where it is at rest.
            peaks, spikes = self._detect_and_embed(prepared, parameters, seconds, progress)
        return prepared, peaks, spikes

    def _detect_and_embed(self, prepared, parameters, seconds, progress):
        with _timed(seconds, "detect"):
            peaks = _detect(prepared, parameters)
            logger.info("detect: %d peaks", len(peaks))
        with _timed(seconds, "embed"):
            return peaks, self._embed(prepared, peaks, parameters, progress)

    def _embed(self, prepared, peaks, parameters, progress):
        return embed_spikes(
            self.model, self.feature_extractor, prepared, peaks, batch_size=parameters.batch_size, progress=progress
        )

    def _follow_motion(self, prepared, peaks, spikes, parameters):
        return follow_motion(prepared, peaks, spikes.locations_um, parameters.motion, seed=parameters.seed)

    def _whiten(self, prepared, parameters):
        return whiten(prepared, seed=parameters.seed)


def _prepare(recording, parameters):
    return prepare(
        recording,
        freq_min_hz=parameters.freq_min_hz,
        freq_max_hz=parameters.freq_max_hz,
        min_channels_for_reference=parameters.min_channels_for_reference,
        artifact_threshold=parameters.artifact_threshold,
        seed=parameters.seed,
    )


def _detect(prepared, parameters):
    return detect(prepared, **_of_detection(parameters))


def _of_detection(parameters):
    return {
        "threshold": parameters.detect_threshold,
        "peak_sign": parameters.peak_sign,
        "radius_um": parameters.detect_radius_um,
        "exclude_sweep_ms": parameters.exclude_sweep_ms,
    }


@contextmanager
def _timed(seconds, stage):
    start = time.perf_counter()
    yield
    # A stage that is gone through twice has one sum.
    seconds[stage] = round(seconds.get(stage, 0.0) + time.perf_counter() - start, 3)
    logger.info("%s: %.1f s", stage, seconds[stage])
