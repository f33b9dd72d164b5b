"""Keys under which the folds of one run are published, so that every worker has its share.

A bus maps keys to partitions by a hash, and partitions to workers in shares: of 12 folds under keys of their own two
workers get 9:3 or worse in one run of seven. Here each of the 24 partitions has a key that Kafka's hash maps to it, and
folds go round in steps of 11, which is even over every second partition and over neighbours alike: both are how a
group deals partitions out. Two workers get 7:5 of 12 folds at worst, and equal shares if they start together.
"""

# Text of number KEYS[p] falls into partition p of 24, by the murmur2 of Kafka's clients.
PARTITION_KEYS = (11, 4, 101, 7, 42, 16, 5, 13, 2, 59, 20, 9, 17, 46, 36, 1, 18, 57, 34, 31, 0, 25, 6, 3)
PARTITION_STEP = 11


def fold_partition_key(run: str, number: int) -> str:
    """Of a run's fold of this number; runs start at different partitions."""
    return str(PARTITION_KEYS[(int(run[:8], 16) + PARTITION_STEP * number) % len(PARTITION_KEYS)])
