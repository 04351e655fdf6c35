import type { LogPattern } from "../log-signals.ts";
import { wording } from "./pattern.ts";

const place = String.raw`(?<host>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?):(?<port>\d{2,5})\b`;
const second = place.replace("<host>", "<host2>").replace("<port>", "<port2>");
const at = (text: string) => new RegExp(text.replace("PLACE", place).replace("SECOND", second), "i");

/** What shell tools, errno texts and programs in other languages say. Tried after every wording of a known library. */
export const plainWordPatterns: readonly LogPattern[] = [
  wording(
    "no-contact",
    "peer-unreachable",
    null,
    ["cannot ", "can't ", "could not ", "couldn't ", "unable to ", "failed to ", "failure to "],
    at(
      String.raw`(?:can(?:not|'t)|could(?: not|n't)|unable to|fail(?:ed|ure) to) (?:connect|talk|speak|reach|contact|dial|call|open (?:a )?(?:connection|socket))[^\n]{0,20}? ["'\`(]?(?:[a-z]{2,10}:\/\/)?PLACE(?![^\n]{0,120}(?:refused|timed? ?out|resolv|resolution|not known|unknown host|reset|closed|connect call failed|auth|password|certificate))`,
    ),
    "the words with host:port and no known reason, any program",
  ),
  wording(
    "closed-by-peer",
    "peer-closed",
    null,
    ["reset by peer", "connection reset", "econnreset", "connection closed", "closed the connection", "broken pipe"],
    // A port of the ephemeral range is a client's, who may leave when he likes.
    /\b(?:to|with) ["'`(]?(?:[a-z]{2,10}:\/\/)?(?<host>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?):(?<port>\d{2,4}|[12]\d{4}|3[01]\d{3})\b[^\n]{0,80}?(?:reset by peer|connection reset|ECONNRESET|connection closed|closed the connection|broken pipe)/i,
    "the words with host:port and ECONNRESET or EPIPE, any program",
  ),
  wording(
    "unreachable",
    "peer-unreachable",
    null,
    ["no route to host", "network is unreachable", "host is unreachable", "host unreachable"],
    /(?:["'`( ](?<host>[A-Za-z0-9][A-Za-z0-9._-]{0,254}):(?<port>\d{2,5})\b[^\n]{0,60})?(?:[Nn]o route to host|[Nn]etwork is unreachable|[Hh]ost (?:is )?unreachable)/,
    "strerror of EHOSTUNREACH and ENETUNREACH, any program",
  ),
  wording(
    "timed-out",
    "peer-timeout",
    null,
    "timed out",
    /(?:\berr(?:or|eur)?|exception|fail(?:ed|ure)?|fehler|cause|reason)\b[^\n]{0,200}\btimed out\b/i,
    "an error of any program that ends in ETIMEDOUT's words",
  ),
  wording(
    "refused-code",
    "peer-refused",
    null,
    "econnrefused",
    /(?:["'`( ](?<host>[A-Za-z0-9][A-Za-z0-9._-]{0,254}):(?<port>\d{2,5})\b[^\n]{0,60})?\bECONNREFUSED\b/,
    "errno name, any program",
  ),
  wording(
    "curl-tool-refused",
    "peer-refused",
    "http",
    "curl: (7)",
    /curl: \(7\) Failed to connect to (?<host>[A-Za-z0-9._-]{1,255}) port (?<port>\d{1,5})/,
    "curl, exit code 7",
  ),
  wording("curl-tool-timeout", "peer-timeout", "http", "curl: (28)", /curl: \(28\)/, "curl, exit code 28"),
  wording(
    "resolver-of-tools",
    "peer-name-unknown",
    null,
    ["temporary failure in name resolution", "name or service not known", "bad address"],
    /getaddrinfo\("(?<host>[A-Za-z0-9._-]{1,255})"|(?:bad address|resolve address) '?(?<host2>[A-Za-z0-9._-]{1,255})'?/,
    "socat; BusyBox; netcat",
  ),
  wording(
    "unresolved-java",
    "peer-name-unknown",
    null,
    ["<unresolved>", "resolved for dns name"],
    /(?<host>[A-Za-z0-9._-]{1,255})\/<unresolved>:(?<port>\d{1,5})|Failed to connect to any host resolved for DNS name/,
    "Java, InetSocketAddress; Jedis",
  ),
  wording(
    "refused-other-languages",
    "peer-refused",
    null,
    ["abgelehnt", "verweigert", "refusée", "rechazada", "rifiutata"],
    at(
      String.raw`(?:verbindung|connexion|conexión|connessione)[^\n]{0,60}? PLACE[^\n]{0,60}?(?:abgelehnt|verweigert|refusée|rechazada|rifiutata)|(?:verbindung|connexion|conexión|connessione)[^\n]{0,60}?(?:abgelehnt|verweigert|refusée|rechazada|rifiutata)(?:[^\n]{0,20} SECOND)?`,
    ),
    "German, French, Spanish and Italian texts of ECONNREFUSED",
  ),
  wording(
    "timeout-other-languages",
    "peer-timeout",
    null,
    ["zeitüberschreitung", "délai d'attente", "délai dépassé", "tiempo de espera", "tempo scaduto"],
    at(
      String.raw`(?:zeitüberschreitung|délai (?:d'attente )?(?:dépassé|expiré)|tiempo de espera (?:agotado|excedido)|tempo scaduto)(?:[^\n]{0,40}? PLACE)?`,
    ),
    "German, French, Spanish and Italian texts of ETIMEDOUT",
  ),
  wording(
    "pg-schema-other-languages",
    "peer-schema-mismatch",
    "postgres",
    ["existiert nicht", "n'existe pas", "no existe"],
    /(?:Spalte|Relation|colonne|relation|columna|relación) [»«"“][\s]?(?<object>[\w.]{1,128})[\s]?[»«"”] (?:existiert nicht|n'existe pas|no existe)/,
    "PostgreSQL, lc_messages de, fr, es",
  ),
  wording(
    "pg-slots-other-languages",
    "peer-too-many-connections",
    "postgres",
    ["zu viele verbindungen", "trop de clients", "demasiados clientes"],
    /schon zu viele Verbindungen|trop de clients sont déjà connectés|ya tenemos demasiados clientes/,
    "PostgreSQL, lc_messages de, fr, es",
  ),
  wording(
    "uncaught-perl",
    "uncaught-exception",
    null,
    [" line "],
    /^(?:\S{1,64} )?(?:(?<error>Can't (?:call method|locate object method|use|locate|modify)|Undefined subroutine|Not an? \w{2,10} reference|Illegal division by zero|Attempt to \w{3,12})\b.{0,160}) at \S{1,200} line \d{1,7}\.?$/,
    "Perl, perldiag",
  ),
  wording(
    "tool-refused",
    "peer-refused",
    null,
    "connection refused",
    /(?:connect to (?!server\b)(?:remote host )?\(?(?<host>[A-Za-z0-9._-]{1,255})\)?(?: \([0-9.]{7,15}\))?(?: port (?<port>\d{1,5}))?|\/dev\/tcp\/(?<host2>[A-Za-z0-9._-]{1,255})\/(?<port2>\d{1,5}))[^\n]{0,40}Connection refused/,
    "netcat; BusyBox wget; bash",
  ),
  wording(
    "generic-refused-plain",
    "peer-refused",
    null,
    "connection refused",
    /[Cc]onnection refused/,
    "errno ECONNREFUSED, strerror",
  ),
  wording(
    "pg-statement-timeout-other-languages",
    "peer-statement-timeout",
    "postgres",
    ["zeitüberschreitung der", "délai écoulé pour l'exécution", "tiempo de espera de la sentencia"],
    /wegen Zeitüberschreitung der (?:Anfrage|Anweisung)|délai écoulé pour l'exécution|por (?:agotarse el )?tiempo de espera de la sentencia/,
    "PostgreSQL, lc_messages de, fr, es",
  ),
  wording(
    "generic-name-unknown-plain",
    "peer-name-unknown",
    null,
    ["name or service not known", "temporary failure in name resolution", "nodename nor servname"],
    /Name or service not known|Temporary failure in name resolution|nodename nor servname/i,
    "gai_strerror of EAI_NONAME and EAI_AGAIN, where no host is named",
  ),
];
