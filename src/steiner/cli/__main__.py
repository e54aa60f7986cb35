"""`python -m steiner.cli` is the command `steiner`, and so is what torchrun starts."""

from steiner.cli.main import main

if __name__ == "__main__":
    main()
