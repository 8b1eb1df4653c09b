// Messages between nodes: each node runs this process, and they send each other lines.
//
//     {"send": {"to": "bob", "text": "hello"}}    by the owner of this node: send a line to another node
//     "read"                                      by the owner of this node: all lines, the oldest first
//     {"say": "hello"}                            by this process on another node: a line from there

import { log } from "transship:host/log@0.1.0";
import { receive, sendRequest, sendResponse } from "transship:host/messaging@0.1.0";
import * as state from "transship:host/state@0.1.0";

// As many lines are kept.
const MOST = 1000;

export function init(our) {
  const kept = state.get();
  const lines = kept ? JSON.parse(new TextDecoder().decode(kept)) : [];
  for (;;) {
    const { tag, val } = receive();
    if (tag === "send-error") log("warn", `${val.target.node} did not get a line: ${val.kind.tag}`);
    if (tag !== "request") continue;
    try {
      answer(val, handle(our, lines, read(val.request), val.source.node));
    } catch (error) {
      answer(val, { error: explain(error) });
    }
  }
}

function handle(our, lines, question, source) {
  if (typeof question?.say === "string") {
    log("info", `${source} says: ${question.say}`);
    keep(lines, { from: source, to: our.node, text: question.say });
    return [];
  }
  // The node vouches for the source: nobody else can say that they are the owner.
  if (source !== our.node) throw new Error(`only ${our.node} may ask that`);
  if (question === "read") return lines;
  const { to, text } = question?.send ?? {};
  if (typeof to !== "string" || typeof text !== "string") {
    throw new Error('a request is {"send": {"to": NODE, "text": TEXT}}, "read" or {"say": TEXT}');
  }
  const body = new TextEncoder().encode(JSON.stringify({ say: text }));
  // Without waiting: if two nodes waited for each other at the same time, neither would answer. What becomes of it comes out of receive.
  const request = { inherit: false, expectsResponse: 10_000n, body, metadata: undefined, blob: undefined, capabilities: [] };
  sendRequest({ node: to, process: our.process }, request, undefined);
  keep(lines, { from: source, to, text });
  return [];
}

function keep(lines, line) {
  lines.push(line);
  lines.splice(0, lines.length - MOST);
  // On disk when this returns: a restart of the node finds it.
  state.set(new TextEncoder().encode(JSON.stringify(lines)));
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
