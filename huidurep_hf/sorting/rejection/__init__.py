"""Reject false units: collisions, noise, and residuals of other units' spikes."""
