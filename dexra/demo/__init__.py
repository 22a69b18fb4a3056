"""A small lively workspace to look at: what people said, playing it, and clearing it away."""
