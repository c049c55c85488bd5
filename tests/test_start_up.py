"""Import and help are there at once: torch, transformers and SpikeInterface come on first use."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "spikeinterface", "pandas", "sklearn")
LOOK = f"import sys; print(sorted(set(sys.modules) & {set(HEAVY)!r}))"


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["sort", "--help"]])
def test_help_needs_nothing_heavy(arguments):
    code = f"""
from huidurep_hf.cli.main import main
try:
    main({arguments!r})
except SystemExit:
    pass
{LOOK}"""
    assert run(code).splitlines()[-1] == "[]"


@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    [
        "import huidurep_hf; from transformers import AutoModel",
        "from huidurep_hf import HuiduRepModel; from transformers import AutoModel",
        "import huidurep_hf, transformers.modeling_layers; from transformers import AutoModel",
    ],
)
def test_transformers_knows_the_model_whatever_is_imported_first(first):
    code = f"{first}; from transformers import AutoConfig; print(AutoConfig.for_model('huidurep').__module__)"
    assert run(code).strip() == "huidurep_hf.model.configuration_huidurep"


def test_spikeinterface_knows_the_sorter_once_its_sorters_are_imported():
    code = f"import huidurep_hf; {LOOK}; import spikeinterface.sorters as s; print('huidurep' in s.available_sorters())"
    assert run(code).splitlines() == ["[]", "True"]
