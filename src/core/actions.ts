/**
 * Everything room137 can do to a host. This union and its one interpreter in `hosts/perform.ts` are the whole of it:
 * there is no remove, recreate, stop, kill, exec, prune or lower.
 */
export type HostAction =
  | (ActionTarget & {
      action: "update-memory";
      memoryBytes: number;
      memorySwapBytes: number;
    })
  | (ActionTarget & { action: "update-pids-limit"; pidsLimit: number })
  | (ActionTarget & {
      action: "update-restart-policy";
      restartPolicy: "no" | "on-failure" | "always" | "unless-stopped";
      maximumRetryCount: number;
    })
  | (ActionTarget & { action: "start" })
  | (ActionTarget & { action: "restart"; graceSeconds: number })
  | (ActionTarget & { action: "unpause" })
  | (ActionTarget & {
      action: "connect-network";
      networkId: string;
      networkName: string;
      aliases: string[];
    });

export interface ActionTarget {
  host: string;
  /** Name, for people. */
  container: string;
  /** 64 hex: what is acted on. */
  containerId: string;
}

export type ActionName = HostAction["action"];

export const actionNames = [
  "update-memory",
  "update-pids-limit",
  "update-restart-policy",
  "start",
  "restart",
  "unpause",
  "connect-network",
] as const satisfies readonly ActionName[];

/** What an action looks like from outside once it has been done; how a crash is told from a finished step. */
export type StepState = "done" | "not-done" | "unknown";
