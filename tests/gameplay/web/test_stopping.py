from gameplay.web.stopping import Stopping


def test_a_stop_begins_once() -> None:
    told: list[str] = []
    stopping = Stopping()
    stopping.tell(lambda: told.append("one"))
    stopping.tell(lambda: told.append("other"))

    stopping.begin()
    stopping.begin()

    assert stopping.has_begun
    assert told == ["one", "other"]
