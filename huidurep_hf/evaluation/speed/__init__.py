"""How fast, and with how much memory: the sorter and its peers, long and dense recordings, the embedding of spikes."""
