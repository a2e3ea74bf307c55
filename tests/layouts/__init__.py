"""Workspaces as real repositories lay them out, each built in a lab. All names, ids and values are synthetic."""
