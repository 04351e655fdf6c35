import type { PlannedSource } from "../core/reads.ts";
import { cgroup } from "./cgroup.ts";
import { dockerChanges } from "./docker-changes.ts";
import { dockerEvents } from "./docker-events.ts";
import { dockerImage } from "./docker-image.ts";
import { dockerInfo } from "./docker-info.ts";
import { dockerInspect } from "./docker-inspect.ts";
import { dockerList } from "./docker-list.ts";
import { dockerLogs } from "./docker-logs.ts";
import { dockerNetworks } from "./docker-networks.ts";
import { dockerStats } from "./docker-stats.ts";
import { dockerTop } from "./docker-top.ts";
import { dockerUsage } from "./docker-usage.ts";
import { dockerVolumes } from "./docker-volumes.ts";
import { hostClock } from "./host-clock.ts";
import { hostDisk } from "./host-disk.ts";
import { hostFacts } from "./host-facts.ts";
import { hostProcesses } from "./host-processes.ts";
import { kernelLog } from "./kernel-log.ts";
import { httpProbe, tcpProbe, tlsProbe } from "./probes.ts";
import { processFacts } from "./process-facts.ts";
import { proxyConfig } from "./proxy-config.ts";
import type { EvidenceSource } from "./reading.ts";

/** Every source by its name; the type makes a missing one a compile error. */
export const sources: { readonly [S in PlannedSource]: EvidenceSource<S> } = {
  "docker-info": dockerInfo,
  "docker-list": dockerList,
  "docker-inspect": dockerInspect,
  "docker-logs": dockerLogs,
  "docker-events": dockerEvents,
  "docker-stats": dockerStats,
  "docker-top": dockerTop,
  "docker-changes": dockerChanges,
  "docker-networks": dockerNetworks,
  "docker-image": dockerImage,
  "docker-volumes": dockerVolumes,
  "docker-usage": dockerUsage,
  "kernel-log": kernelLog,
  cgroup,
  "host-facts": hostFacts,
  "host-disk": hostDisk,
  "host-clock": hostClock,
  "host-processes": hostProcesses,
  "process-facts": processFacts,
  "proxy-config": proxyConfig,
  "http-probe": httpProbe,
  "tcp-probe": tcpProbe,
  "tls-probe": tlsProbe,
};
