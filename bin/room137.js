#!/usr/bin/env node
// Plain JavaScript, so that an old Node gets one clear line instead of a syntax error.
const [major] = process.versions.node.split(".").map(Number);
if (major < 24) {
  process.stderr.write(
    `room137 needs Node.js 24 or newer, this is ${process.versions.node}; run it with "npm run room137", which brings its own\n`,
  );
  process.exit(2);
}
await import("../src/main.ts");
