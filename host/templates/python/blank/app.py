"""The process `main`."""

import wit_world
from wit_world.imports import log, messaging
from wit_world.imports.standard import Address


class WitWorld(wit_world.WitWorld):
    def init(self, our: Address) -> None:
        """Runs from the start of the process to its end. `our` is its own address."""
        log.log(log.Level.INFO, f"{our.process.process_name} on {our.node} is running")
        while True:
            # The next message. Until there is one the process sleeps.
            match messaging.receive():
                case messaging.Message_Request(received):
                    log.log(log.Level.INFO, f"{received.source.node} says {received.request.body.decode()}")
                    if received.request.expects_response is not None:
                        messaging.send_response(messaging.Response(False, b'"hello"', None, None, []))
                case other:
                    log.log(log.Level.INFO, f"this came too: {other}")
