"""Checkpoints and their cards: those that ship with the package, and what goes to the hub."""
