"""What `streams.log` needs of aiokafka's inside, and would miss silently."""

from aiokafka.consumer.fetcher import Fetcher


def test_the_wait_of_fetches_for_unread_partitions_still_has_the_name_that_is_set():
    # `Log.run` sets it to 0; under another name the setting would do nothing, and fetches would wait for 100 ms.
    assert "_prefetch_backoff" in Fetcher.__init__.__code__.co_names
