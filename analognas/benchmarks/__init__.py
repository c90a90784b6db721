"""Benchmark tables: searched networks against baselines at equal cost."""
