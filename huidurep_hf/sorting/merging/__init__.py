"""Which clusters and units are one neuron, and by what two are told from one."""
