"""What a person did that cannot work, said in one sentence."""


class UserError(Exception):
    """Something the person at the keyboard can mend; the message says what and how. Printed without traceback."""

    exit_status = 1


class NotGoodEnoughError(UserError):
    """Everything worked, and what was measured is below what was asked for: a status of its own, for scripts."""

    exit_status = 3
