"""What administrators need.

deployment  what sets up many PCs: profilexml, intune, and pbk
router      what makes a RouterOS router the server
"""
