"""`python -m allpay.cli`."""

from allpay.cli import main

if __name__ == "__main__":
    main()
