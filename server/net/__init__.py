"""Where the server meets the machine: listener, TLS, TUN, nftables."""
