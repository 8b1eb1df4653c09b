// PNG pictures with 8 bits for each colour and without interlacing: as many as most programs write, and little to read. https://www.w3.org/TR/png-3/
//
// A picture is { width, height, pixels }, with four bytes for each pixel: red, green, blue, and how opaque it is.

// The most pixels: the engine takes up to four seconds for each million, and a node ends a process that computes for 30 s.
const MOST_PIXELS = 4_000_000;
const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
// The bytes of a pixel in the file, by its kind: grey, colours, palette, grey with opacity, colours with opacity.
const BYTES = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

export async function decode(file) {
  if (!SIGNATURE.every((byte, at) => file[at] === byte)) throw new Error("this is no PNG picture");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const packed = [];
  let header, palette, opacity;
  for (let at = 8; at + 12 <= file.length; ) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...file.subarray(at + 4, at + 8));
    const chunk = file.subarray(at + 8, at + 8 + length);
    if (name === "IHDR") header = chunk;
    if (name === "PLTE") palette = chunk;
    if (name === "tRNS") opacity = chunk;
    if (name === "IDAT") packed.push(chunk);
    at += 12 + length;
  }
  if (header?.length !== 13) throw new Error("the picture is damaged: its header is missing");
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const [depth, kind, , , interlaced] = header.subarray(8);
  const size = BYTES[kind];
  if (depth !== 8 || interlaced || !size || (kind === 3 && !palette)) throw new Error("only pictures with 8 bits for each colour, not interlaced, can be read");
  if (!width || !height || width * height > MOST_PIXELS) throw new Error(`the picture has ${width} x ${height} pixels: at most ${MOST_PIXELS}`);

  const line = width * size;
  const lines = await through(new DecompressionStream("deflate"), packed, height * (line + 1));
  if (lines.length < height * (line + 1)) throw new Error("the picture is damaged: it holds less than its header says");
  const pixels = new Uint8Array(width * height * 4);
  let above = new Uint8Array(line);
  for (let y = 0; y < height; y++) {
    const from = y * (line + 1);
    const now = lines.subarray(from + 1, from + 1 + line);
    unfilter(lines[from], now, above, size);
    above = now;
    for (let x = 0, at = 0, to = y * width * 4; x < width; x++, at += size, to += 4) {
      const grey = now[at];
      if (kind === 3) {
        pixels.set(palette.subarray(3 * grey, 3 * grey + 3), to);
        pixels[to + 3] = opacity?.[grey] ?? 255;
      } else if (size > 2) {
        pixels[to] = grey;
        pixels[to + 1] = now[at + 1];
        pixels[to + 2] = now[at + 2];
        pixels[to + 3] = size === 4 ? now[at + 3] : 255;
      } else {
        pixels.fill(grey, to, to + 3);
        pixels[to + 3] = size === 2 ? now[at + 1] : 255;
      }
    }
  }
  return { width, height, pixels };
}

// A line is kept as what it differs by from its neighbours: each byte from the one left of it, above it, or from what both lead to expect. This runs for every byte: no needless word in it.
function unfilter(filter, now, above, size) {
  for (let at = 0; filter > 0 && at < now.length; at++) {
    const left = at < size ? 0 : now[at - size];
    const up = above[at];
    if (filter === 1) now[at] += left;
    else if (filter === 2) now[at] += up;
    else if (filter === 3) now[at] += (left + up) >> 1;
    else {
      const corner = at < size ? 0 : above[at - size];
      let byLeft = up - corner;
      let byUp = left - corner;
      let byCorner = byLeft + byUp;
      if (byLeft < 0) byLeft = -byLeft;
      if (byUp < 0) byUp = -byUp;
      if (byCorner < 0) byCorner = -byCorner;
      now[at] += byLeft <= byUp && byLeft <= byCorner ? left : byUp <= byCorner ? up : corner;
    }
  }
}

// Each pixel of the small picture is the mean of those that it stands for.
export function shrink({ width, height, pixels }, longest) {
  const scale = Math.min(1, longest / Math.max(width, height));
  const small = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
  small.pixels = new Uint8Array(small.width * small.height * 4);
  for (let y = 0, to = 0; y < small.height; y++) {
    const [top, bottom] = [y, y + 1].map((edge) => Math.floor((edge * height) / small.height));
    for (let x = 0; x < small.width; x++, to += 4) {
      const [first, last] = [x, x + 1].map((edge) => Math.floor((edge * width) / small.width));
      let [red, green, blue, opaque] = [0, 0, 0, 0];
      for (let row = top; row < bottom; row++) {
        for (let at = (row * width + first) * 4, end = (row * width + last) * 4; at < end; at += 4) {
          red += pixels[at];
          green += pixels[at + 1];
          blue += pixels[at + 2];
          opaque += pixels[at + 3];
        }
      }
      const count = (bottom - top) * (last - first);
      small.pixels.set([red / count, green / count, blue / count, opaque / count], to);
    }
  }
  return small;
}

export async function encode({ width, height, pixels }) {
  const lines = new Uint8Array(height * (width * 4 + 1));
  for (let y = 0; y < height; y++) lines.set(pixels.subarray(y * width * 4, (y + 1) * width * 4), y * (width * 4 + 1) + 1);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 6], 8);
  const packed = await through(new CompressionStream("deflate"), [lines], 2 * lines.length + 1024);
  return join([new Uint8Array(SIGNATURE), chunk("IHDR", header), chunk("IDAT", packed), chunk("IEND", new Uint8Array())]);
}

function chunk(name, content) {
  const bytes = new Uint8Array(content.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set([...name].map((letter) => letter.charCodeAt()), 4);
  bytes.set(content, 8);
  view.setUint32(content.length + 8, checksum(bytes.subarray(4, content.length + 8)));
  return bytes;
}

// CRC-32, as PNG wants it at the end of each chunk.
function checksum(bytes) {
  let sum = -1;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

// All that comes out of a stream of the engine's own when these parts go in: at most so many bytes, however little they were packed into.
async function through(stream, parts, most) {
  const writer = stream.writable.getWriter();
  const written = Promise.all([...parts.map((part) => writer.write(part)), writer.close()]).catch(() => {});
  const reader = stream.readable.getReader();
  const found = [];
  for (let length = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) throw new Error("the picture is damaged: it holds more than its header says");
    found.push(value);
  }
  await written;
  return join(found);
}

function join(parts) {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
