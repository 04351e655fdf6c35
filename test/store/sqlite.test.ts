import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe } from "vitest";
import { openStore } from "../../src/store/store.ts";
import { storeContract } from "./contract.ts";

describe("a store in a file", () => {
  storeContract(async () => {
    const folder = mkdtempSync(join(tmpdir(), "room137-store-"));
    const path = join(folder, "data", "room137.db");
    return {
      open: (clock) => openStore(`file:${path}`, { clock }),
      tamper: async (statement) => {
        const database = new DatabaseSync(path);
        database.exec(statement);
        database.close();
      },
      remove: async () => rmSync(folder, { recursive: true }),
    };
  });
});
