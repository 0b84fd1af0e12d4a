"""The identity of an event, in numbers: tenant, source and id; its time is not part of it."""

from zlib import crc32


def partition_of(event_id: str, partitions: int) -> int:
    """Return the partition of `cost.events` that an identity belongs to: one reader at a time has all of it."""
    return crc32(event_id.encode()) % partitions


def seed(tenant: str, source: str) -> int:
    """Return what `identity_crc` begins with for the events of a source."""
    return crc32(f"{tenant}\0{source}\0".encode())


def identity_crc(event_id: str, begun: int) -> int:
    """Return the upper 32 bits of an identity: CRC-32 of tenant, source and id, with zero bytes between."""
    return crc32(event_id.encode(), begun)


def identity(tenant: str, source: str, event_id: str) -> int:
    """Return 64 bits of an identity, as in the table `identities`: CRC-32 of its bytes, then of them backwards."""
    name = f"{tenant}\0{source}\0{event_id}".encode()
    return crc32(name) << 32 | crc32(name[::-1])
