"""What is kept of a request lacks nothing but its secrets, and what a worker is handed shows none."""

from hypothesis import given

from tests.lists import strategies
from trayagent.model.downloads import Cookie, Item
from trayagent.model.jobs import DownloadSecrets, Job, Order

ELSEWHERE = {"url", "headers", "cookies", "paused", "next", "again", "engine"}


@given(strategies.items())
def test_an_order_is_the_item_without_its_secrets(item: Item) -> None:
    order = Order.of(item)
    for field in set(Item.__struct_fields__) - ELSEWHERE:
        assert getattr(order, field) == getattr(item, field)


def test_a_settled_order_keeps_no_query() -> None:
    order = Order(
        filename="a.mp4",
        referer="https://me:pw@forum.example/thread?token=CANARY#post",
        page_url="https://forum.example/?sig=CANARY",
    )
    settled = order.without_queries()
    assert settled.referer == "https://forum.example/thread"
    assert settled.page_url == "https://forum.example/"
    assert settled.filename == "a.mp4"
    assert settled.without_queries() == settled
    assert Order().without_queries() == Order()


def test_secrets_are_counted_never_shown() -> None:
    secrets = DownloadSecrets({"A": "CANARY"}, (Cookie("a", "CANARY", "h"),))
    assert secrets
    assert not DownloadSecrets()
    assert repr(secrets) == "<Secrets: 1 headers, 1 cookies>"
    job = Job(1, "d1", "k", "http://h/?CANARY", "h:80", Order(), None, 0, "cli", None, secrets)
    assert repr(job) == "<Job d1 h:80, try 1>"
