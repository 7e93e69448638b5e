"""[MS-SSTP]: the HTTP preamble, the packets, the call and its crypto binding; no I/O."""
