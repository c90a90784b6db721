"""Version of the simulated physics: it changes when any number can change."""

SIMULATOR_VERSION = "2"
