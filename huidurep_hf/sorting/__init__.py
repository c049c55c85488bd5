"""The sorter: a recording in, spike trains out."""
