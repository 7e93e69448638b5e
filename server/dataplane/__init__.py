"""The hot path: TLS bytes to IP packets to TUN, and back."""
