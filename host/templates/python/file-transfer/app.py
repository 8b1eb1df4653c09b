"""Fetches files from other nodes into this package's own drive, and tells how far they are. For the owner of its node:

    {"fetch": {"node": "bob", "name": "x"}}    fetch this file of that node
    "transfers"                                how far are all that were asked for?
"""

import json

import wit_world
from componentize_py_types import Err
from wit_world.imports import file_transfer_worker, log, messaging
from wit_world.imports.standard import Address, ProcessId
from wit_world.imports.types import ConflictPolicy, TransferOptions

# The process of every node that lists its files and sends them.
MANAGER = ProcessId("manager", "file-transfer", "transship")


class WitWorld(wit_world.WitWorld):
    def init(self, our: Address) -> None:
        fetcher = Fetcher(our)
        while True:
            match messaging.receive():
                case messaging.Message_Request(received):
                    try:
                        outcome = fetcher.handle(read(received), received.source)
                    except Err as error:
                        outcome = {"error": str(error.value)}
                    except ValueError as error:
                        outcome = {"error": str(error)}
                    answer(received, outcome)


class Fetcher:
    def __init__(self, our: Address):
        self.our = our
        self.transfers = {}  # by id

    def handle(self, question, source: Address):
        if source.node != self.our.node:
            raise ValueError(f"only {self.our.node} may ask that")
        match question:
            # Of a worker of this process (others can't claim to be one: they are of other packages), or of the node when a worker was ended.
            case {"progress": {"id": str(id)} as progress} if source.process.package_name == self.our.process.package_name:
                self.progress(id, progress)
                return "progress"
            case {"fetch": {"node": str(node), "name": str(name)}}:
                place = file_transfer_worker.Location("files", name)
                options = TransferOptions(None, None, None, ConflictPolicy.RENAME, None, None, None, None, None, None, None)
                request = file_transfer_worker.DownloadRequest(name, Address(node, MANAGER), True, place, None, None, options)
                # This function is the package file-transfer's. It starts a worker as a child of this process and returns at once.
                id = file_transfer_worker.start_download_with(self.our, request, [])
                self.transfers[id] = {"name": name, "bytes-done": 0, "bytes-total": None, "end": None}
                return {id: self.transfers[id]}
            case "transfers":
                return self.transfers
            case _:
                raise ValueError('a request is {"fetch": {"node": NODE, "name": NAME}} or "transfers"')

    def progress(self, id: str, progress: dict) -> None:
        transfer = self.transfers.get(id)
        # The end is told once by the worker, and again by the node when the worker's process is gone.
        if transfer is None or transfer["end"] is not None:
            return
        transfer["bytes-done"], transfer["bytes-total"] = progress["bytes-done"], progress["bytes-total"]
        match progress["state"]:
            case {"done": summary}:
                transfer["end"] = f"done: {summary['name']}"
            case {"failed": error}:
                transfer["end"] = f"failed: {json.dumps(error)}"
        log.log(log.Level.INFO, f"{transfer['name']}: {transfer['bytes-done']} bytes")


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
