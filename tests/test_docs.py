"""Tests that docs/hub.md names are there. Tables of other pages are what their rows, or the settings, give."""

import ast
import json
import re
import runpy
from pathlib import Path

from huidurep_hf.evaluation.representation.ablation import ablation_table
from huidurep_hf.evaluation.representation.before_and_after import adaptation_table, around_table
from huidurep_hf.evaluation.sorters.benchmark import benchmark_table
from huidurep_hf.evaluation.sorters.benchmark_lead import lead_table
from huidurep_hf.evaluation.sorters.sorter_ablation import sorter_ablation_table
from huidurep_hf.sorting.parameters import SortingParameters

ROOT = Path(__file__).parents[1]


def test_every_test_that_the_table_names_exists_and_slow_ones_are_marked():
    named, path = [], None
    page = (ROOT / "docs" / "hub.md").read_text()
    for file, test, mark in re.findall(r"`(tests/[\w/]+\.py)?::(test_\w+)`( °)?", page):
        path = file or path
        named.append((path, test, bool(mark)))
    assert len(named) > 60
    for path, test, is_marked in named:
        text = (ROOT / path).read_text()
        tests = {node.name: node for node in ast.parse(text).body if hasattr(node, "name")}
        assert test in tests, f"{path}::{test}"
        marks = [ast.unparse(mark) for mark in tests[test].decorator_list]
        is_slow = "pytest.mark.slow" in marks or "pytestmark = pytest.mark.slow" in text
        assert is_slow == is_marked, f"{path}::{test}"


def test_tables_are_what_their_rows_give():
    def rows(name):
        return json.loads((ROOT / "model_cards" / "base" / name).read_text())

    ablation, experiments, benchmark = (
        (ROOT / "docs" / name).read_text() for name in ("ablation.md", "experiments.md", "benchmark.md")
    )
    assert ablation_table(rows("ablation.json")) in ablation
    assert ablation_table(rows("sources.json")) in ablation
    adapted = rows("adaptation.json")["rows"]
    assert adaptation_table(adapted) in ablation and around_table(adapted) in ablation
    assert sorter_ablation_table(rows("sorter_ablation.json")) in experiments
    sorts = rows("benchmark.json")["rows"]
    assert benchmark_table(sorts) in benchmark
    assert lead_table(sorts) in benchmark and lead_table(sorts) in (ROOT / "README.md").read_text()


def test_parameters_are_what_the_settings_give(tmp_path, capsys):
    main = runpy.run_path(str(ROOT / "scripts" / "document_parameters.py"))["main"]
    assert main(["--check"]) == 0, "run scripts/document_parameters.py"
    other = tmp_path / "parameters.md"
    assert main(["--check", "--output", str(other)]) == 1 and "document_parameters.py" in capsys.readouterr().out
    assert main(["--output", str(other)]) == 0 and main(["--check", "--output", str(other)]) == 0
    page = other.read_text()
    for setting in SortingParameters.list_settings():
        mark = r" \*" if setting.metadata["expert"] else ""
        assert page.count(f"| `{setting.name}`{mark} |") == 1, setting.name
