import { inert } from "./inert.ts";
import { parseProcessTable } from "./process-table.ts";
import { type EvidenceSource, outputFailure, parsedFrom, toReading } from "./reading.ts";

/** Every process of the host. Zombies of a container stand only here: they are in no list of its group. */
export const hostProcesses: EvidenceSource<"host-processes"> = {
  name: "host-processes",
  async read(reader, planned, context) {
    const output = await reader.run({ command: "processes" }, context.signal);
    const about = { source: planned.source, host: planned.host, containerId: null, read: output.read };
    const failure = outputFailure(output);
    if (failure !== null || !output.ok) {
      return toReading(
        about,
        { status: "failed", code: "failed", reason: "no answer", fix: null, ...failure },
        context,
      );
    }
    const masked = context.redactor.lines(output.stdout.toString("utf8").split("\n").map(inert)).join("\n");
    const parsed = parsedFrom<"host-processes", string>(masked, (table) => {
      const rows = parseProcessTable(table);
      if (rows.length === 0) throw new Error("no process in it");
      return rows;
    });
    return toReading(about, parsed, context);
  },
};
