"""placeholder"""


def write_report(result, folder):
    """Placeholder."""
