"""What comes with the package can be read and says what it is."""

import pytest

from analognas.surrogates import FITTED, LABEL_SETS, find_fitted, load_fitted, load_labels


@pytest.mark.parametrize("name", FITTED)
def test_every_fitted_surrogate_can_be_read_and_found(name: str) -> None:
    described = load_fitted(name).description
    assert described is not None
    found = find_fitted(data_name=described.data_name, split=described.split)
    assert found is not None
    assert find_fitted(data_name="another", split=described.split) is None


@pytest.mark.parametrize("name", LABEL_SETS)
def test_every_label_set_is_valid_and_has_a_card(name: str) -> None:
    table = load_labels(name)
    assert table.card
    assert table.description().architectures >= 1


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="choose one of"):
        load_fitted("nothing")
    with pytest.raises(ValueError, match="choose one of"):
        load_labels("nothing")


def test_unknown_data_have_no_surrogate() -> None:
    assert find_fitted(data_name="folder:nothing", split="random") is None
