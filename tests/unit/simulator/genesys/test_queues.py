"""Queues as the API lists them, while they come and go."""

from ringback.simulator.options import Options
from support.genesys import platform
from support.virtual import run_virtually

QUEUES = "/api/v2/routing/queues"


def test_pages_hold_every_queue_once() -> None:
    async def play() -> None:
        async with platform(Options(queues=230)) as caller:
            found = []
            for number in (1, 2, 3):
                reply = await caller.call("GET", QUEUES, pageSize="100", pageNumber=str(number))
                assert (reply.json["total"], reply.json["pageCount"]) == (230, 3)
                assert ("nextUri" in reply.json) == (number < 3)
                found += [one["id"] for one in reply.json["entities"]]
            assert sorted(found) == sorted(one.id for one in caller.cloud.centre.queues)
            assert (await caller.call("GET", QUEUES, pageSize="501")).status == 400

    run_virtually(play())


def test_queues_come_go_and_change() -> None:
    async def play() -> None:
        async with platform() as caller:
            added = caller.cloud.add_queue("New", division="North", auto_dial_seconds=15)
            reply = await caller.call("GET", f"{QUEUES}/{added.id}")
            callback = reply.json["mediaSettings"]["callback"]
            assert reply.json["division"]["name"] == "North"
            assert callback["enableAutoDialAndEnd"]
            assert callback["autoDialDelaySeconds"] == 15
            added.auto_dial_seconds = None
            reply = await caller.call("GET", f"{QUEUES}/{added.id}")
            assert not reply.json["mediaSettings"]["callback"]["enableAutoDialAndEnd"]
            divisions = await caller.call("GET", "/api/v2/authorization/divisions")
            assert [one["name"] for one in divisions.json["entities"]] == ["Home", "North"]
            caller.cloud.remove_queue(added)
            assert (await caller.call("GET", f"{QUEUES}/{added.id}")).status == 404

    run_virtually(play())


def test_hidden_queues_are_neither_listed_nor_read() -> None:
    async def play() -> None:
        async with platform() as caller:
            hidden = caller.cloud.centre.queues[0].id
            caller.client.hidden_queues.add(hidden)
            assert hidden not in (await caller.call("GET", QUEUES)).body.decode()
            assert (await caller.call("GET", f"{QUEUES}/{hidden}")).status == 404

    run_virtually(play())
