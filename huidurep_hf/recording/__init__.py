"""From a SpikeInterface recording to spike waveforms."""
