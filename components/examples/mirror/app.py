"""Keeps a folder of this node equal to one on another node: fetches what is new or has changed there, removes what is gone.

    transship message main:mirror:examples '{"mirror": {"node": "bob", "folder": "photos/", "every": 60}}'
    transship message main:mirror:examples '"now"'       once more, without waiting for the time
    transship message main:mirror:examples '"stop"'

Each answers with a report when all is done. The copy is in this package's own drive `files`, under the names that the files have there.
"""

import json

import wit_world
from componentize_py_types import Err
from wit_world.imports import file_transfer_worker, log, messaging, state, timer, vfs
from wit_world.imports.standard import Address, ProcessId
from wit_world.imports.types import ConflictPolicy, TransferOptions

# The process of every node that lists its files and sends them.
MANAGER = ProcessId("manager", "file-transfer", "transship")
# Files that are fetched at a time.
AT_ONCE = 4


class WitWorld(wit_world.WitWorld):
    """The component: one function, which runs as long as the process does."""

    def init(self, our: Address) -> None:
        try:
            run(our)
        except Err as error:
            raise Err(words(error))  # what a process ends with is a text: it is in the log


def run(our: Address) -> None:
    mirror = Mirror(our)
    mirror.begin()
    while True:
        match messaging.receive():
            case messaging.Message_Request(received):
                mirror.take(received)
            case messaging.Message_Timer(number) if number == mirror.timer:
                mirror.begin()


class Mirror:
    def __init__(self, our: Address):
        self.our = our
        self.files = vfs.open_drive("files")
        # What is mirrored. `state` is what this process knew before the node was restarted.
        self.settings = json.loads(state.get() or b"null")
        self.timer = 0
        self.report = None  # of the round that is under way
        self.todo, self.running = [], {}  # names that are to be fetched; transfer id -> name
        self.askers = []  # those who wait for the report

    def take(self, received: messaging.ReceivedRequest) -> None:
        """A request: from the node's owner, or from a worker of ours that says how far it is."""
        try:
            body = json.loads(received.request.body)
        except ValueError as error:
            body = {"error": str(error)}
        match body:
            case {"progress": {"id": str(id), "state": now}} if id in self.running:
                answer(b'"progress"', messaging.respond_later())
                if "done" in now or "failed" in now:
                    self.ended(self.running.pop(id), now)
                return
            case {"progress": _}:
                return  # the last word of a worker that we knew to be done
            case {"mirror": {"node": str(), "folder": str(folder), "every": int()}} if folder.endswith("/"):
                self.settings = body["mirror"]
                state.set(json.dumps(self.settings).encode())
            case "stop":
                self.settings, self.todo = None, []
                state.clear()
            case "now":
                pass
            case _:
                usage = 'one of {"mirror": {"node": "NODE", "folder": "FOLDER/", "every": SECONDS}}, "now", "stop"'
                answer(json.dumps({"error": f"a request is {usage}"}).encode(), messaging.respond_later())
                return
        self.askers.append(messaging.respond_later())
        self.begin()

    def begin(self) -> None:
        """Compares, removes what is gone, and starts to fetch. If that is under way, its end answers everybody."""
        if self.report is not None:
            return
        self.report = {"mirror": self.settings, "fetched": [], "removed": [], "unchanged": 0, "failed": {}}
        if self.settings is not None:
            try:
                theirs = self.listing()
                ours = dict(walk(self.files, self.settings["folder"]))
                for name in sorted(ours.keys() - theirs.keys()):
                    self.files.remove_file(name)
                    self.report["removed"].append(name)
                self.todo = [name for name, found in theirs.items() if ours.get(name) != found]
                self.report["unchanged"] = len(theirs) - len(self.todo)
            except Err as error:
                self.report["failed"][self.settings["folder"]] = words(error)
        self.fetch()

    def listing(self) -> dict:
        """What the other node has: name -> size and modification time. All of it, or an error: half a list would remove the other half here."""
        found, last, more = {}, None, True
        while more:
            options = {"prefix": self.settings["folder"], "after": last}
            body = json.dumps({"list-page": options}).encode()
            request = messaging.Request(False, 30_000, body, None, None, [])
            response = messaging.send_and_await_response(Address(self.settings["node"], MANAGER), request).response
            match json.loads(response.body):
                case {"list-page": {"files": files, "more": more}}:
                    found |= {file["name"]: (file["size"], file["modified"]) for file in files}
                    last = files[-1]["name"] if files else None
                case other:
                    raise Err(json.dumps(other))
        return found

    def fetch(self) -> None:
        """Starts as many transfers as may run; when none is left, the round is over."""
        while self.todo and len(self.running) < AT_ONCE:
            name = self.todo.pop()
            source = Address(self.report["mirror"]["node"], MANAGER)
            place = file_transfer_worker.Location("files", name)
            options = TransferOptions(None, None, None, ConflictPolicy.OVERWRITE, None, None, None, None, None, None, None)
            request = file_transfer_worker.DownloadRequest(name, source, True, place, None, None, options)
            try:
                # This comes from the package file-transfer. It starts a worker as a child of this process, which is heard of in `take`.
                self.running[file_transfer_worker.start_download_with(self.our, request, [])] = name
            except Err as error:
                self.report["failed"][name] = words(error)
        if not self.running:
            self.over()

    def ended(self, name: str, now: dict) -> None:
        """A worker is done: the file is here, verified, with the time that it has there; or nothing has changed here."""
        if "done" in now:
            self.report["fetched"].append(name)
        else:
            self.report["failed"][name] = json.dumps(now["failed"])
        self.fetch()

    def over(self) -> None:
        report, self.report = self.report, None
        if report["mirror"] != self.settings:
            return self.begin()  # it was told otherwise meanwhile
        if self.settings is not None:
            log.log(log.Level.INFO, json.dumps(report))
            timer.cancel(self.timer)
            self.timer = timer.set(self.settings["every"] * 1000)
        for asker in self.askers:
            answer(json.dumps(report).encode(), asker)
        self.askers = []


def walk(root: vfs.Directory, folder: str):
    """All files below a folder (which ends with `/`), each with its size and modification time."""
    try:
        directory = root.open_directory(folder.rstrip("/"), False)
    except Err as error:
        if isinstance(error.value, vfs.VfsError_NotFound):
            return
        raise
    after, more = None, True
    while more:
        page = directory.entries(after, 1000)
        for entry in page.entries:
            name = folder + entry.name
            if entry.metadata.kind == vfs.FileKind.DIRECTORY:
                yield from walk(root, name + "/")
            # Where a transfer was interrupted, what has arrived is kept under a hidden name.
            elif not entry.name.startswith(".transship-"):
                yield name, (entry.metadata.size, entry.metadata.modified)
            after = entry.name
        more = page.more


def answer(body: bytes, asker: messaging.Responder | None) -> None:
    if asker is not None:
        try:
            asker.respond(messaging.Response(False, body, None, None, []))
        except Err:
            pass  # who asked is gone


def words(error: Err) -> str:
    """What went wrong, without the whole request that it went wrong with."""
    return str(getattr(error.value, "kind", error.value))
