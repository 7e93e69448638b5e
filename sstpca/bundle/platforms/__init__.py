"""The systems that a bundle can be for, and the files of each.

systems   which there are, and all files of a bundle
windows, linux, android, apple, routeros   the files of one
"""
