"""The lines of the five documents that say what this program is to do, typed as they stand."""
