"""What travels to the hub: configuration, feature extractor, model and pretraining head."""
