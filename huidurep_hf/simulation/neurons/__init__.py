"""Neurons: published cell models and random ones of our own, run in NEURON."""
