"""Search spaces: architecture records, generators, encoders and builders of TinyML CNNs."""
