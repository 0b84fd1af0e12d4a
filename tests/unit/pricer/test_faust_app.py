"""How the pricer sets up Faust."""

import pytest

from outlay_pricer.faust_app import UnreadableCodecError, require_codecs


def test_every_codec_of_kafka_can_be_read() -> None:
    require_codecs()


def test_a_pricer_without_a_codec_says_which_and_the_remedy_before_it_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aiokafka.codec.cramjam", None)
    with pytest.raises(UnreadableCodecError, match="snappy, lz4, zstd cannot be read: install cramjam"):
        require_codecs()
