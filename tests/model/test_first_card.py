"""What is saved or pushed says what it was made from, and under which licence."""

import pytest
from huggingface_hub import ModelCard

from huidurep_hf import HuiduRepForPreTraining, HuiduRepModel
from huidurep_hf.model.card_huidurep import write_first_card


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A model that was trained further: `huidurep/base`, saved."""
    folder = tmp_path_factory.mktemp("tuned")
    HuiduRepForPreTraining.from_pretrained("huidurep/base").save_pretrained(folder)
    return folder


def test_licence_and_base_model_are_carried(tuned):
    card = ModelCard.load(tuned / "README.md")
    assert (card.data.license, card.data.base_model) == ("apache-2.0", "huidurep/base")
    assert card.data.pipeline_tag == "spike-embedding" and "spike-sorting" in card.data.tags
    assert card.data.eval_results is None and "Its figures are not those of these weights" in card.content


def test_also_through_a_folder(tuned, tmp_path):
    card = ModelCard.load(tuned / "README.md")
    card.data.datasets, card.data.tags = ["lab/spikes"], ["mouse"]
    card.data.license, card.data.license_name, card.data.license_link = "other", "of-the-lab", "LICENSE.md"
    card.save(tuned / "README.md")
    HuiduRepModel.from_pretrained(tuned).save_pretrained(tmp_path)
    carried = ModelCard.load(tmp_path / "README.md").data
    assert (carried.license, carried.license_name, carried.base_model) == ("other", "of-the-lab", "huidurep/base")
    assert carried.datasets == ["lab/spikes"] and carried.tags[0] == "mouse" and "neuroscience" in carried.tags


def test_new_weights_say_that_nothing_is_known(tmp_path, build_tiny):
    build_tiny(HuiduRepModel).save_pretrained(tmp_path)
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.license is None and card.data.base_model is None and "Nobody has\nwritten down" in card.content


def test_a_card_that_is_there_stays_and_a_broken_one_is_passed_over(tmp_path):
    (tmp_path / "README.md").write_text("---\nlicense: [\n---\nbroken")
    write_first_card(tmp_path, "huidurep/base")
    assert (tmp_path / "README.md").read_text().endswith("broken")
    (tmp_path / "new").mkdir()
    write_first_card(tmp_path / "new", tmp_path)
    assert ModelCard.load(tmp_path / "new" / "README.md").data.base_model is None
