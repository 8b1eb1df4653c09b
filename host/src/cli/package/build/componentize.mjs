// Makes a component out of a JavaScript file. Run in the folder of the sources, where componentize-js is found.
import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const [sourcePath, witPath, out, worldName] = process.argv.slice(1);
// No node offers HTTP; what is left of WASI is clocks, random bytes and standard output.
const { component } = await componentize({ sourcePath, witPath, worldName, disableFeatures: ["http", "fetch-event"] });
await writeFile(out, component);
