"""Version of the simulated laws: it changes when the mean or the spread of any number can change.

Drawing the same laws in another order or from another generator does not change it.
"""

SIMULATOR_VERSION = "1"
