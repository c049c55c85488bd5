"""HuiduRep: representations of extracellular spikes, and the spike sorter built on them."""

__version__ = "0.1.0"
