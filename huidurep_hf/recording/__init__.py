"""From a SpikeInterface recording to spike waveforms: prepare, detect, cut."""
