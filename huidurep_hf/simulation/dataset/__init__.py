"""The simulated spike dataset."""
