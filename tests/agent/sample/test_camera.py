import itertools

from visiona.agent.sample.camera import (
    BOX_COLUMNS,
    BOX_ROWS,
    COLUMNS,
    HEIGHT,
    ROWS,
    WIDTH,
    box,
    detections,
    frame,
)


def test_no_two_frames_in_a_row_are_alike() -> None:
    assert len({frame(number) for number in range(60)}) == 60


def test_a_frame_is_a_function_of_its_number() -> None:
    first = frame(7)
    for number in range(20):
        frame(number)
    assert frame(7) == first


def test_the_box_moves_and_stays_in_the_picture() -> None:
    places = [box(number) for number in range(1000)]
    assert all(one != other for one, other in itertools.pairwise(places))
    assert all(0 <= left <= COLUMNS - BOX_COLUMNS and 0 <= top <= ROWS - BOX_ROWS for left, top in places)


def test_what_is_detected_lies_where_the_box_is_drawn() -> None:
    found = detections(31)
    assert found["frame"] == 31
    (thing,) = found["objects"]
    where = thing["boundingBox"]
    assert (where["x"] // 8, where["y"] // 8) == box(31)
    assert where["x"] + where["width"] <= WIDTH
    assert where["y"] + where["height"] <= HEIGHT
