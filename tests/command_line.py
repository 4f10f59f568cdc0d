"""What tests of the command line share."""

FAST = ("--epochs", "2", "--device", "cpu")


def last_line(text):
    return text.strip().splitlines()[-1]
