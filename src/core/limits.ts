/** Every timeout, size and count of the program, in one place. Units are in the names. */
export const limits = {
  // hosts
  connectTimeoutMs: 8_000,
  keepaliveIntervalMs: 15_000,
  /** Channels in use at once on one SSH connection; sshd's MaxSessions is 10 by default and counts exec channels. */
  sshChannels: 8,
  readTimeoutMs: 5_000,
  commandTimeoutMs: 6_000,
  actionTimeoutMs: 60_000,
  probeTimeoutMs: 3_000,
  reconnectDelayMaxMs: 30_000,

  // what one read may bring
  dockerReplyBytes: 8_000_000,
  commandOutputBytes: 16_000_000,
  kernelLogBytes: 16_000_000,
  logBytes: 1_000_000,
  logLines: 1_000,
  logLineBytes: 4_096,
  probeBodyBytes: 4_096,
  eventsLookbackMs: 24 * 3_600_000,
  /** The engine remembers this many events (moby daemon/events/events.go, eventsLimit). */
  engineEvents: 256,
  containersPerHost: 500,
  gatherRounds: 6,
  gatherDeadlineMs: 20_000,

  // diagnosis
  factTextChars: 400,
  suspects: 5,
  nearNames: 5,

  // plans
  planExpiresAfterMs: 30 * 60_000,
  verificationProbes: 5,
  verificationIntervalMs: 1_000,
  verificationDeadlineMs: 90_000,
  minimumMemoryBytes: 6_291_456,

  // people and rooms
  noteChars: 3_000,
  timelineEntries: 10_000,
} as const;
