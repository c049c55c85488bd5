"""How good sorters are, ours and its peers."""
