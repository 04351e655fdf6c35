import { randomUUID } from "node:crypto";
import pg from "pg";
import { describe } from "vitest";
import { openStore } from "../../src/store/store.ts";
import { storeContract } from "../store/contract.ts";
const server = process.env["PGURL"]!;
describe("a store in Postgres", () => {
  storeContract(async () => {
    const name = `t_${randomUUID().replaceAll("-", "")}`;
    const run = async (url: string, statement: string) => {
      const client = new pg.Client(url);
      await client.connect();
      await client.query(statement).finally(() => client.end());
    };
    await run(`${server}/postgres`, `create database ${name}`);
    return {
      open: (clock) => openStore(`${server}/${name}`, { clock }),
      tamper: (s) => run(`${server}/${name}`, s),
      remove: () => run(`${server}/postgres`, `drop database ${name}`),
    };
  });
});
