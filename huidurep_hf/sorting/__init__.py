"""The sorter: from a recording to sorted spike trains in a result folder."""
