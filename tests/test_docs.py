"""docs/hub.md names tests; they are there. docs/ablation.md shows the table that its file of rows gives."""

import json
import re
from pathlib import Path

from huidurep_hf.evaluation.ablation import ablation_table

ROOT = Path(__file__).parents[1]


def test_every_test_that_the_table_names_exists():
    named, path = [], None
    for file, test in re.findall(r"`(tests/[\w/]+\.py)?::(test_\w+)`", (ROOT / "docs" / "hub.md").read_text()):
        path = file or path
        named.append((path, test))
    assert len(named) > 60
    for path, test in named:
        assert f"def {test}(" in (ROOT / path).read_text(), f"{path}::{test}"


def test_the_table_of_the_ablation_is_what_its_rows_give():
    rows = json.loads((ROOT / "model_cards" / "base" / "ablation.json").read_text())
    assert ablation_table(rows) in (ROOT / "docs" / "ablation.md").read_text()
