"""`python -m allpay`."""


def main() -> None:
    """The program `allpay`."""
    from allpay.cli import main as program

    program()


if __name__ == "__main__":
    main()
