"""How well units are followed across sessions, ours and its peers, on simulated days with truth."""
