// Makes a component out of a JavaScript module, with componentize-js:
//
//     node componentize.mjs SOURCE WIT-FOLDER WORLD OUT
//
// SOURCE is an ES module that exports what WORLD of WIT-FOLDER does (empty: its only world). It may import others by relative paths; what comes from npm has to be bundled into it. componentize-js
// is looked for in the folders node_modules beside SOURCE and above it, then in those of NODE_PATH. Exit codes: 0, 1 (the component can't be made; standard error says why), 3 (componentize-js is
// not there).

import { existsSync, readFileSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { delimiter, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [source, wit, world, out] = process.argv.slice(2);
const folders = [];
for (let folder = dirname(resolve(source)); folders.at(-1) !== join(folder, "node_modules"); folder = dirname(folder)) folders.push(join(folder, "node_modules"));
folders.push(...(process.env.NODE_PATH ?? "").split(delimiter).filter(Boolean));
const home = folders.map((folder) => join(folder, "@bytecodealliance/componentize-js")).find((folder) => existsSync(join(folder, "package.json")));
if (!home) {
  console.error("componentize-js is not installed: run `npm install @bytecodealliance/componentize-js` in the package's folder");
  process.exit(3);
}

try {
  const { exports, main } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  const { componentize } = await import(pathToFileURL(join(home, exports?.import ?? main)));
  const { component } = await componentize({
    sourcePath: resolve(source),
    witPath: resolve(wit),
    worldName: world || undefined,
    // A node serves no HTTP: what is left of WASI is clocks, randomness and standard output.
    disableFeatures: ["http", "fetch-event"],
  });
  // Never half a component under its name.
  await mkdir(dirname(resolve(out)), { recursive: true });
  await writeFile(`${out}.part`, component);
  await rename(`${out}.part`, out);
} catch (error) {
  console.error(error.message ?? String(error));
  process.exit(1);
}
