"""sstpca: a certificate authority, client bundles and a VPN server for SSTP."""

__version__ = "0.1.0"
