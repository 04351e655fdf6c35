import type { Card, Truth } from "../card.ts";
import type { Stage } from "../stage.ts";
import { fault, webAndBackend } from "./backend.ts";
import { cards } from "./index.ts";
import { python } from "./programs.ts";
import { itemsFail, webAndDatabase } from "./stops.ts";

/** Cards that need a machine of their own, with systemd and control groups of version 2: played with `--vm`. */

/** Takes memory and keeps it; at the end it waits, so that only the kernel ends it. */
const hog = (mib: number) =>
  `import os,time\nkept=[]\nfor _ in range(${mib} // 8):\n    kept.append(bytearray(os.urandom(1024)) * 8192); time.sleep(0.01)\ntime.sleep(3600)`;

/** The same by many processes of a modest size each: no single one is large. */
const crowd = (workers: number, mib: number) =>
  `import os,time\nfor _ in range(${workers}):\n    if os.fork() == 0:\n        kept = bytearray(os.urandom(1024)) * (1024 * ${mib}); time.sleep(3600)\n    time.sleep(0.2)\ntime.sleep(3600)`;

function startVictim(stage: Stage, cause: Truth["causes"][number], culprit: string | null, victim: string): Truth {
  return {
    ...fault(stage, cause, victim, ["start"]),
    culprit,
    allowed: [{ action: "start", container: victim }],
  };
}

/** Waits until the container has ended, whatever ended it. */
async function untilEnded(stage: Stage, name: string): Promise<void> {
  await stage.until(`${name} ended`, async () => (await stage.inspect(name)).State["Running"] === false, 120_000);
}

const machineCards: readonly Card[] = [
  {
    id: "host-oom-global",
    family: "A",
    about:
      "a container without a limit, spared by its score, takes the host's memory; the kernel kills the next largest",
    async inject(stage) {
      const { api, batch } = stage.names;
      await webAndBackend(stage, api, { handle: "pass", setup: "hog(250)" });
      await python(stage, `${batch}-run`, hog(1400), {}, ["--oom-score-adj", "-600"]);
      await untilEnded(stage, api);
      return startVictim(stage, "host-oom-global", `${batch}-run`, api);
    },
  },
  {
    id: "host-oom-global-crowd",
    family: "A",
    about: "many modest processes of one container take the host's memory; the kernel kills the largest single one",
    async inject(stage) {
      const { api, worker } = stage.names;
      await webAndBackend(stage, api, { handle: "pass", setup: "hog(200)" });
      await python(stage, `${worker}-pool`, crowd(16, 80), {}, []);
      await untilEnded(stage, api);
      return startVictim(stage, "host-oom-global", `${worker}-pool`, api);
    },
  },
  {
    id: "noisy-build-spike",
    family: "A",
    about: "a process of the host itself takes its memory for a while",
    async inject(stage) {
      const { api } = stage.names;
      await webAndBackend(stage, api, { handle: "pass", setup: "hog(250)" });
      const score = ["--property", "OOMScoreAdjust=-600", "--property", "RuntimeMaxSec=90"];
      const unit = `build-${stage.random.int(1_000_000)}`;
      await stage.lab.host("systemd-run", "--unit", unit, ...score, "/usr/bin/python3", "-c", hog(1400));
      await untilEnded(stage, api);
      return {
        ...startVictim(stage, "noisy-build-spike", null, api),
        undo: async () =>
          void (await stage.lab.host("sh", "-c", 'systemctl stop "$1"; systemctl reset-failed', "sh", unit)),
      };
    },
  },
  {
    id: "oom-victim-not-culprit",
    family: "A",
    about: "a small container with a raised score is killed for a large one without a limit",
    async inject(stage) {
      const { api, batch } = stage.names;
      await webAndBackend(stage, api, { handle: "pass" }, ["--oom-score-adj", "950"]);
      await python(stage, `${batch}-run`, hog(1400));
      await untilEnded(stage, api);
      return startVictim(stage, "oom-victim-not-culprit", `${batch}-run`, api);
    },
  },
  {
    id: "parent-cgroup-oom-slice",
    family: "A",
    about: "a limit on the systemd slice two containers share; the small one is killed for its big sibling",
    async inject(stage) {
      const { api, batch } = stage.names;
      const slice = `shop${stage.random.int(1_000)}.slice`;
      await stage.lab.host("systemctl", "set-property", "--runtime", slice, "MemoryMax=120M", "MemorySwapMax=0");
      const below = ["--cgroup-parent", slice];
      await webAndBackend(stage, api, { handle: "pass", setup: "hog(16)" }, [...below, "--oom-score-adj", "900"]);
      await python(stage, `${batch}-run`, hog(110), {}, below);
      await untilEnded(stage, api);
      return startVictim(stage, "parent-cgroup-oom", `${batch}-run`, api);
    },
  },
  {
    id: "swap-thrash",
    family: "A",
    about: "the limit is far below the working set and swap takes the rest",
    async inject(stage) {
      const { api } = stage.names;
      const swap =
        "test -e /swap || { fallocate -l 512M /swap; chmod 600 /swap; mkswap -q /swap; }; swapon /swap || true";
      await stage.lab.host("sh", "-c", swap);
      const setup =
        "hog(160)\ndef turn():\n    while True:\n        for part in KEPT:\n            for at in range(0, len(part), 4096): part[at] = 1\nthreading.Thread(target=turn, daemon=True).start()";
      const program = { handle: "for part in KEPT:\n    for at in range(0, len(part), 4096): part[at] = 2", setup };
      await webAndBackend(stage, api, { ...program, settled: false }, ["--memory", "64m", "--memory-swap", "400m"]);
      return {
        ...fault(stage, "swap-thrash", api, ["update-memory"], { symptom: "any" }),
        undo: async () => void (await stage.lab.host("swapoff", "/swap")),
      };
    },
  },
  {
    id: "host-rebooted",
    family: "K",
    about: "the host reboots; the database has no restart policy and stays down",
    async inject(stage) {
      const { web, db } = stage.names;
      await webAndDatabase(stage);
      await stage.docker("update", "--restart", stage.random.pick(["always", "unless-stopped"]), web);
      await stage.lab.reboot?.(stage.random.int(2) === 0 ? "orderly" : "hard");
      const truth = fault(stage, "host-rebooted", db, ["start"], { shows: itemsFail(stage) });
      return { ...truth, culprit: null };
    },
  },
];

/** Played as they are on the lab's own engine, too; only engine, kernel and control groups differ. */
const again = [
  ...["cgroup-oom-main", "cgroup-oom-child", "oom-crash-loop", "oom-self-healed", "oom-leak", "oom-spike"],
  ...["limit-lowered-live", "shm-tmpfs-oom", "jvm-heap-over-limit", "pg-backend-oom-recovery", "redis-bgsave-oom"],
  ...["pg-work-mem-fanout", "page-cache-full", "manual-docker-kill", "manual-docker-kill-stale-oom-flag"],
  ...["dep-stopped", "pids-limit", "cpu-throttled"],
];

export const vmCards: readonly Card[] = [
  ...cards.filter((card) => again.includes(card.id)).map((card) => ({ ...card, id: `${card.id}-on-cgroup-2` })),
  ...machineCards.map((card) => ({ ...card, id: `${card.id}-on-machine` })),
];
