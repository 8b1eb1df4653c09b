"""Messages between nodes: each node runs this process, and they send each other lines.

    {"send": {"to": "bob", "text": "hello"}}    by the owner of this node: send a line to another node
    "read"                                      by the owner of this node: all lines, the oldest first
    {"say": "hello"}                            by this process on another node: a line from there
"""

import json

import wit_world
from componentize_py_types import Err
from wit_world.imports import log, messaging, state
from wit_world.imports.standard import Address

# As many lines are kept.
MOST = 1_000


class WitWorld(wit_world.WitWorld):
    def init(self, our: Address) -> None:
        chat = Chat(our)
        while True:
            match messaging.receive():
                case messaging.Message_Request(received):
                    try:
                        outcome = chat.handle(read(received), received.source.node)
                    except Err as error:
                        outcome = {"error": str(error.value)}
                    except ValueError as error:
                        outcome = {"error": str(error)}
                    answer(received, outcome)
                case messaging.Message_SendError(error):
                    log.log(log.Level.WARN, f"{error.target.node} did not get a line: {error.kind}")


class Chat:
    def __init__(self, our: Address):
        self.our = our
        self.lines = json.loads(state.get() or b"[]")

    def handle(self, question, source: str):
        # The node vouches for the source: nobody else can say that they are bob.
        is_ours = source == self.our.node
        match question:
            case {"send": {"to": str(to), "text": str(text)}} if is_ours:
                there = Address(to, self.our.process)
                body = json.dumps({"say": text}).encode()
                # Without waiting: if two nodes waited for each other at the same time, neither would answer. What becomes of it comes out of receive.
                messaging.send_request(there, messaging.Request(False, 10_000, body, None, None, []), None)
                self.keep(source, to, text)
                return []
            case "read" if is_ours:
                return self.lines
            case {"say": str(text)}:
                log.log(log.Level.INFO, f"{source} says: {text}")
                self.keep(source, self.our.node, text)
                return []
            case {"send": _} | "read" if not is_ours:
                raise ValueError(f"only {self.our.node} may ask that")
            case _:
                raise ValueError('a request is {"send": {"to": NODE, "text": TEXT}}, "read" or {"say": TEXT}')

    def keep(self, sender: str, to: str, text: str) -> None:
        self.lines = [*self.lines, {"from": sender, "to": to, "text": text}][-MOST:]
        # On disk when this returns: a restart of the node finds it.
        state.set(json.dumps(self.lines).encode())


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
