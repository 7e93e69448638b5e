"""Addresses that a server can be reached by, for property tests."""

from hypothesis import strategies as st

_NETWORKS = (
    *("1.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/8", "223.0.0.0/8"),
    *("64:ff9b::/96", "2000::/3", "fc00::/7", "fe80::/10"),
)

addresses = st.sampled_from(_NETWORKS).flatmap(lambda network: st.ip_addresses(network=network))
