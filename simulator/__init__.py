"""Crossbar simulator: turn a PyTorch model into its analog twin."""
