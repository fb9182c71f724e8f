"""Nouns and rules: values in, values out."""
