"""From a spike dataset to a checkpoint."""
