import json
import os

import pytest

from ringback.core.watch.messages import Phase
from ringback.errors import DeliveryError
from ringback.sinks.output import Output
from ringback.sinks.receivers.stdout import Lines
from support.alerts import an_alert
from support.messages import message_of, wording

MESSAGE = message_of((Phase.FIRING, an_alert(1)))


async def test_a_message_is_a_line() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as out, os.fdopen(reading, "rb") as lines:
        made = Lines(Output(out), wording())
        await made.deliver(MESSAGE)
        await made.refresh(MESSAGE.items)
        await made.close()
        out.close()
        (line,) = lines.read().splitlines()
    assert json.loads(line)["data"]["alerts"][0]["callbackId"] == "c-1"


async def test_when_nobody_reads_it_is_not_told() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as out:
        made = Lines(Output(out), wording())
        with pytest.raises(DeliveryError, match="its reader has gone"):
            await made.deliver(MESSAGE)
        await made.close()
