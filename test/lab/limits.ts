/** Every timeout, size and count of the lab. Times in milliseconds. */

export const COMMAND_TIMEOUT_MS = 120_000;
export const COMMAND_OUTPUT_BYTES = 16 * 1024 * 1024;
export const APT_TIMEOUT_MS = 600_000;
/** An engine tries a registry that does not answer for minutes; without one debootstrap is quicker than that. */
export const PULL_TIMEOUT_MS = 60_000;
export const BOOTSTRAP_TIMEOUT_MS = 900_000;
export const IMPORT_TIMEOUT_MS = 180_000;
export const ENGINE_PROBE_TIMEOUT_MS = 5_000;
export const ENGINE_START_TIMEOUT_MS = 60_000;
export const SSHD_START_TIMEOUT_MS = 10_000;
export const TERMINATE_TIMEOUT_MS = 15_000;
export const POLL_INTERVAL_MS = 100;

/** Another process may be building the image root: the wait covers one whole build. */
export const LOCK_TIMEOUT_MS = 900_000;

export const SERVICE_READY_TIMEOUT_MS = 60_000;
export const FAULT_TIMEOUT_MS = 60_000;
export const HTTP_TIMEOUT_MS = 10_000;
/** A crash loop is not one until the policy has brought the container back this often. */
export const CRASH_LOOP_RESTARTS = 2;

/** Labs that can be up at once; each has a /21 of its own, cut into /27 networks. */
export const SLOTS = 24;
/** A Unix socket path may hold 107 bytes; containerd's longest name below the lab's folder needs about 40. */
export const DIR_PATH_BYTES = 60;

/** One boot of the lab's machine, also where the processor has to be emulated. */
export const VM_BOOT_TIMEOUT_MS = 600_000;
export const VM_FIRST_WORD_TIMEOUT_MS = 15_000;
/** The machine is ten times slower where its processor is emulated. */
export const VM_PATIENCE = 10;
export const VM_COMMAND_TIMEOUT_MS = 600_000;

/** Where no systemd is there to run Podman's health checks, the lab does. */
export const HEALTH_INTERVAL_MS = 3_000;
