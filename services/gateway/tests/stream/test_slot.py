"""The slot of one stream: it holds the newest frame, and every frame is counted once."""

from gateway.stream.slot import NewestFrame
from gateway.stream.wire import Frame


def test_newer_frame_replaces_the_one_that_waits():
    dropped = []
    slot = NewestFrame(lambda: dropped.append(1))
    frames = [Frame(bytes([number])) for number in range(3)]
    for frame in frames:
        slot.put(frame)
    assert slot.is_filled
    assert slot.take() is frames[2]
    assert not slot.is_filled
    assert (slot.counts.received, slot.counts.dropped, len(dropped)) == (3, 2, 2)


def test_take_dropped_counts_from_the_reply_before():
    slot = NewestFrame(lambda: None)
    slot.put(Frame(b""))
    slot.put(Frame(b""))
    assert (slot.take_dropped(), slot.take_dropped()) == (1, 0)
    slot.drop()
    slot.drop()  # the slot is empty
    assert (slot.take_dropped(), slot.counts.dropped) == (1, 2)
