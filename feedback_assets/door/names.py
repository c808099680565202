"""Whether every name in a JSON body stands once, told by counting colons."""

from collections.abc import Sequence

from msgspec import UNSET


def surely_once(body: bytes, parts: Sequence[Sequence[object]], names: int) -> bool:
    """Whether no object states a name twice, if that can be told without a second parse.

    Decoders keep the last of two equal names in silence. Each name in the body has its colon; when
    there are no others than those of the fields kept and those inside the texts kept, nothing was
    dropped. False means "look closer": a body with escapes may spell a colon otherwise.

    Args:
        body: JSON text that was decoded.
        parts: The decoded objects' fields, UNSET where a field was not there.
        names: Names in the body beside them.
    """
    if b"\\" in body:
        return False
    others = body.count(b":") - names
    for values in parts:
        others -= len(values) - values.count(UNSET)
    if not others:
        return True
    texts = (value for values in parts for value in values if type(value) is str)
    return others == sum(text.count(":") for text in texts)
