"""Energy of an array from what its cells hold and what its rows carry."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArrayActivity:
    """Averages over one layer.

    A cell dissipates `V^2 G t` while it is read, so that these two averages give the energy of the
    array as long as conductances and inputs are not correlated.
    """

    mean_conductance_uS: float  # of a weight with all its cells, over all weights of its tiles
    mean_squared_drive: float  # of (voltage / read voltage)^2, over rows and the whole conversion

    def __post_init__(self) -> None:
        if not self.mean_conductance_uS >= 0:
            raise ValueError(
                "`mean_conductance_uS` must be at least 0, but got "
                f"{self.mean_conductance_uS}. Add up the conductances of a weight, without sign."
            )
        if not 0 <= self.mean_squared_drive <= 1:
            raise ValueError(
                "`mean_squared_drive` must be a fraction of the squared read voltage, from 0 to 1, "
                f"but got {self.mean_squared_drive}. For pulse-width inputs in [-1, 1] it is the "
                "mean of |x|, for amplitudes the mean of x^2."
            )

    def cell_nJ(self, *, read_voltage_V: float, t_ns: float) -> float:
        """Mean energy of one weight in one conversion: `V^2 G t`."""
        power_uW = read_voltage_V**2 * self.mean_conductance_uS * self.mean_squared_drive
        return power_uW * t_ns * 1e-6  # uW x ns = fJ
