"""The encoder outside Python: `torch.export` programs and ONNX files, checked against the model they come from."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.export import Dim

if TYPE_CHECKING:
    import numpy as np

    from ..model.modeling_huidurep import HuiduRepModel

INPUTS = ("waveforms", "channel_positions", "channel_mask")
OUTPUTS = ("embeddings", "denoised_waveforms", "locations")


class _PlainOutput(nn.Module):
    """The model with a tuple of named tensors for an output, which every runtime knows."""

    def __init__(self, model: HuiduRepModel):
        super().__init__()
        self.model = model

    def forward(
        self, waveforms: torch.Tensor, channel_positions: torch.Tensor, channel_mask: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Return the tensors of `OUTPUTS` that the model has."""
        output = self.model(waveforms, channel_positions, channel_mask)
        return tuple(output[name] for name in OUTPUTS if output.get(name) is not None)


def export_program(model: HuiduRepModel) -> torch.export.ExportedProgram:
    """Return the model as a `torch.export` program of any number of spikes and, with channel tokens, of channels.

    Args:
        model: `HuiduRepModel`, float32. Attention is the plain one in the program, whatever the model's is.

    Returns:
        Program of `waveforms` `(num_spikes, window_size, num_channels)`, `channel_positions` and `channel_mask`, in the
        units that the feature extractor gives; it returns `embeddings`, `denoised_waveforms` and, with channel tokens,
        `locations`.
    """
    spikes, channels = Dim("num_spikes", min=1), Dim("num_channels", min=1)
    is_channelwise = model.config.encoder_type == "channel"
    per_channel = {0: spikes, 1: channels} if is_channelwise else {0: spikes}
    shapes = ({0: spikes, 2: channels} if is_channelwise else {0: spikes}, per_channel, per_channel)
    training, attention = model.training, model.config._attn_implementation
    model.eval()
    model.set_attn_implementation("eager")
    try:
        with torch.no_grad():
            return torch.export.export(_PlainOutput(model), _example(model), dynamic_shapes=shapes)
    finally:
        model.train(training)
        model.set_attn_implementation(attention)


def export_onnx(model: HuiduRepModel, path: str | Path) -> float:
    """Write the model as an ONNX file, and run it once to compare.

    Args:
        model: as in [`export_program`].
        path: of the file; inputs and outputs have the names given there.

    Returns:
        Largest deviation of any output on a batch of random spikes, relative to the largest value of that output.

    Raises:
        ImportError: the extra `onnx` is not installed.
        FileExistsError: the path is there.
        ValueError: the file gives other results than the model. It is not left there.
    """
    if Path(path).exists():
        raise FileExistsError(f"{path} exists already; choose another name for the export.")
    try:
        import onnxscript  # noqa: F401
        from onnx.reference import ReferenceEvaluator
    except ImportError as error:
        raise ImportError(
            f"ONNX needs {error.name}, which is not installed: pip install 'huidurep-hf[onnx]'."
        ) from error
    outputs = OUTPUTS if model.config.encoder_type == "channel" else OUTPUTS[:2]
    with warnings.catch_warnings():
        # torch's own exporter copies a class of torch that torch would replace.
        warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
        program = torch.onnx.export(
            export_program(model), dynamo=True, input_names=INPUTS, output_names=outputs, verbose=False
        )
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    try:
        program.save(partial)
        evaluator = ReferenceEvaluator(str(partial))
        deviation = compare(model, lambda inputs: evaluator.run(list(outputs), inputs))
        if not deviation < 1e-3:
            raise ValueError(f"The ONNX file deviates from the model by {deviation:.2g} of the largest value.")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return deviation


def compare(
    model: HuiduRepModel, run: Callable[[dict[str, np.ndarray]], Sequence[np.ndarray]], num_spikes: int = 3
) -> float:
    """Return the largest deviation of a runtime from the model, relative to the largest value of each output.

    Args:
        model: as in [`export_program`].
        run: function of a dict of numpy inputs that returns the outputs, in order.
        num_spikes: in the batch.
    """
    given = _example(model, num_spikes, num_channels=model.config.num_channels, seed=1)
    with torch.no_grad():
        expected = _PlainOutput(model).eval()(*given)
    found = run({name: value.numpy() for name, value in zip(INPUTS, given)})
    return max(float(abs(f - e.numpy()).max() / abs(e.numpy()).max()) for f, e in zip(found, expected, strict=True))


def _example(
    model: HuiduRepModel, num_spikes: int = 2, num_channels: int | None = None, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    num_channels = num_channels or max(2, model.config.num_channels)
    random = torch.Generator().manual_seed(seed)
    waveforms = 5 * torch.randn(num_spikes, model.config.window_size, num_channels, generator=random)
    positions = 30 * torch.randn(num_spikes, num_channels, 2, generator=random)
    mask = torch.ones(num_spikes, num_channels)
    mask[0, -1] = 0
    return waveforms, positions, mask
