"""Readers of public data sets, each from a path: none of the data is part of the project.

A file that is missing or malformed raises `ImportFileError`, which names the file, what is wrong and what is expected.
"""
