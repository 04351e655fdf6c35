import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "./lab.ts";
import { until } from "./stage.ts";

/** Recorded on a virtual machine with Debian 12 (kernel 6.1, 1.5 GiB) whose memory a container without a limit took. */
const record = join(import.meta.dirname, "../fixtures/debian-12/host-oom.dmesg.txt");
const inRecord = {
  victim: { id: "fe274f87b71621f214c6915f6f847099934ae53e1aac05a992c6258b4c3bbd07", pid: 2237 },
  hog: { pid: 2859 },
  seconds: 1465.8,
};

/**
 * This machine must not run out of memory, so the kernel's part is a recording: `victim` gets the signal the kernel
 * sends, and a sshd whose `dmesg` prints the recorded record, with its container, its two processes and its time in the
 * place of the recorded ones. Resolves to the lab as it is reached through that sshd.
 */
export async function killForHostMemory(lab: Lab, victim: string, hog: string): Promise<Lab> {
  const [id = "", pid = ""] = (await lab.docker("inspect", "--format", "{{.Id}} {{.State.Pid}}", victim))
    .trim()
    .split(" ");
  const hogPid = (await lab.docker("inspect", "--format", "{{.State.Pid}}", hog)).trim();
  const [uptime = ""] = readFileSync("/proc/uptime", "utf8").split(" ");
  process.kill(Number(pid), "SIGKILL");
  await until(
    lab,
    victim,
    "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}",
    (now) => now === "exited 137 false",
  );
  const later = Number(uptime) - inRecord.seconds;
  const lines = readFileSync(record, "utf8")
    .replaceAll(inRecord.victim.id, id)
    .replaceAll(new RegExp(`\\b${inRecord.victim.pid}\\b`, "g"), pid)
    .replaceAll(new RegExp(`\\b${inRecord.hog.pid}\\b`, "g"), hogPid)
    .replaceAll(/^\[ *(\d+\.\d+)\]/gm, (_, seconds: string) => `[${(Number(seconds) + later).toFixed(6)}]`);
  const folder = join(lab.dir, "recorded");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "kernel.txt"), lines);
  writeFileSync(join(folder, "dmesg"), `#!/bin/sh\nexec cat ${folder}/kernel.txt\n`);
  chmodSync(join(folder, "dmesg"), 0o755);
  return { ...lab, ssh: await lab.startSshd({ programs: folder }) };
}
