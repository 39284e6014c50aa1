"""What the tests of streams share."""

import asyncio

import pytest

from segstack_testing.streams import Reply, open_stream


@pytest.fixture(scope="session")
def reply_of():
    return Reply


@pytest.fixture
def converse():
    def run(client, talk, **options):
        async def opened():
            async with open_stream(client, **options) as stream:
                return await talk(stream)

        return asyncio.run(opened())

    return run
