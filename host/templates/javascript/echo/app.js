// Gives back what it is sent, and counts, also over a restart of the node.

import { log } from "transship:host/log@0.1.0";
import { receive, sendResponse } from "transship:host/messaging@0.1.0";
import * as state from "transship:host/state@0.1.0";

export function init(our) {
  const kept = state.get();
  let number = kept ? JSON.parse(new TextDecoder().decode(kept)) : 0;
  for (;;) {
    const { tag, val } = receive();
    if (tag !== "request") continue;
    try {
      const body = read(val.request);
      number += 1;
      // On disk when this returns: a restart of the node finds it.
      state.set(new TextEncoder().encode(JSON.stringify(number)));
      answer(val, { echo: body, number });
    } catch (error) {
      answer(val, { error: explain(error) });
    }
  }
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
