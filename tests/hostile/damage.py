"""Damage that fits any format: cuts, flipped bits, pieces moved, numbers overwritten."""

import random

NUMBERS = (
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x80\0\0\0",
    b"\0\0\0\x80",
    b"\1\0\0\0",
)


def damage_bytes(data: bytes, draw: random.Random) -> bytes:
    """A file with one to four kinds of damage."""
    found = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        if not found:
            break
        at, kind = draw.randrange(len(found)), draw.randrange(6)
        if kind == 0:
            del found[at:]
        elif kind == 1:
            found[at] ^= 1 << draw.randrange(8)
        elif kind == 2:
            found[at : at + 4] = draw.choice(NUMBERS)
        elif kind == 3:
            length = draw.randint(1, 64)
            found[at:at] = found[at : at + length]
        elif kind == 4:
            del found[at : at + draw.randint(1, 64)]
        else:  # headers are near the start
            place = draw.randrange(min(len(found), 100))
            found[place] = draw.randrange(256)
    return bytes(found)
