"""An agent that looks after Weights & Biases sweeps on Slurm clusters."""

__version__ = "0.1.0"
