"""Parts of the fidelity benchmark: laws, a second implementation, checks, and their report."""
