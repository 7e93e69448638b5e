"""PPP as a VPN server speaks it to Windows, pppd and Open SSTP Client. No I/O, no clock.

A frame goes this way: :mod:`.link` knows the phase and hands it to LCP (:mod:`.lcp`), the login
(:mod:`.login`) or the :mod:`.network`: IPCP (:mod:`.ipcp`) and IPV6CP (:mod:`.ipv6cp`). LCP, IPCP and
IPV6CP are policies of one :mod:`.negotiation`, which turns packets (:mod:`.frames`,
:mod:`.options`) into events of the :mod:`.automaton` and its actions into packets. The login is :mod:`.chap`, or :mod:`.eap` with its methods
(:mod:`.eap_method`) :mod:`.eap_mschapv2` and :mod:`.eap_tls`; passwords are :mod:`.password`, over
:mod:`.mschapv2`; weaker are :mod:`.chap_md5` and :mod:`.pap`, closed unless they are wished for. What a
client shows (:mod:`.proofs`) is judged (:mod:`.judging`) where the passwords are: in another process. Who
is let in or told what says :mod:`.verdict`, how names and texts are read :mod:`.spelling`, and how long
each of them waits is for :mod:`.patience`.
What the driver is to do comes back as :mod:`.effects`.
"""
