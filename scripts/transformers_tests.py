"""Run transformers' own common tests of models and configurations on every configuration that ships.

They are in no wheel: give a checkout, or the unpacked source distribution, of the installed version of transformers.
`pip install parameterized` first.

python scripts/transformers_tests.py ../transformers
"""

from __future__ import annotations

import argparse
import sys
import types
import unittest
from pathlib import Path

import torch

from huidurep_hf import HuiduRepConfig, HuiduRepForPreTraining, HuiduRepModel, checkpoint_path

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_decoder_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "num_channels": 6,
    "projection_hidden_size": 16,
}
CONFIGURATIONS = {
    "Base": ("base", {}),
    "Paper": ("paper", {}),
    "BaseMomentumContrast": ("base", {"objective": "momentum_contrast"}),
}
NUM_SPIKES = 4
# The first map of a spike encoder is no table of words; and the library tells base models, which have no loss, by the
# names of its own.
NOT_FOR_US = ("test_model_get_set_embeddings", "test_training")


class Tester:
    """What the common tests ask for: a small model of a shipped configuration, and inputs."""

    is_training = True
    batch_size = NUM_SPIKES

    def __init__(self, name: str, changes: dict[str, str]) -> None:
        shipped = HuiduRepConfig.from_pretrained(checkpoint_path(name)).to_dict()
        self.config = {**shipped, **SMALL, **changes}
        self.hidden_size, self.num_hidden_layers = SMALL["hidden_size"], SMALL["num_hidden_layers"]
        self.num_attention_heads = SMALL["num_attention_heads"]
        config = self.get_config()
        tokens = 6 if config.encoder_type == "channel" else config.window_size
        self.seq_length = (2 if config.fuse_denoised else 1) * tokens

    def get_config(self) -> HuiduRepConfig:
        """Return the configuration."""
        return HuiduRepConfig(**self.config)

    def prepare_config_and_inputs_for_common(self) -> tuple[HuiduRepConfig, dict[str, torch.Tensor]]:
        """Return configuration and inputs."""
        config = self.get_config()
        waveforms = 3 * torch.randn(NUM_SPIKES, config.window_size, config.num_channels)
        return config, {
            "waveforms": waveforms,
            "channel_positions": 30 * torch.randn(NUM_SPIKES, config.num_channels, 2),
        }


def build_case(
    label: str, name: str, changes: dict[str, str], model_mixin: type, config_tester: type
) -> type[unittest.TestCase]:
    """Return a test case of a configuration."""

    def set_up(self: unittest.TestCase) -> None:
        self.model_tester = Tester(name, changes)
        self.config_tester = config_tester(self, config_class=HuiduRepConfig, has_text_modality=False)

    members = {
        "all_model_classes": (HuiduRepModel, HuiduRepForPreTraining),
        "pipeline_model_mapping": {},
        "has_attentions": True,
        "test_resize_embeddings": False,
        "test_can_init_all_missing_weights_before_2023": True,
        "setUp": set_up,
        "test_config": lambda self: self.config_tester.run_common_tests(),
    }
    return type(f"{label}Test", (model_mixin, unittest.TestCase), members)


def main() -> None:
    """Run them; exit code 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="folder of transformers with tests/")
    parser.add_argument("--only", default="", help="tests whose name contains this")
    options = parser.parse_args()
    if not (options.checkout / "tests" / "test_modeling_common.py").is_file():
        sys.exit(f"error: {options.checkout} has no tests/test_modeling_common.py; give a checkout of transformers.")
    # Other packages have installed a `tests`, which would be found first.
    package = sys.modules["tests"] = types.ModuleType("tests")
    package.__path__ = [str(options.checkout / "tests")]
    from tests.test_configuration_common import ConfigTester
    from tests.test_modeling_common import ModelTesterMixin

    suite = unittest.TestSuite()
    for label, (name, changes) in CONFIGURATIONS.items():
        case = build_case(label, name, changes, ModelTesterMixin, ConfigTester)
        names = unittest.defaultTestLoader.getTestCaseNames(case)
        suite.addTests(case(test) for test in names if options.only in test and not test.startswith(NOT_FOR_US))
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
