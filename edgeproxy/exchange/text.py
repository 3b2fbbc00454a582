"""Text from elsewhere, as JSON can carry it and as a terminal may show it."""

__all__ = ["carried", "visible"]


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


def visible(text: str) -> str:
    """``text`` on one line, with everything a terminal might act on spelled as an escape.

    Tabs stay. Control characters (also those above 127), bidirectional marks, odd blanks and
    undecodable bytes do not.
    """
    if text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable() or char == "\t"
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def _is_valid(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _shown(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return chr(ord(char) - 0xDC00)
    return "\ufffd" if "\ud800" <= char <= "\udfff" else char
