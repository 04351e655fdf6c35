import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRedactor, redactArguments, redactEnv, redactText } from "../../src/sources/redact.ts";

describe("redacting text", () => {
  it.each([
    ["postgres://app:hunter2@db:5432/shop", "postgres://[redacted]@db:5432/shop"],
    ["redis://:hunter2@cache:6379/0", "redis://[redacted]@cache:6379/0"],
    ["dsn host=db password=hunter2 dbname=shop", "dsn host=db password=[redacted] dbname=shop"],
    ["PGPASSWORD=hunter2 psql", "PGPASSWORD=[redacted] psql"],
    ['{"db_password": "hun\\"ter2", "port": 1}', '{"db_password": "[redacted]", "port": 1}'],
    ['msg="{\\"token\\":\\"hunter2\\"}"', 'msg="{\\"token\\":\\"[redacted]\\"}"'],
    ["Server=db;Password=hunter2;Database=shop", "Server=db;Password=[redacted];Database=shop"],
    ["ALTER ROLE app PASSWORD 'hunter2'", "ALTER ROLE app PASSWORD '[redacted]'"],
    ["run --api-key hunter2 --port 80", "run --api-key [redacted] --port 80"],
    ["mysql -uroot -phunter2 shop", "mysql -uroot -p[redacted] shop"],
    ["authorization: Basic aHVudGVyMg==", "authorization: [redacted]"],
    ["Cookie: sid=hunter2; a=b", "Cookie: [redacted]"],
    ["sent Bearer abc.def-ghi_jkl", "sent Bearer [redacted]"],
    ["jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "jwt [redacted]"],
    [`key ${"AKIA"}IOSFODNN7EXAMPLE used`, "key [redacted] used"],
    [`${"xoxb"}-1234567890-abcdef and ${"ghp"}_0123456789abcdefghij`, "[redacted] and [redacted]"],
    ["GET /items?token=hunter2&page=2", "GET /items?token=[redacted]&page=2"],
  ])("masks the secret of %s", (text, masked) => {
    expect(redactText(text)).toBe(masked);
  });

  it.each([
    'FATAL:  password authentication failed for user "app"',
    "connect() failed (111) upstream: http://172.18.0.7:5000/users/x@example.org",
    "connection to server at 172.18.0.3, port 5432 failed: Connection refused",
    "duplicate key value violates unique constraint",
    "SyntaxError: tokenizer: unexpected end",
  ])("leaves %s alone", (text) => {
    expect(redactText(text)).toBe(text);
  });

  it("masks a private key over many lines and keeps their number", () => {
    const lines = [
      "before",
      "-----BEGIN RSA PRIVATE KEY-----",
      "MIIEow",
      "AAAA",
      "-----END RSA PRIVATE KEY-----",
      "after",
    ];
    const masked = createRedactor().lines(lines);
    expect(masked).toEqual(["before", ...Array(4).fill("[redacted]"), "after"]);
  });

  it("masks a private key that never ends as far as it looks like one", () => {
    const text = "-----BEGIN PRIVATE KEY-----\nMIIEow\n{not a key}";
    expect(redactText(text)).toBe("[redacted]\n[redacted]\n{not a key}");
  });

  it("changes nothing the second time", () => {
    const word = fc.constantFrom(
      ..."password=|token: |://|u:p@|[redacted]|\"|'|\\|=|:| |\n|Bearer |abcdefgh|--secret |mysql -p|eyJabcdefgh.abcd|Cookie: ".split(
        "|",
      ),
      "-----BEGIN PRIVATE KEY-----",
      "identified by '",
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        const once = redactText(words.join(""));
        expect(redactText(once)).toBe(once);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    'password="',
    "token='",
    "://a:",
    "-----BEGIN PRIVATE KEY-----\n",
    "--",
    "secret",
    "mysql -",
    "eyJ",
    '\\"',
    "://",
  ])("takes a megabyte of %j in linear time", (hostile) => {
    const timed = (bytes: number) => {
      const text = `${hostile.repeat(Math.floor(bytes / hostile.length))} pass`;
      const startMs = performance.now();
      redactText(text);
      return performance.now() - startMs;
    };
    timed(100_000);
    // Square time would be a hundred times the tenth, and minutes in all.
    expect(timed(1_000_000)).toBeLessThan(Math.max(1_500, 60 * timed(100_000)));
  });
});

describe("redacting an environment", () => {
  it("keeps where an address points to, without user and password", () => {
    expect(redactEnv("DATABASE_URL", "postgres://app:pa/ss@db:5432/shop?sslmode=off").value).toBe(
      "postgres://[redacted]@db:5432/shop?sslmode=off",
    );
    expect(redactEnv("SENTRY_DSN", "https://abcdef@sentry.local/1").value).toBe("https://[redacted]@sentry.local/1");
    expect(redactEnv("MYSQL_DSN", "root:pw@tcp(db:3306)/x").value).toBe("[redacted]@tcp(db:3306)/x");
    expect(redactEnv("PG_DSN", "host=db password=pw").value).toBe("host=db password=[redacted]");
  });

  it("masks the value of a secret name whole, and equal values keep equal digests", () => {
    const first = redactEnv("DB_PASSWORD", "hunter2");
    expect(first).toMatchObject({ name: "DB_PASSWORD", value: "[redacted]" });
    expect(first.digest).toBe(redactEnv("OTHER", "hunter2").digest);
    expect(first.digest).not.toBe(redactEnv("DB_PASSWORD", "hunter3").digest);
    expect(redactEnv("DB_PASSWORD_FILE", "/run/secrets/db").value).toBe("/run/secrets/db");
  });

  it("masks what it learned where the same value shows up later, but no everyday words", () => {
    const redactor = createRedactor({ patterns: [/order-\d+/] });
    redactor.env("DB_PASSWORD", "zebra-crossing");
    redactor.env("DATABASE_URL", "postgres://app:pink%2Felephant@db/shop");
    redactor.env("POSTGRES_PASSWORD", "postgres");
    expect(redactor.text("tried zebra-crossing, pink/elephant for order-77 in postgres: checkpointer")).toBe(
      "tried [redacted], [redacted] for [redacted] in postgres: checkpointer",
    );
  });

  it("masks an argument after a secret flag", () => {
    expect(redactArguments(["redis-server", "--requirepass", "hunter2", "--port", "6379"])).toEqual([
      "redis-server",
      "--requirepass",
      "[redacted]",
      "--port",
      "6379",
    ]);
  });
});
