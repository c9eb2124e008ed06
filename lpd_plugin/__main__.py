"""`python -m lpd_plugin`: the command line where only the module can be named, as under torchrun."""

from .cli.main import main

if __name__ == "__main__":
    main()
