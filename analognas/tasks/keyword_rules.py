"""What all keyword tasks share."""

from analognas.tasks.augmentation import RandomShift
from analognas.tasks.base import Limits

FRAMES = 49  # of 20 ms each
LIMITS = Limits(max_cores=64, max_parameters=300_000, max_multiplications=12_000_000)
TIME_SHIFT = RandomShift(height=5, width=0)  # up to 100 ms, as in Warden 2018 (arXiv:1804.03209)
