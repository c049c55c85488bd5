"""What looks like a unit and is none: collisions, noise, remains of others' spikes."""
