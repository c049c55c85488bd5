"""Spikes of a prepared recording: detected, aligned, cut."""
