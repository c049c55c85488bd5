"""From features of spikes to units: numpy in, numpy out."""
