"""The database: its tables, and for each of them the module that reads and writes it.

database      the tables, and how it is opened
users         who may log in, by which password
certificates  every certificate that was issued or taken in
bundles       every bundle that was made
leases        addresses promised and kept
holders       for which user a certificate is
"""
