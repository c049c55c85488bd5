"""A person's decisions about the units of a result, in SpikeInterface's curation format, and what follows."""
