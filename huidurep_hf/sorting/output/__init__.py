"""What a run leaves: the result, its table of units, its report and its provenance."""
