"""Work ahead of its use: in order, bounded, and over when nobody wants it any more."""

import threading

import cv2
import pytest
import torch

from lpd_plugin.ahead import worked_ahead
from lpd_plugin.cores import on_one_core, one_core_here


class Counting:
    """Numbers that remember how many of them were asked for."""

    def __init__(self, count: int):
        self.count, self.given = count, 0

    def __iter__(self):
        for number in range(self.count):
            self.given += 1
            yield number


def test_results_come_in_the_order_of_the_items_though_later_ones_are_done_first():
    later = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert later.wait(10)
        elif number == 1:
            later.set()
        return number * number

    assert list(worked_ahead(work, range(6), 2)) == [0, 1, 4, 9, 16, 25]


def test_no_more_is_begun_than_there_are_threads_before_it_is_asked_for():
    items = Counting(100)
    results = worked_ahead(str, items, 3)
    assert next(results) == "0"
    assert items.given == 4
    assert next(results) == "1"
    assert items.given == 5
    results.close()
    assert items.given == 5


def test_without_threads_the_caller_does_the_work_when_it_asks():
    items = Counting(5)
    results = worked_ahead(lambda _: threading.current_thread(), items, 0)
    assert next(results) is threading.current_thread()
    assert items.given == 1


def test_an_error_is_raised_where_its_result_would_have_been():
    def work(number: int) -> int:
        if number == 2:
            raise ValueError("the third")
        return number

    results = worked_ahead(work, range(5), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(results)


def test_closing_ends_the_threads():
    results = worked_ahead(str, range(100), 2)
    next(results)
    assert any(thread.name.startswith("lpd-ahead") for thread in threading.enumerate())
    results.close()
    assert not any(thread.name.startswith("lpd-ahead") for thread in threading.enumerate())


def test_one_core_for_a_thread_leaves_torch_as_it_was_for_all_others(several_cores):
    def threads_in(prepare) -> int:
        seen = []

        def run():
            prepare()
            seen.append(torch.get_num_threads())

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return seen[0]

    assert threads_in(on_one_core) == 1
    assert threads_in(lambda: None) == several_cores
    assert torch.get_num_threads() == several_cores


def test_blocks_on_one_core_may_overlap_and_the_last_to_end_gives_the_cores_back(several_cores):
    one, other = one_core_here(), one_core_here()
    assert one.__enter__() == several_cores and torch.get_num_threads() == cv2.getNumThreads() == 1
    assert other.__enter__() == 1
    one.__exit__(None, None, None)
    assert torch.get_num_threads() == cv2.getNumThreads() == 1
    other.__exit__(None, None, None)
    assert torch.get_num_threads() == cv2.getNumThreads() == several_cores


@pytest.fixture
def several_cores():
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(3)
    cv2.setNumThreads(3)
    yield 3
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])
