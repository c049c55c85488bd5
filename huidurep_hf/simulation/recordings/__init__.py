"""Ground-truth recordings: templates, spike trains and noise."""
