"""A process that uses Python's standard library as on any other system: each request is a JSON array, `["what", argument]`. What the crate beside this folder is in Rust."""

import json
import os
import random
import socket
import sys
import time

import wit_world
from componentize_py_types import Err
from wit_world.imports import messaging


class WitWorld(wit_world.WitWorld):
    def init(self, our) -> None:
        while True:
            match messaging.receive():
                case messaging.Message_Request(received):
                    try:
                        answer = visit(*json.loads(received.request.body))
                    except OSError as error:
                        answer = {"err": str(error)}
                    except RuntimeError as error:
                        raise Err(str(error))
                    messaging.send_response(messaging.Response(False, json.dumps(answer).encode(), None, None, []))


def visit(what, argument):
    match what:
        case "clock":
            return int(time.time())
        case "random":
            return [random.random(), os.urandom(8).hex()]
        case "print":
            print(argument, end="")
        case "complain":
            print(argument, end="", file=sys.stderr)
        case "environment":
            return {"variables": len(os.environ), "arguments": len(sys.argv)}
        case "input":
            return {"ok": sys.stdin.read()}
        case "read":
            return open(argument).read()
        case "write":
            return open(argument, "w").write("content")
        case "list":
            return os.listdir(argument)
        case "connect":
            socket.create_connection(argument.split(":"))
        case "bind":
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        case "sleep":
            start = time.monotonic()
            time.sleep(argument / 1000)
            return int((time.monotonic() - start) * 1000)
        case "exit":
            sys.exit(argument)
        case "fail":
            raise RuntimeError(argument)
    return {"ok": "said"}
