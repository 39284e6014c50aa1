"""One frame waits, the newest; every frame is counted once."""

from gateway.stream.slot import NewestFrame
from gateway.stream.wire import Frame


def test_a_newer_frame_takes_the_place():
    dropped = []
    slot = NewestFrame(lambda: dropped.append(1))
    frames = [Frame(bytes([number])) for number in range(3)]
    for frame in frames:
        slot.put(frame)
    assert slot.is_filled
    assert slot.take() is frames[2]
    assert not slot.is_filled
    assert (slot.counts.received, slot.counts.dropped, len(dropped)) == (3, 2, 2)


def test_each_reply_tells_of_those_dropped_since_the_one_before():
    slot = NewestFrame(lambda: None)
    slot.put(Frame(b""))
    slot.put(Frame(b""))
    assert (slot.take_dropped(), slot.take_dropped()) == (1, 0)
    slot.drop()
    slot.drop()  # nothing is there any more
    assert (slot.take_dropped(), slot.counts.dropped) == (1, 2)
