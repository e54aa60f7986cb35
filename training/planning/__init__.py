"""What a run takes of each GPU's memory, worked out before anything is downloaded or allocated."""
