"""Alert lifecycle, and the parts of alert summaries."""
