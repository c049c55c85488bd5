"""A result in the format of another tool: `export_result`."""
