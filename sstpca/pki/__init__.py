"""The authority: what certificates contain, keys, and the files they live in."""
