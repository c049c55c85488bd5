"""What contacts and amplifier make of a neuron's currents: its spike waveforms on a probe."""
