"""What can be done with a VPN: each use case one call, whoever asks.

setup     makes a home
renaming  the server gets another name, step by step
"""
