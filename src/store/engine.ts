import type { ColumnDefinitionBuilder, Kysely, RawBuilder, Transaction } from "kysely";
import type { Fault } from "../core/result.ts";
import type { Clock } from "../ports.ts";
import type { Tables } from "./schema.ts";

/** Where the two databases differ. Everything else is in the queries they share. */
export interface Engine {
  db: Kysely<Tables>;
  /** The type of a column the database numbers by itself, and how it is declared. */
  rowIdType: "integer" | "bigint";
  rowId(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder;
  /** Whether rows are locked one by one. SQLite's write transactions exclude each other whole. */
  rowLocks: boolean;
  /** The time leases and claims are measured by, as SQL. */
  nowMs(callerMs: number): RawBuilder<number>;
  /** Held until the transaction ends; one migration at a time. */
  lockSchema(trx: Transaction<Tables>): Promise<void>;
  /** Throws when writes would go where nobody will find them, for example to a file that was deleted. */
  checkPlace(): void;
  /** `doing` is what was being done, as the beginning of a sentence. */
  fault(doing: string, error: unknown): Fault;
  close(): Promise<void>;
}

/** What the queries are made of: the engine, the clock, and the two ways to use the database. */
export interface Access {
  engine: Engine;
  clock: Clock;
  /** Throws `Fault` store-unavailable that begins with `doing`. */
  read<T>(doing: string, query: (db: Kysely<Tables>) => Promise<T>): Promise<T>;
  /** One transaction: all of it is durable when the promise resolves, none of it when it rejects. */
  write<T>(doing: string, change: (trx: Transaction<Tables>) => Promise<T>): Promise<T>;
}
