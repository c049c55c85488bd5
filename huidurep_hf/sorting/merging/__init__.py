"""Decide which clusters and units are one neuron, and merge them."""
