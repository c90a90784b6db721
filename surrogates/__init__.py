"""Surrogates: predict accuracy under analog noise from tables of features."""
