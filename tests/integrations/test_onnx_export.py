import pytest
import torch

from huidurep_hf import HuiduRepModel
from huidurep_hf.integrations.onnx_export import INPUTS, compare, export_onnx, export_program

pytestmark = pytest.mark.filterwarnings("error::FutureWarning")

KINDS = {
    "channel": {},
    "channel_attention_fused": {"fuse_denoised": True, "pooling": "attention"},
    "time": {"encoder_type": "time", "num_channels": 6, "norm_first": False, "hidden_act": "relu"},
}


@pytest.fixture
def model(request, build_tiny):
    return build_tiny(HuiduRepModel, num_hidden_layers=1, **KINDS[request.param])


@pytest.mark.slow
@pytest.mark.parametrize("model", KINDS, indirect=True)
def test_a_program_of_any_number_of_spikes_and_channels(model, tmp_path):
    attention = model.config._attn_implementation
    torch.export.save(export_program(model), tmp_path / "model.pt2")
    assert model.config._attn_implementation == attention
    program = torch.export.load(tmp_path / "model.pt2").module()

    def run(inputs):
        with torch.no_grad():
            return [value.numpy() for value in program(*(torch.from_numpy(inputs[name]) for name in INPUTS))]

    for num_spikes in (1, 7):
        assert compare(model, run, num_spikes) < 1e-5
    if model.config.encoder_type == "channel":
        model.config.num_channels = 4
        assert compare(model, run) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("model", ["channel", "time"], indirect=True)
def test_an_onnx_file_of_any_number_of_spikes_and_channels(model, tmp_path):
    pytest.importorskip("onnxscript")
    from onnx.reference import ReferenceEvaluator

    path = tmp_path / "model.onnx"
    assert export_onnx(model, path) < 1e-5
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    evaluator = ReferenceEvaluator(str(path))
    assert tuple(evaluator.input_names) == INPUTS and evaluator.output_names[0] == "embeddings"

    def run(inputs):
        return evaluator.run(None, inputs)

    if model.config.encoder_type == "channel":
        model.config.num_channels = 4
    assert compare(model, run, num_spikes=5) < 1e-5


@pytest.mark.slow
def test_a_file_that_deviates_is_not_left(build_tiny, tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    model = build_tiny(HuiduRepModel, num_hidden_layers=1, num_decoder_layers=0)
    monkeypatch.setattr("huidurep_hf.integrations.onnx_export.compare", lambda *_: float("nan"))
    with pytest.raises(ValueError, match="deviates"):
        export_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
