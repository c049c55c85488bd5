import pytest

from huidurep_hf import HuiduRepConfig


def test_round_trip_through_json(tmp_path):
    config = HuiduRepConfig(hidden_size=32, fuse_denoised=True, temperature=1)
    config.save_pretrained(tmp_path)
    assert HuiduRepConfig.from_pretrained(tmp_path).to_dict() == config.to_dict()


def test_num_samples_is_the_window_size():
    assert HuiduRepConfig(window_size=90).num_samples == 90


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"encoder_type": "space"}, "encoder_type is 'space'"),
        ({"pooling": "max"}, "pooling is 'max'"),
        ({"origin": "soma"}, "origin is 'soma'"),
        ({"origin": "center_of_mass", "encoder_type": "time"}, "does not see where contacts lie"),
        ({"objective": "moco"}, "objective is 'moco'"),
        ({"hidden_size": 30}, "multiple of num_attention_heads"),
        ({"peak_sample": 72}, "outside the window"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"hidden_size": 10**9}, "hidden_size is 1000000000"),
        ({"num_hidden_layers": 10**6}, "num_hidden_layers is 1000000"),
        ({"num_decoder_layers": -1}, "num_decoder_layers is -1"),
    ],
)
def test_impossible_or_absurd_values_are_refused(fields, message):
    with pytest.raises(Exception, match=message):
        HuiduRepConfig(**fields)
