import { expect, it } from "vitest";
import { parseProcessFacts } from "../../src/sources/process-facts.ts";

const listing = [
  "total 0",
  "l-wx------ 1 root root 64 Nov 21 03:30 3 -> /srv/debug.log (deleted)",
  "lrwx------ 1 root root 64 Nov 21 03:30 4 -> /memfd:pulse (deleted)",
  "lrwx------ 1 root root 64 Nov 21 03:30 5 -> /tmp/#42 (deleted)",
  "lrwx------ 1 root root 64 Nov 21 03:30 6 -> /srv/kept.log",
  "lrwx------ 1 root root 64 Nov 21 03:30 7 -> socket:[1234]",
].join("\n");

it("names deleted files that are still open, with how far they were written", () => {
  const files = new Map([["/proc/9/fdinfo/3", "pos:\t48234496\nflags:\t02100001\n"]]);
  expect(parseProcessFacts(9, files, listing).deletedFiles).toEqual([
    { path: "/srv/debug.log", sizeBytes: 48_234_496 },
  ]);
});

it("knows no size where the descriptor's record could not be read", () => {
  expect(parseProcessFacts(9, new Map(), listing).deletedFiles).toEqual([{ path: "/srv/debug.log", sizeBytes: null }]);
});
