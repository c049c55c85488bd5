"""What the spikes of a unit look like: averaged, cleaned of noise, followed as the tissue moves."""
