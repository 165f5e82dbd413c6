"""News reach every observer: in order, later ones from then on, whatever another one does."""

import pytest

from arb.domain.news import Trouble
from arb.domain.report import Problem, ProblemKind
from arb.publisher import Publisher


def news(what):
    return Trouble(Problem(kind=ProblemKind.MARKET, where="here", what=what))


def test_news_goes_to_every_observer_in_the_order_of_subscription():
    got = []
    publisher = Publisher([lambda _: got.append("first")])
    publisher.subscribe(lambda _: got.append("second"))
    publisher.publish(news("one"))
    assert got == ["first", "second"]


def test_a_later_observer_gets_the_news_from_then_on():
    early, late = [], []
    publisher = Publisher([early.append])
    publisher.publish(news("one"))
    publisher.subscribe(late.append)
    publisher.publish(news("two"))
    assert [each.problem.what for each in early] == ["one", "two"]
    assert [each.problem.what for each in late] == ["two"]


def test_an_observer_that_subscribes_another_disturbs_nobody():
    got = []
    publisher = Publisher()
    publisher.subscribe(lambda _: publisher.subscribe(got.append))
    publisher.subscribe(got.append)
    publisher.publish(news("one"))
    assert len(got) == 1
    publisher.publish(news("two"))
    assert len(got) == 3


def test_an_observer_that_raises_keeps_the_news_from_no_other_and_is_not_hidden():
    got = []

    def broken(_):
        raise RuntimeError("broken")

    def broken_too(_):
        raise RuntimeError("broken, too")

    publisher = Publisher([broken, got.append, broken_too, got.append])
    with pytest.raises(RuntimeError, match=r"^broken$"):
        publisher.publish(news("one"))
    assert len(got) == 2
