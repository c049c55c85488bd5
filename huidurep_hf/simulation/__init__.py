"""Biophysical templates, spike datasets and ground-truth recordings."""
