from dataclasses import FrozenInstanceError, dataclass

import numpy as np
import pytest

from huidurep_hf.settings import Settings, refuse_unknown, setting


@dataclass(frozen=True)
class Kitchen(Settings):
    """Of one stage."""

    heat: float = setting(200.0, "how hot", unit="°C", low=50.0, high=300.0)
    num_eggs: int = setting(2, "how many", low=0)
    num_guests: int | None = setting(None, "who comes; anyone if left out", low=1)
    dish: str = setting("soup", "what", choices=("soup", "cake"), expert=True)


def test_values_become_their_type():
    kitchen = Kitchen(heat=np.int64(180), num_eggs=np.uint8(3), num_guests=np.int32(4), dish=np.str_("cake"))
    assert kitchen == Kitchen(180.0, 3, 4, "cake")
    assert [type(value) for value in kitchen.to_dict().values()] == [float, int, int, str]
    assert Kitchen().to_dict() == {"heat": 200.0, "num_eggs": 2, "num_guests": None, "dish": "soup"}
    with pytest.raises(FrozenInstanceError):
        kitchen.heat = 1.0


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"heat": 20}, ValueError, "heat=20; it must be between 50 and 300"),
        ({"num_eggs": -1}, ValueError, "num_eggs=-1; it must be at least 0"),
        ({"num_guests": 0}, ValueError, "at least 1"),
        ({"heat": float("nan")}, ValueError, "heat=nan; a finite number is needed"),
        ({"heat": np.inf}, ValueError, "a finite number"),
        ({"heat": "hot"}, TypeError, "heat='hot', a str; a number is needed"),
        ({"heat": None}, TypeError, "a NoneType; a number is needed"),
        ({"num_eggs": 2.0}, TypeError, "a float; a whole number is needed"),
        ({"num_eggs": True}, TypeError, "a bool"),
        ({"num_guests": "many"}, TypeError, "a whole number or None is needed"),
        ({"dish": "stew"}, ValueError, "dish='stew'; choose from soup, cake"),
        ({"dish": 3}, TypeError, "an? int; a string is needed"),
    ],
)
def test_wrong_values_are_refused(values, error, message):
    with pytest.raises(error, match=message):
        Kitchen(**values)


def test_the_nearest_name_is_told():
    refuse_unknown(["heat"], ["heat", "dish"])
    with pytest.raises(ValueError, match="'haet'; did you mean 'heat'"):
        refuse_unknown(["dish", "haet"], ["heat", "dish"])
    with pytest.raises(ValueError, match="'xyz'; known are heat, dish"):
        refuse_unknown(["xyz"], ["heat", "dish"])
