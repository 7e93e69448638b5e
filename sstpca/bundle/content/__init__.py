"""What a bundle says: the values that templates see, and how these are filled.

bundle             the values, complete before anything is written
trust              whom the clients of a home have to trust
user_certificate   a user's .p12 file
logo               the organisation's picture
texts, markup      what users read, in their language; the values and marks in it
codes              Windows' error numbers, by what helps
eap                EAP's part of a connection, as Windows' XML
render             fills the templates, with
quoting            the only way for a value into a script, and
plain_name, qr     names for choosy systems, and pictures of text
told               a digest of it, by which it is seen to be out of date
sums               SHA256SUMS
"""
