"""PPP: frames, options, the RFC 1661 automaton, LCP, MS-CHAPv2, IPCP; no I/O."""
