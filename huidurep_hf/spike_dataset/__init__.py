"""Spike datasets: their rows, how they are made of recordings, written, and shared on the hub."""
