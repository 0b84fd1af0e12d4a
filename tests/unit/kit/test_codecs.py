"""Whoever reads Kafka reads every codec that a producer may use and the pricer reads."""

import pytest

from outlay_kit.errors import Refused
from outlay_kit.kafka import away  # first: it imports kafka-python with its warnings taken care of

from kafka.record import MemoryRecords, MemoryRecordsBuilder  # isort: skip

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
"""As Kafka numbers them."""


@pytest.mark.parametrize("codec", CODECS)
def test_a_record_is_read_whatever_its_producer_compressed_it_with(codec: str) -> None:
    """One record in snappy broke `outlay audit` for as long as Kafka kept it."""
    builder = MemoryRecordsBuilder(magic=2, compression_type=CODECS[codec], batch_size=2**16)
    builder.append(timestamp=1, key=None, value=b"usage " * 100)
    builder.close()
    batch = MemoryRecords(builder.buffer()).next_batch()
    assert [record.value for record in batch] == [b"usage " * 100]


def test_a_codec_whose_library_is_missing_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    builder = MemoryRecordsBuilder(magic=2, compression_type=CODECS["snappy"], batch_size=2**16)
    builder.append(timestamp=1, key=None, value=b"usage " * 100)
    builder.close()
    monkeypatch.setattr("kafka.codec.snappy", None)
    with (
        pytest.raises(Refused, match=r"snappy.*not found\. Install its library"),
        away("Kafka does not answer"),
    ):
        list(MemoryRecords(builder.buffer()).next_batch())
