// The process `main`.

import { log } from "transship:host/log@0.1.0";
import { receive, sendResponse } from "transship:host/messaging@0.1.0";

// Runs from the start of the process to its end. `our` is its own address.
export function init(our) {
  log("info", `${our.process.processName} on ${our.node} is running`);
  for (;;) {
    // The next message. Until there is one the process sleeps.
    const { tag, val } = receive();
    if (tag === "request") {
      log("info", `${val.source.node} says ${new TextDecoder().decode(val.request.body)}`);
      if (val.request.expectsResponse !== undefined) {
        const body = new TextEncoder().encode('"hello"');
        sendResponse({ inherit: false, body, metadata: undefined, blob: undefined, capabilities: [] });
      }
    } else {
      log("info", `this came too: ${tag}`);
    }
  }
}
