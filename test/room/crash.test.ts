import { describe } from "vitest";
import { openStore } from "../../src/store/store.ts";
import { crashContract } from "./crash-contract.ts";

describe("dying on SQLite", () => {
  crashContract(
    async () => ({
      open: (clock) => openStore("file::memory:", { clock }),
      // Leases go by the caller's clock here.
      outliveLeases: async () => {},
    }),
    { series: 60 },
  );
});
