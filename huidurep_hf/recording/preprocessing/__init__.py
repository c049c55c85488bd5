"""From any recording to filtered and whitened traces whose noise is known."""
