"""A Dask scheduler that is spoken to with certificates only."""

import shutil
import subprocess

import pytest

from allpay.errors import AllpayError
from allpay.study.executors import pool_of

dask = pytest.importorskip("dask")


@pytest.fixture
def certificates(tmp_path):
    """A certificate that signs itself, and its key: authority, server and client in one."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificates")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=allpay", "-days", "2"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return {"tls_ca_file": str(certificate)} | {
        f"tls_{who}_{what}": str(path)
        for who in ("scheduler", "worker", "client")
        for what, path in (("cert", certificate), ("key", key))
    }


@pytest.mark.filterwarnings("ignore")  # of what Dask leaves open
def test_a_scheduler_with_certificates_learns(certificates):
    from distributed import LocalCluster, Security

    security = Security(require_encryption=True, **certificates)
    names = {"ca-file": "tls_ca_file", "client.cert": "tls_client_cert", "client.key": "tls_client_key"}
    settings = {f"distributed.comm.tls.{name}": certificates[key] for name, key in names.items()}
    with (
        LocalCluster(
            1, threads_per_worker=1, processes=False, protocol="tls://", security=security, dashboard_address=None
        ) as cluster,
        dask.config.set(settings),
        pool_of(scheduler=cluster.scheduler_address) as pool,
    ):
        assert cluster.scheduler_address.startswith("tls://")
        assert pool.executor.submit(abs, -3).result(30) == 3


def test_without_certificates_it_is_refused_in_a_line():
    with (
        pytest.raises(
            AllpayError, match=r"^a scheduler at tls:// needs certificates: set DASK_DISTRIBUTED__COMM__TLS__CA_FILE"
        ),
        pool_of(scheduler="tls://127.0.0.1:8786"),
    ):
        pass
