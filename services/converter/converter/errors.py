"""The converter's error."""


class ConverterError(Exception):
    """The conversion was refused or failed, and nothing was published. The message says why and what to do."""
