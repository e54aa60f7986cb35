"""How much of each GPU's memory a run takes, worked out before anything is downloaded or allocated."""
