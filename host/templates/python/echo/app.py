"""Gives back what it is sent, and counts, also over a restart of the node."""

import json

import wit_world
from componentize_py_types import Err
from wit_world.imports import log, messaging, state
from wit_world.imports.standard import Address


class WitWorld(wit_world.WitWorld):
    def init(self, our: Address) -> None:
        number = json.loads(state.get() or b"0")
        while True:
            match messaging.receive():
                case messaging.Message_Request(received):
                    try:
                        body = read(received)
                    except ValueError as error:
                        answer(received, {"error": f"the request is no JSON: {error}"})
                        continue
                    number += 1
                    # On disk when this returns: a restart of the node finds it.
                    state.set(json.dumps(number).encode())
                    answer(received, {"echo": body, "number": number})


def read(received: messaging.ReceivedRequest):
    """The body of a request. Raises ValueError if it is no JSON."""
    return json.loads(received.request.body)


def answer(received: messaging.ReceivedRequest, body) -> None:
    """Answers the request that was received last, if somebody waits."""
    if received.request.expects_response is None:
        return
    try:
        messaging.send_response(messaging.Response(False, json.dumps(body).encode(), None, None, []))
    except Err as error:
        log.log(log.Level.WARN, f"{received.source.node} was not answered: {error.value}")
