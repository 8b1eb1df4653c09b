// Fetches files from other nodes into this package's own drive, and tells how far they are. For the owner of its node:
//
//     {"fetch": {"node": "bob", "name": "x"}}    fetch this file of that node
//     "transfers"                                how far are all that were asked for?

import { startDownloadWith } from "transship:file-transfer/file-transfer-worker@0.1.0";
import { log } from "transship:host/log@0.1.0";
import { receive, sendResponse } from "transship:host/messaging@0.1.0";

// The process of every node that lists its files and sends them.
const MANAGER = { processName: "manager", packageName: "file-transfer", publisherNode: "transship" };

export function init(our) {
  const transfers = new Map(); // by id
  for (;;) {
    const { tag, val } = receive();
    if (tag !== "request") continue;
    try {
      answer(val, handle(our, transfers, read(val.request), val.source));
    } catch (error) {
      answer(val, { error: explain(error) });
    }
  }
}

function handle(our, transfers, question, source) {
  if (source.node !== our.node) throw new Error(`only ${our.node} may ask that`);
  // Of a worker of this process (others can't claim to be one: they are of other packages), or of the node when a worker was ended.
  if (question?.progress && source.process.packageName === our.process.packageName) {
    progress(transfers, question.progress);
    return "progress";
  }
  if (question === "transfers") return Object.fromEntries(transfers);
  const { node, name } = question?.fetch ?? {};
  if (typeof node !== "string" || typeof name !== "string") throw new Error('a request is {"fetch": {"node": NODE, "name": NAME}} or "transfers"');
  const target = { node, process: MANAGER };
  // This function is the package file-transfer's. It starts a worker as a child of this process and returns at once.
  const id = startDownloadWith(our, { name, target, isRequestor: true, local: { drive: "files", name }, options: { conflict: "rename" } }, []);
  transfers.set(id, { name, "bytes-done": 0, "bytes-total": null, end: null });
  return { [id]: transfers.get(id) };
}

function progress(transfers, report) {
  const transfer = transfers.get(report.id);
  // The end is told once by the worker, and again by the node when the worker's process is gone.
  if (!transfer || transfer.end !== null) return;
  transfer["bytes-done"] = report["bytes-done"];
  transfer["bytes-total"] = report["bytes-total"];
  if (report.state.done) transfer.end = `done: ${report.state.done.name}`;
  if (report.state.failed) transfer.end = `failed: ${JSON.stringify(report.state.failed)}`;
  log("info", `${transfer.name}: ${transfer["bytes-done"]} bytes`);
}

// The body of a request.
function read(request) {
  try {
    return JSON.parse(new TextDecoder().decode(request.body));
  } catch (error) {
    throw new Error(`the request is no JSON: ${error.message}`);
  }
}

// Answers the request that was received last, if somebody waits.
function answer({ source, request }, value) {
  if (request.expectsResponse === undefined) return;
  const body = new TextEncoder().encode(JSON.stringify(value));
  try {
    sendResponse({ inherit: false, body, metadata: undefined, blob: undefined, capabilities: [] });
  } catch (error) {
    log("warn", `${source.node} was not answered: ${explain(error)}`);
  }
}

// What is wrong. Errors of the node have a payload instead of words.
function explain(error) {
  return error.payload === undefined ? error.message : JSON.stringify(error.payload);
}
