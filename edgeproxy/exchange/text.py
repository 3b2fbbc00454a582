"""Text from the wire as JSON can carry it."""

__all__ = ["carried"]


def carried(value: object) -> object:
    """``value`` with every text in it made valid Unicode, also those inside lists and objects.

    Bytes that are not UTF-8 (surrogates, in message text) are shown as Latin-1 shows them.
    """
    match value:
        case str():
            return value if _is_valid(value) else "".join(map(_shown, value))
        case dict():
            return {carried(key): carried(item) for key, item in value.items()}
        case list() | tuple():
            return [carried(item) for item in value]
        case _:
            return value


def _is_valid(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _shown(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return chr(ord(char) - 0xDC00)
    return "\ufffd" if "\ud800" <= char <= "\udfff" else char
