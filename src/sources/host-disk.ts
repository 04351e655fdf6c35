import type { DiskUsage } from "../core/readings.ts";
import { cellsOf } from "./process-table.ts";
import { type EvidenceSource, outputFailure, parsedFrom, toReading } from "./reading.ts";

/** Bytes and inodes of every mounted file system. */
export const hostDisk: EvidenceSource<"host-disk"> = {
  name: "host-disk",
  async read(reader, planned, context) {
    const [disk, inodes] = await Promise.all([
      reader.run({ command: "disk" }, context.signal),
      reader.run({ command: "inodes" }, context.signal),
    ]);
    const about = {
      source: planned.source,
      host: planned.host,
      containerId: null,
      read: `${disk.read}, ${inodes.read}`,
    };
    const failure = outputFailure(disk);
    if (failure !== null || !disk.ok) {
      return toReading(about, { status: "failed", ...(failure ?? noAnswer) }, context);
    }
    // df exits with 1 when one mount cannot be read, and prints the others.
    const texts = [disk.stdout.toString("utf8"), inodes.ok ? inodes.stdout.toString("utf8") : ""];
    const parsed = parsedFrom<"host-disk", string>(context.redactor.text(texts.join("\n\n")), (masked) => {
      const [bytes, counts] = masked.split("\n\n");
      return parseDisk(bytes ?? "", counts ?? "");
    });
    return toReading(about, parsed, context);
  },
};

const noAnswer = { code: "failed" as const, reason: "no answer", fix: null };

/** Takes `df -Pk` with or without `-T`, and `df -Pi`. File systems without a size (proc, cgroup) are left out. */
export function parseDisk(disk: string, inodes: string): DiskUsage[] | null {
  const counts = new Map(rowsOf(inodes).map((row) => [row.target, row]));
  const rows = rowsOf(disk).flatMap((row): DiskUsage[] => {
    if (row.total === null || row.used === null || row.free === null || row.total === 0) return [];
    const count = counts.get(row.target);
    // Some file systems (btrfs) count no inodes and print 0.
    const counted = count !== undefined && count.total !== null && count.total > 0;
    return [
      {
        device: row.device,
        target: row.target,
        type: row.type,
        sizeBytes: row.total * 1024,
        usedBytes: row.used * 1024,
        availableBytes: row.free * 1024,
        inodesTotal: counted ? count.total : null,
        inodesUsed: counted ? count.used : null,
        inodesFree: counted ? count.free : null,
      },
    ];
  });
  return rows.length === 0 ? null : rows;
}

function rowsOf(text: string) {
  const [titles = "", ...lines] = text.split("\n");
  const typed = /\bType\b/.test(titles);
  return lines
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const cells = cellsOf(line, typed ? 7 : 6);
      const [total, used, free] = cells.slice(typed ? 2 : 1);
      return {
        device: cells[0] ?? "",
        type: typed ? (cells[1] ?? null) : null,
        total: count(total),
        used: count(used),
        free: count(free),
        target: cells[typed ? 6 : 5] ?? "",
      };
    });
}

/** Some file systems have `-` instead of a figure, and a used share above the size gives a negative free one. */
function count(text: string | undefined): number | null {
  return text !== undefined && /^-?\d+$/.test(text) ? Math.max(0, Number(text)) : null;
}
