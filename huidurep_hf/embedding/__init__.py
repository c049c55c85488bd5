"""Embeddings of whole recordings and spike datasets, as tables."""
