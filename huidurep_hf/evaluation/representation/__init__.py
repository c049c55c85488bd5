"""How good embeddings and denoised waveforms are."""
