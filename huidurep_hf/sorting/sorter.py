"""The sorter: load a model, sort a recording, save the result."""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..dask_cluster import DaskCluster
from ..device import choose_device
from ..hub.checkpoints import resolve_checkpoint
from ..memory import peak_memory_gb
from ..model.feature_extraction_huidurep import HuiduRepFeatureExtractor
from ..model.modeling_huidurep import HuiduRepModel
from ..output_path import check_writable, claim, followed, identity
from ..recording.preprocessing.preparation import check_type
from ..resumable import ResumableWorkers
from ..workers import Workers
from .encoder import SpikeEncoder
from .feasibility import check_sampling_rate, why_no_units
from .fit.reference import FitReference
from .forecast import Forecast, announce, forecast_run
from .output.keeping import keep_elsewhere
from .output.provenance import describe_run, describe_sort
from .output.result import SortingResult, check_output_folder
from .parameters import SortingParameters
from .pipeline import sort_recording
from .run_folder import run_folder, size_gb

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseSorting


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

    def __init__(self, model: HuiduRepModel, feature_extractor: HuiduRepFeatureExtractor):
        self.model = model.eval()
        self.feature_extractor = feature_extractor

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        revision: str | None = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        **hub_kwargs,
    ) -> SpikeSorter:
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
            ValueError: no such device.
        """
        device = choose_device(device)
        # Once for both, so that they come from one place.
        source = resolve_checkpoint(name_or_path, revision=revision, **hub_kwargs)
        model = HuiduRepModel.from_pretrained(source, revision=revision, dtype=dtype or torch.float32, **hub_kwargs)
        feature_extractor = HuiduRepFeatureExtractor.from_pretrained(source, revision=revision, **hub_kwargs)
        logger.info("model: %s on %s", model.config.name_or_path, device)
        return cls(model.to(device), feature_extractor)

    def __call__(self, recording: BaseRecording, **kwargs) -> BaseSorting:
        """Sort a recording and return the sorting alone; arguments as in [`~SpikeSorter.sort`].

        Returns:
            SpikeInterface `NumpySorting` with the recording's segments.
        """
        return self.sort(recording, **kwargs).sorting

    def sort(
        self,
        recording: BaseRecording,
        *,
        parameters: SortingParameters | None = None,
        output_folder: str | Path | None = None,
        overwrite: bool = False,
        keep_noise: bool = False,
        progress: bool = False,
        num_workers: int | None = None,
        scratch_folder: str | Path | None = None,
        dask_scheduler: str | None = None,
        **overrides,
    ) -> SortingResult:
        """Sort a recording.

        A run with an output folder that is stopped, by a kill or an interruption, leaves a folder `.NAME.work` beside
        it, and the same call goes on from there.

        Args:
            recording: SpikeInterface recording: 1 to 384 channels or more, any rate, segments and shanks.
            parameters: [`SortingParameters`]; the defaults if left out.
            output_folder: where the result is saved; nothing is written if left out, or if anything fails. After a
                failure for want of memory or disk the same call goes on, too.
            overwrite: replace an earlier result in that folder.
            keep_noise: keep units whose label is "noise"; without it their spikes are events of no unit. Where a number
                of units is asked for, all are kept.
            progress: show progress bars.
            num_workers: threads that share the work; as many as there are cores if left out. The result is the same
                for any number.
            scratch_folder: where detected peaks lie for the time of the run, and preprocessed traces if they are too
                many for memory; beside the output folder if left out, or where temporary files go.
            dask_scheduler: address of the scheduler of a Dask cluster whose processes share the passes; they must see
                recording and scratch folder at the same paths.
            overrides: parameters by name, in place of `parameters`.

        Returns:
            [`SortingResult`]. A recording without spikes gives one without units.

        Raises:
            TypeError, ValueError: a recording or parameter that cannot be used; the message says what to do.
            FileExistsError: the output folder is there and `overwrite` is not set; or another run is writing it.
            OSError: the output folder cannot be made; or the result could not be saved there, and the message says
                where it is kept.
        """
        if parameters is not None and overrides:
            raise TypeError("Give parameters=SortingParameters(...) or single parameters by name, not both.")
        parameters = parameters or SortingParameters.from_dict(overrides)
        check_type(recording)
        check_sampling_rate(recording)
        output = None if output_folder is None else followed(output_folder)
        if output is not None:
            check_writable(output)
        with nullcontext() if output is None else claim(output):
            if output is not None:
                check_output_folder(output, overwrite)
            replaced = None if output is None else identity(output)
            description = describe_run(recording, self.model, parameters)
            # A wrong number is refused before scratch files of a stopped run are touched.
            num_threads = Workers(num_workers).num_workers
            start, failure = time.perf_counter(), None
            with (
                nullcontext() if dask_scheduler is None else DaskCluster(dask_scheduler) as cluster,
                run_folder(output, scratch_folder, description) as (scratch, parts),
            ):
                if cluster is not None:
                    num_threads = cluster.num_threads
                forecast = forecast_run(recording, parameters, num_threads)
                announce(forecast, scratch)
                found = sort_recording(
                    recording,
                    SpikeEncoder(self.model, self.feature_extractor),
                    parameters,
                    workers=ResumableWorkers(num_workers, parts, cluster, progress=progress),
                    scratch_folder=scratch,
                    progress=progress,
                    fit_reference=FitReference.of_model(description["model"]["weights_sha256"]),
                )
                used = Forecast(time.perf_counter() - start, peak_memory_gb(), size_gb(scratch))
                provenance = {
                    **description,
                    "keep_noise": keep_noise,
                    **describe_sort(found),
                    "forecast": forecast.to_dict(),
                    "used": used.to_dict(),
                }
                logger.info("used: %s", used)
                # While the traces are there.
                is_kept = keep_noise or parameters.num_units is not None
                result = SortingResult.from_events(recording, found, provenance, keep_noise=is_kept)
                if len(result.templates) == 0:
                    sentence = why_no_units(found.prepared, parameters, result.provenance["counts"])
                    logger.warning("%s", sentence)
                    result.provenance["no_units"] = sentence
                if output is not None:
                    try:
                        # A folder that somebody has made meanwhile is not the one that may be replaced.
                        result.save(output, overwrite=overwrite and identity(output) == replaced)
                    except Exception as error:
                        failure = error
            if failure is not None:
                # Scratch files are gone, and there is more room.
                keep_elsewhere(result.save, failure, (output.parent, scratch_folder))
        return result
