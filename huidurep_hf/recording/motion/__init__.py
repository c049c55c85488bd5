"""The motion of tissue along the probe: found, followed, and taken out of the traces."""
