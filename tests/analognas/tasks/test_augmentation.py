import torch

from analognas.tasks.augmentation import RandomShift, ShiftAndFlip, ShiftAndMask


def generator(device: torch.device, seed: int = 0) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


def test_every_shift_is_reached_and_fills_with_the_background(device: torch.device) -> None:
    inputs = torch.arange(1.0, 7.0, device=device).view(1, 1, 6, 1).expand(400, 2, 6, 1)
    shifted = RandomShift(height=2, width=0, fill=-1.0)(inputs, generator(device))
    assert shifted.shape == inputs.shape
    assert {tuple(clip[0, :, 0].tolist()) for clip in shifted} == {
        (3, 4, 5, 6, -1, -1),
        (2, 3, 4, 5, 6, -1),
        (1, 2, 3, 4, 5, 6),
        (-1, 1, 2, 3, 4, 5),
        (-1, -1, 1, 2, 3, 4),
    }
    assert torch.equal(shifted[:, 0], shifted[:, 1])  # channels stay together


def test_both_directions_are_shifted(device: torch.device) -> None:
    inputs = torch.zeros(200, 1, 3, 3, device=device)
    inputs[:, :, 1, 1] = 1.0
    shifted = RandomShift(height=1, width=1)(inputs, generator(device))
    assert {tuple(place) for place in shifted[:, 0].nonzero()[:, 1:].tolist()} == {
        (row, column) for row in range(3) for column in range(3)
    }


def test_the_same_seed_gives_the_same_bits_and_the_input_stays(device: torch.device) -> None:
    inputs = torch.rand(8, 1, 49, 10, generator=generator(device), device=device)
    before = inputs.clone()
    first, same, other = (RandomShift(5, 0)(inputs, generator(device, seed)) for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(inputs, before)


def test_a_shift_by_nothing_changes_nothing(device: torch.device) -> None:
    inputs = torch.rand(3, 1, 4, 4, generator=generator(device), device=device)
    assert torch.equal(RandomShift(0, 0)(inputs, generator(device)), inputs)


def test_masks_hide_neighbouring_coefficients_for_the_whole_clip(device: torch.device) -> None:
    inputs = torch.ones(500, 1, 6, 10, device=device)
    masked = ShiftAndMask(RandomShift(0, 0), columns=2)(inputs, generator(device))
    hidden = masked[:, 0] == 0
    assert torch.equal(hidden, hidden[:, :1].expand_as(hidden))
    columns = [tuple(row.nonzero().flatten().tolist()) for row in hidden[:, 0]]
    assert set(columns) == {
        (),
        *((index,) for index in range(10)),
        *((index, index + 1) for index in range(9)),
    }


def test_masks_come_after_the_shift(device: torch.device) -> None:
    inputs = torch.rand(20, 1, 49, 10, generator=generator(device), device=device) + 1
    shift = RandomShift(5, 0)
    masked = ShiftAndMask(shift, columns=2)(inputs, generator(device, 4))
    shifted = shift(inputs, generator(device, 4))
    assert torch.equal(masked[masked != 0], shifted[masked != 0])
    assert not torch.equal(masked, shifted)


def test_half_of_the_inputs_are_mirrored_from_left_to_right(device: torch.device) -> None:
    inputs = torch.arange(1.0, 4.0, device=device).expand(400, 2, 3, 3)
    changed = ShiftAndFlip(RandomShift(0, 0))(inputs, generator(device))
    rows = [tuple(image[0, 0].tolist()) for image in changed]
    assert set(rows) == {(1, 2, 3), (3, 2, 1)}
    assert 150 < rows.count((3, 2, 1)) < 250
    assert torch.equal(changed[:, :1].expand_as(changed), changed)  # channels stay together


def test_mirrored_inputs_are_shifted_too(device: torch.device) -> None:
    inputs = torch.zeros(400, 1, 3, 3, device=device)
    inputs[:, :, 1, 0] = 1.0
    changed = ShiftAndFlip(RandomShift(height=1, width=0))(inputs, generator(device))
    assert {tuple(place) for place in changed[:, 0].nonzero()[:, 1:].tolist()} == {
        (row, column) for row in range(3) for column in (0, 2)
    }
