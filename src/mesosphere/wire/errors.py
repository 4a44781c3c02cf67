"""The one error of everything that reads bytes from outside."""


class WireError(ValueError):
    """What came in is not what it should be.

    `path` names the place of the fault ("app.container.portMappings[0]"), "" for the whole;
    `message` says what is wrong there. `str()` joins both.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.path = path
        self.message = message

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message
