"""What administrators need.

deployment  what sets up many PCs: profilexml, intune, and pbk
monitoring  what watches the server
router      what makes a RouterOS router the server
"""
