"""Figures as they are kept and shown: rows with what they were made with, and tables."""
