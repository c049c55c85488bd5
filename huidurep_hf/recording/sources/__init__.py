"""What a user gives, as a SpikeInterface recording with a probe."""
