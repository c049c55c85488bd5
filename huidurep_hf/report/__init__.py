"""Pages and pictures of a result: `write_report`, `write_comparison`, and figures for papers in `plots`."""
