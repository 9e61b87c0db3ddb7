"""The web server as deployed: gunicorn in separate processes."""

from pathlib import Path

import pytest

from tests.factories import draw_on_sale, make_backtest, make_prediction, make_report
from tests.processes import get, group_of, web_server
from tests.staff import superuser
from tickets.generation.generator import BatchTicketGenerator

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_web_process_never_loads_the_libraries_that_models_need(tmp_path: Path) -> None:
    draw_date = draw_on_sale()
    make_prediction(draw_date=draw_date)
    report, backtest = make_report(), make_backtest({"v1": (0.001, 0.01)})
    session = superuser().cookies["sessionid"].value
    BatchTicketGenerator(100, ["random_forest"]).generate_batch(async_mode=False, draw_date=draw_date)

    with web_server(tmp_path / "log") as (group, port):
        status, body = get(port, f"/api/v1/tickets/cached?draw_date={draw_date}&include_stats=true")
        assert status == 200
        assert b'"count":10' in body
        assert get(port, "/admin/login/")[0] == 200
        status, body = get(port, f"/admin/predictions/randomnessreport/{report.pk}/change/", session)
        assert status == 200
        assert b"chi-square" in body  # the report is shown, and taken elsewhere
        assert b"better" in get(port, f"/admin/predictions/backtest/{backtest.pk}/change/", session)[1]
        assert b"no worse than chance" in get(port, "/api/v1/modes")[1]
        loaded = [Path(f"/proc/{pid}/maps").read_text() for pid in group_of(group)]

    assert len(loaded) == 2  # the arbiter and its worker
    assert any("/numpy/" in maps for maps in loaded)  # what is loaded would be seen
    for maps in loaded:
        assert not any(f"/{name}/" in maps for name in ("sklearn", "scipy", "tensorflow", "h5py", "xgboost"))
