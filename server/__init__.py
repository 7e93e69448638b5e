"""The SSTP server."""
