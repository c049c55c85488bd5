"""The model and the sorter as other libraries know them: transformers, SpikeInterface, ONNX."""
