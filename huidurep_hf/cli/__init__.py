"""The command `huidurep`."""
