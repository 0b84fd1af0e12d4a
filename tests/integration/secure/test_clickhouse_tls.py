"""ClickHouse over TLS: the right authority and name are taken; all else is refused, with the reason."""

from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr
from tests.support.processes import Service
from tests.support.secure import MODULES, Encrypted, Secure
from tests.support.waiting import until

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.errors import Retryable
from outlay_kit.settings import ClickHouseSettings

pytestmark = pytest.mark.stack


@pytest.mark.parametrize(
    "module", ["outlay_aggregator.main", "outlay_alerter.main", "outlay_pricer.repricing.main"]
)
def test_a_clickhouse_whose_authority_is_unknown_is_refused_with_the_reason(
    module: str, secure: Secure, over_tls: Encrypted, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    name = {module: name for name, module in MODULES.items()}[module]
    env = secure.environment(name) | over_tls.environment("never")
    service = Service(
        module, tmp_path / "log", env | {"OUTLAY_CLICKHOUSE_CA_FILE": str(tmp_path / "other.pem")}
    )
    service.launch()
    until(lambda: "certificate verify failed" in service.log.read_text(), 30, "the reason in the log")
    assert not service.ready()
    service.kill()


def test_the_client_takes_the_right_authority_and_name_only(over_tls: Encrypted, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    user = over_tls.plain.reader
    right = ClickHouseSettings(
        url=over_tls.url, ca_file=str(over_tls.ca), user=user.user, password=user.password, database="default"
    )
    opened = ClickHouseClient(right)
    assert opened.rows("SELECT 1 AS one") == [{"one": 1}]
    opened.close()
    for wrong in (
        {"ca_file": str(tmp_path / "other.pem")},
        {"ca_file": ""},
        {"url": over_tls.url.replace("localhost", "127.0.0.1")},
    ):
        refused = ClickHouseClient(right.model_copy(update=wrong))
        with pytest.raises(Retryable, match="certificate verify failed"):
            refused.rows("SELECT 1")
        refused.close()
    stranger = ClickHouseClient(right.model_copy(update={"password": SecretStr("nonsense")}))
    with pytest.raises(Exception, match="AUTHENTICATION_FAILED"):
        stranger.rows("SELECT 1")
    stranger.close()
