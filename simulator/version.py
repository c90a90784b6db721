"""Version of the simulated physics: it changes whenever a number that the simulator gives can change."""

SIMULATOR_VERSION = "1"
