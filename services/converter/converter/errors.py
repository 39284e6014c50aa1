"""What the converter tells a person when it does not convert."""


class ConverterError(Exception):
    """A conversion that was refused or given up; the message is one sentence and what to do. Nothing is published."""
