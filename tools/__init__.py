"""Typed tools over Slurm, logs, checkpoints and W&B."""
