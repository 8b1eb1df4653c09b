// A process that uses what JavaScript's engine brings along: each request is a JSON array, ["what", argument]. What the crate beside this folder is in Rust.

import { receive, sendResponse } from "transship:host/messaging@0.1.0";

export async function init(our) {
  for (;;) {
    const { tag, val } = receive();
    if (tag !== "request") continue;
    const answer = await visit(...JSON.parse(new TextDecoder().decode(val.request.body))).catch((error) => {
      throw error.message;
    });
    sendResponse({ inherit: false, body: new TextEncoder().encode(JSON.stringify(answer)), metadata: undefined, blob: undefined, capabilities: [] });
  }
}

async function visit(what, argument) {
  switch (what) {
    case "clock":
      return Math.floor(Date.now() / 1000);
    case "random":
      return [Math.random(), crypto.getRandomValues(new Uint8Array(8)).join()];
    case "print":
      console.log(argument);
      break;
    case "complain":
      console.error(argument);
      break;
    case "sleep": {
      const start = performance.now();
      await new Promise((done) => setTimeout(done, argument));
      return Math.floor(performance.now() - start);
    }
    case "fetch":
      return fetch(argument).then(
        () => ({ ok: "fetched" }),
        (error) => ({ err: error.message }),
      );
    case "fail":
      throw new Error(argument);
  }
  return { ok: "said" };
}
