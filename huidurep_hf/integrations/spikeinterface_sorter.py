"""Our sorter as one of SpikeInterface's: `run_sorter("huidurep", recording, folder=...)`, `SorterStudy` and others."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from spikeinterface.sorters import BaseSorter
from spikeinterface.sorters.sorterlist import sorter_dict, sorter_full_list

from ..sorting.parameters import SortingParameters

if TYPE_CHECKING:
    from pathlib import Path

    from spikeinterface.core import BaseRecording, BaseSorting

RESULT_FOLDER = "result"


class HuiduRepSorter(BaseSorter):
    """HuiduRep for SpikeInterface; parameters are those of [`SortingParameters`] and `model`.

    The whole result, with events, embeddings and provenance, lies in `sorter_output/result` of the folder.
    `huidurep report` writes its page.
    There is no container image: `run_sorter` with `docker_image=True` fails as it does for any sorter without one.
    """

    sorter_name = "huidurep"
    requires_locations = False
    gpu_capability = "nvidia-optional"
    requires_binary_data = False
    handle_multi_segment = True
    sorter_description = (
        "HuiduRep sorts spikes by a self-supervised representation of them, which tells neurons apart under noise, "
        "overlap and drift, and by template matching with the units found. See https://arxiv.org/abs/2507.17224."
    )
    installation_mesg = 'pip install "huidurep-hf[sorting]" and `import huidurep_hf`'

    _default_params = {"model": "huidurep/base", **SortingParameters().to_dict()}
    _params_description = {
        "model": "checkpoint: hub name or folder",
        **{parameter.name: parameter.metadata["description"] for parameter in SortingParameters.list_settings()},
    }

    @classmethod
    def is_installed(cls) -> bool:
        """Whether it can run: where this class is, the sorter is."""
        return True

    @classmethod
    def get_sorter_version(cls) -> str:
        """Return the package's version."""
        return version("huidurep-hf")

    @classmethod
    def _check_params(cls, recording: BaseRecording, output_folder: Path, params: dict[str, Any]) -> dict[str, Any]:
        _split(params)
        return params

    @classmethod
    def _check_apply_filter_in_params(cls, params: dict[str, Any]) -> bool:
        return True

    @classmethod
    def _setup_recording(
        cls, recording: BaseRecording, sorter_output_folder: Path, params: dict[str, Any], verbose: bool
    ) -> None:
        # The recording is read where it lies.
        pass

    @classmethod
    def _run_from_folder(cls, sorter_output_folder: Path, params: dict[str, Any], verbose: bool) -> None:
        from ..sorting.sorter import SpikeSorter

        model, parameters = _split(params)
        recording = cls.load_recording_from_folder(sorter_output_folder.parent)
        result_folder = sorter_output_folder / RESULT_FOLDER
        SpikeSorter.from_pretrained(model).sort(
            recording, parameters=parameters, output_folder=result_folder, progress=verbose
        )

    @classmethod
    def _get_result_from_folder(cls, sorter_output_folder: Path) -> BaseSorting:
        from ..sorting.output.result import SortingResult

        return SortingResult.load(sorter_output_folder / RESULT_FOLDER).sorting


def _split(params: dict[str, Any]) -> tuple[str | Path, SortingParameters]:
    """The checkpoint, and the parameters of the method, checked."""
    return params["model"], SortingParameters.from_dict({name: params[name] for name in params if name != "model"})


if HuiduRepSorter.sorter_name not in sorter_dict:
    sorter_full_list.append(HuiduRepSorter)
    sorter_dict[HuiduRepSorter.sorter_name] = HuiduRepSorter
