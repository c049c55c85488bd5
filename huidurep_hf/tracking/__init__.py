"""Units followed across sessions."""
