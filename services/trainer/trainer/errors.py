"""What a person did that cannot work, said in one sentence."""


class UserError(Exception):
    """Something the person at the keyboard can mend; the message says what and how. Printed without traceback."""
