"""`python -m steiner.cli` is the command `steiner`; torchrun starts it this way."""

from steiner.cli.main import main

if __name__ == "__main__":
    main()
