// Makes small pictures out of big ones: a request with a PNG picture as its blob is answered with a smaller one.
//
//     transship message main:thumbnails:examples '{"size": 128}' --blob photo.png --output small.png
//
// `size` is the length of the longer side, in pixels. What is no picture is answered with {"error": "..."}.

import { Blob as NodeBlob } from "transship:host/blobs@0.1.0";
import { receive, sendResponse } from "transship:host/messaging@0.1.0";
import { decode, encode, shrink } from "./png.js";

// As much as one read of a blob gives.
const MOST_BYTES = 16n << 20n;

// The process: this runs as long as it does. `receive` waits, and takes nothing meanwhile.
export async function init(our) {
  try {
    for (;;) {
      const { tag, val } = receive();
      if (tag === "request") await serve(val.request);
    }
  } catch (error) {
    throw String(error); // what a process ends with is a text: it is in the log
  }
}

async function serve(request) {
  let body, blob;
  try {
    const size = wanted(request.body);
    const small = shrink(await decode(bytesOf(request.blob)), size);
    blob = NodeBlob.fromBytes(await encode(small), "image/png");
    body = { width: small.width, height: small.height };
  } catch (error) {
    body = { error: error.message };
  } finally {
    // Handles are closed by whoever has them: nobody collects garbage while this process waits.
    request.blob?.[Symbol.dispose]();
    request.capabilities.forEach((capability) => capability[Symbol.dispose]());
  }
  try {
    sendResponse({ inherit: false, body: new TextEncoder().encode(JSON.stringify(body)), metadata: undefined, blob, capabilities: [] });
  } catch (error) {
    console.warn("nobody waits for the answer:", JSON.stringify(error.payload));
  }
}

// The request's body, checked: it may come from anybody.
function wanted(body) {
  const { size } = JSON.parse(new TextDecoder().decode(body));
  if (!Number.isInteger(size) || size < 1 || size > 1024) throw new Error('the body is {"size": 1 to 1024}');
  return size;
}

function bytesOf(blob) {
  if (!blob) throw new Error("the request carries no blob: send the picture with it");
  if (blob.length() > MOST_BYTES) throw new Error(`the picture has ${blob.length()} bytes: at most ${MOST_BYTES}`);
  return blob.read(0n, blob.length());
}
