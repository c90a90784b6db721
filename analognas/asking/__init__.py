"""Questions about a network on changed hardware, answered by the surrogate."""
