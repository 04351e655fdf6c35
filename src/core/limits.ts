/** Every timeout, size and count of the program, in one place. Units are in the names. */
export const limits = {
  // hosts
  connectTimeoutMs: 8_000,
  keepaliveIntervalMs: 15_000,
  /** Channels in use at once on one SSH connection; sshd's MaxSessions is 10 by default and counts exec channels. */
  sshChannels: 8,
  /** sshd frees a session a moment after it closed the channel; with MaxSessions 1 the next one has to wait for that. */
  channelRetries: 10,
  channelRetryDelayMs: 20,
  /** Shells kept open on one connection for the closed set of commands, and how long one may take to greet. */
  keptShells: 3,
  shellHelloMs: 3_000,
  /** A command waits this long for a shell that is open before another one is opened. */
  shellPatienceMs: 100,
  /** More than an end mark takes: newline, 32 hex, a space, an exit code, newline. */
  shellTokenBytes: 64,
  readTimeoutMs: 5_000,
  commandTimeoutMs: 6_000,
  actionTimeoutMs: 60_000,
  probeTimeoutMs: 2_500,
  reconnectDelayMs: 250,
  reconnectDelayMaxMs: 30_000,
  /** Kept-alive HTTP connections to one engine; each is a forwarded channel, which MaxSessions does not count. */
  dockerSockets: 8,
  /** The same where forwarding is forbidden and each is a `docker system dial-stdio` session. */
  dockerSocketsOverExec: 3,
  filesPerCommand: 400,
  /** Changed files of one container that are kept. */
  changedPaths: 2_000,
  fileBytes: 65_536,
  /** Deleted files still open that are looked at, per process. */
  deletedFiles: 5,
  journalLines: 20_000,
  eventLineBytes: 1_000_000,
  /** A host clock further off than this is told by the host check. */
  clockOffsetMs: 2_000,
  configBytes: 1_000_000,

  // what one read may bring
  dockerReplyBytes: 8_000_000,
  commandOutputBytes: 16_000_000,
  kernelLogBytes: 16_000_000,
  /** The kernel prints at most 1 kB a record; a journal entry as JSON with its fields is longer. */
  kernelLogLineChars: 65_536,
  logBytes: 1_000_000,
  /** The largest page of a kernel that is met (arm64): limits are rounded to whole ones. */
  largestPageBytes: 65_536,
  logLines: 1_000,
  logLineBytes: 4_096,
  probeBodyBytes: 4_096,
  prometheusTimeoutMs: 2_000,
  prometheusReplyBytes: 16_000_000,
  /** One archive of a proxy's configuration, the files taken from it, and the upstreams kept of all. */
  proxyConfigBytes: 262_144,
  proxyConfigFiles: 100,
  proxyUpstreams: 200,
  /** Proxies whose files are read for one question: each file read is an event of the engine, which keeps few. */
  proxiesRead: 3,
  eventsLookbackMs: 24 * 3_600_000,
  /** The engine remembers this many events (moby daemon/events/events.go, eventsLimit). */
  engineEvents: 256,
  containersPerHost: 500,
  gatherRounds: 6,
  gatherDeadlineMs: 20_000,

  // diagnosis
  factTextChars: 400,
  /** How far a kernel record may lie from the engine's `die`: the daemon waits for the log streams before it tells. */
  killBeforeDeathMs: 8_000,
  killAfterDeathMs: 2_000,
  /** How late the engine may tell `die` after the end that its state names. */
  lateDieMs: 60_000,
  /** A signal sent longer before the end, without a stop around it, did not cause it. */
  signalBeforeDeathMs: 30_000,
  /** The engine's own grace period and a little: a stop this long before a death would have been seen. */
  stopVisibleMs: 15_000,
  /** A limit that was changed longer before the kill is not what the kill is about. */
  loweredBeforeKillMs: 6 * 3_600_000,
  loweredUnprovenMs: 30 * 60_000,
  /** Samples, requests and processes from which a shape can be told. */
  shapeSamples: 5,
  shapeRequests: 5,
  fanoutProcesses: 4,
  /** Somebody marked the process as one to kill early. */
  raisedOomScore: 300,
  thrashPressurePercent: 10,
  /** What execve refuses ends within this time. */
  startFailsWithinMs: 3_000,
  /** Below what may be accused: told as a suspect. */
  suspectWeight: 45,
  thrashMajorFaults: 10_000,
  /** Containers that a stopping daemon ends are gone within its 10 s grace and a little. */
  daemonStopSpreadMs: 14_000,
  walkDepth: 6,
  /** Deaths this close together are one crash loop; a run this long ends it (the engine resets its delay after 10 s). */
  loopWindowMs: 3_600_000,
  stableRunMs: 60_000,
  /** A fault that is over still explains a report for this long. */
  pastFaultMs: 6 * 3_600_000,
  recentTroubleMs: 15 * 60_000,
  /** A run this long in a loop has served somebody; shorter ones died at their start. */
  servingRunMs: 3_000,
  /** Share of the time that a container must be up to look alive at every look. */
  servingShare: 0.6,
  /** After this many restarts the engine's doubled delay is 25.6 s or more. */
  longDelayRestarts: 8,
  /** A program that ran this long was past its start. */
  pastStartMs: 10_000,
  /** What a proposed restart policy tries at most before a crash loop ends. */
  policyRetries: 5,
  helperWindowMs: 30 * 60_000,
  /** Changes this long before the trouble are told beside the answer, and this many of them. */
  changeWindowMs: 60 * 60_000,
  changesTold: 3,
  /** A container created this shortly before the onset looks guilty; a climb that began this long before it is older. */
  deployAtOnsetMs: 15 * 60_000,
  rampBeforeDeployMs: 60_000,
  /** Statements of one shape within two seconds that no page needs. */
  queriesPerRequest: 25,
  replicasRead: 4,
  /** A prune tells its own event after it removed what it found. */
  pruneSpreadMs: 10_000,
  /** A volume removed this long after its container still belongs to that loss. */
  volumeAfterRemovalMs: 30 * 60_000,
  /** An image built this shortly before its container was made is a new release. */
  freshImageMs: 24 * 3_600_000,
  /** A release that answered well for this long is not blamed for what begins then. */
  releaseBlameMs: 60 * 60_000,
  /** A host that goes down ends its containers within minutes; after an unclean end the daemon dates them at its start. */
  beforeBootMs: 10 * 60_000,
  afterBootMs: 3 * 60_000,
  /** What a program says this soon after its start still holds: it said so once and goes on without. */
  bootMs: 60_000,
  /** Lines this close together tell of one failure. */
  sameMomentMs: 1_500,
  /** An answer this late is a symptom of its own when slowness is asked about. */
  slowProbeMs: 1_000,
  /** Failures this close to the newest one belong to the same trouble. */
  sameTroubleMs: 120_000,
  /** Without a health check, a server that does not listen yet is starting for this long at most. */
  startingMs: 120_000,
  /** What a person did this recently is still being done. */
  operatorActsMs: 120_000,
  /** A failure that begins within this of an edit inside a container is the edit's. */
  editShowsMs: 30_000,
  /** Connections of one client to a full server before it can be the one that holds them. */
  holderConnections: 3,
  /** Failures a second of one client against one peer that are no longer the users' own. */
  stormPerSecond: 5,
  /** A record that is refused this often will be refused again. */
  redeliveries: 3,
  /** A volume made this close to its container was made for it. */
  freshVolumeMs: 120_000,
  sameSlowQuery: 3,
  /** A statement this recently in the log is still being sent. */
  slowQueryGoesOnMs: 10_000,
  /** Failed requests that blame nobody, after which an earlier complaint of a peer is over. */
  failuresSince: 3,
  /** Generations of processes looked for below a container's main one. */
  processDepth: 4,
  /** Requests that work between two failures that are not one trouble. */
  answersBetween: 5,
  /** Requests answered with 4xx before they are told as a pattern. */
  clientErrors: 5,
  /** Share of throttled periods above which slowness is the processor cap's. */
  throttledShare: 0.25,
  /** Connections the peer has closed and the program still holds. */
  deadSockets: 1,
  /** A container that runs this long should have opened its port. */
  settlesMs: 8_000,
  /** Fewer full queues than this are a burst. */
  overflowsFrom: 3,
  /** nginx tries a server that it marked as down again after this long, unless told otherwise. */
  failTimeoutMs: 12_000,
  /** Outgoing sockets from which a shortage of local ports is believable, and what one read of the table holds. */
  manySockets: 50,
  socketsRead: 400,
  /** What does not fit a small packet, and what a fast link does not leave waiting. */
  largePacketBytes: 700,
  largeQueueBytes: 30_000,
  /** A connect on one machine takes a millisecond or two. */
  slowConnectMs: 100,
  /** How many times longer than the quickest connect on the host a delayed one takes at least. */
  slowConnectRatio: 10,
  retransmitsFrom: 20,
  retransmitShare: 0.04,
  conntrackShare: 0.98,
  /** A clock this wrong breaks certificates, tokens and signatures. */
  clockSkewMs: 60_000,
  /** Hosts with more containers are inspected only around the asked-about service. */
  inspectAllUpTo: 60,
  logTail: 400,
  /** Containers looked at more closely when their host is short of something. */
  shortageReads: 20,
  /** Percent of time in which something waited for the disk: `io.pressure` some avg10. */
  ioPressureFrom: 15,
  /** Lines of one message that a JSON logger wrapped into one line. */
  wrappedLines: 60,
  /** A log line whose own stamp is this much older than its arrival was written then: more than time zones can differ. */
  replayedLineMs: 26 * 3_600_000,
  /** Connections that their clients left and a program never closed: from so many on it does not accept. */
  abandonedFrom: 2,
  probePaths: 5,
  /** Failed answers after the question, with none that worked between them, that outweigh one probe that works. */
  failsOnFrom: 3,
  probePorts: 3,
  /** Score a finding needs to be accused; and when the probed paths answer. */
  accuseFrom: 50,
  accuseWhenSeemingFineFrom: 70,
  contributeFrom: 55,
  suspects: 5,
  nearNames: 5,

  // plans
  planExpiresAfterMs: 30 * 60_000,
  verificationProbes: 5,
  verificationIntervalMs: 1_000,
  verificationDeadlineMs: 90_000,
  /** A raise below this factor is not worth a change in production. */
  leastRaise: 1.25,
  /** A raise above this factor is a medium risk: it deserves a second look. */
  bigRaise: 4,
  /** Share of the host's available memory that a raise may claim. */
  hostHeadroomShare: 0.8,
  listedIncidents: 50,
  stopDeadlineMs: 10_000,
  httpRequestTimeoutMs: 30_000,
  httpHeadersTimeoutMs: 10_000,
  minimumMemoryBytes: 6_291_456,

  // carrying out
  /** A decision made just before its plan expired may still be carried out for this long. */
  decisionHoldsMs: 5 * 60_000,
  /** How long an engine may still be doing what was asked of it when the asker died; a restart adds its grace. */
  actionSettlesMs: 15_000,
  /** After a crash a host that cannot be read is asked this often before a step is called unknown. */
  recoveryReads: 5,
  recoveryReadDelayMs: 2_000,
  /** How often an append that lost its place is judged again. */
  appendAttempts: 100,
  /** Held while it is looked whether another incident has a plan for the same container. */
  proposeLeaseMs: 10_000,
  proposeRetryMs: 100,
  /** A lease and a tick together stay below the 10 s in which another replica takes over. */
  tickMs: 2_000,
  workLeaseMs: 6_000,
  /** An incident in which nothing happened for this long is closed. */
  closeAfterMs: 24 * 3_600_000,
  /** Raw readings kept for the postmortem, as JSON. */
  snapshotBytes: 8_000_000,
  reasonChars: 500,
  /** Refused clicks of one incident that become rows; more of them are only logged. */
  refusedEntries: 1_000,

  // recording
  /** With a tick it moves to another replica within 10 s of a death. */
  recorderLeaseMs: 6_000,
  recorderTickMs: 3_000,
  coverageEveryMs: 5_000,
  memorySampleMs: 15_000,
  /** An event may take this long from the engine to us; what is younger is not yet called covered. */
  eventLagMs: 3_000,
  recordedEvents: 5_000,
  recordedGaps: 1_000,
  memoryPoints: 2_000,
  /** Samples in the picture of a container's memory; the entry of the diagnosis keeps them. */
  drawnPoints: 240,
  recordedTrimMs: 3_600_000,
  /** A fault that stays is logged again after this long. */
  sameFaultLogMs: 3_600_000,

  // people and rooms
  noteChars: 3_000,
  timelineEntries: 10_000,

  // slack edge
  slackStartMs: 60_000,
  slackCallTimeoutMs: 8_000,
  slackReconnectDelayMs: 500,
  slackReconnectDelayMaxMs: 30_000,
  slackHelloTimeoutMs: 10_000,
  /** Slack gives each payload to any one of them: while one is renewed the other answers. */
  slackConnections: 2,
  slackPongTimeoutMs: 20_000,
  slackPingTimeoutMs: 60_000,
  slackDisconnectMs: 2_000,
  /** An old connection stays this long after its successor said hello, so that what is on its way is still acked. */
  slackOverlapMs: 1_000,
  slackHttpBodyBytes: 1_000_000,
  /** Slack asks to refuse older requests; newer ones are as wrong. */
  slackSignatureAgeMs: 300_000,
  /** A trigger is good for 3 s: an interactive call that cannot go out by then is answered otherwise. */
  slackInteractiveWaitMs: 2_000,
  /** Posts in one channel: Slack's 1 a second, with room for jitter on the way. */
  slackChannelSpacingMs: 1_050,
  /** How often open Home tabs are compared with what they should show, for how long after they were opened, how many. */
  slackBeatMs: 10_000,
  homeWatchedMs: 30 * 60_000,
  homesWatched: 50,
  slackGroupCacheMs: 300_000,
  /** What another process took in is left to it for this long. */
  inboxLeaseMs: 120_000,
  /** Requests worked on at once; one that takes longer than `inboxHandMs` no longer counts. */
  inboxHands: 100,
  inboxHandMs: 20_000,
  inboxMaxAgeMs: 3_600_000,
  outboxPollMs: 1_000,
  /** Rows in hand at once; most of them only wait for their turn. */
  outboxAtOnce: 50,
  outboxClaimMs: 30_000,
  /** A claim this old is given back rather than used: another replica may take it any moment. */
  outboxClaimUsableMs: 20_000,
  outboxRetryMs: 500,
  outboxRetryMaxMs: 15_000,
  /** For what only a person can mend: an invitation, a token. */
  outboxBlockedRetryMs: 60_000,
  /** What is being noted when the outbox stops has this long; a store that hangs must not keep the process. */
  outboxLastWriteMs: 2_000,
  outboxGiveUpMs: 24 * 3_600_000,
  /** Edits of one message are told apart no finer than this. */
  editSpacingMs: 3_000,
  editLeaseMs: 30_000,
  lookupPages: 5,
  lookupPageSize: 200,
  lookupClockSkewMs: 300_000,

  // store
  auditProblems: 1_000,
  auditBatchRows: 200,
  insertRows: 500,
  storeBusyMs: 10_000,
  storeBusyRetryMs: 10,
  storeConnectMs: 5_000,
  storeStatementMs: 10_000,
  storeConnections: 10,
  seenRetentionMs: 7 * 24 * 3_600_000,
  seenTrimEvery: 1_000,
  leaseMs: 10_000,
} as const;
