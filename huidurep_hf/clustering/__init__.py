"""From features to labels and probabilities."""
