"""Short programs that use the search with something of one's own; copy and change them.

Each runs as it is, for example with `python -m analognas.examples.own_space`.
"""
