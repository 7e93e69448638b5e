"""Which bundles were made, for whom, and whether they still fit.

freshness     whether one still fits the home
listing       the same of all users
distribution  which users have what a change needs already
verify        proves it of a file; unpacking reads one from anywhere, with care
comparing     finds the password in it, and each byte that would be another now
"""
