"""Spikes looked for by templates over the whole recording, and how likely each is of its unit."""
