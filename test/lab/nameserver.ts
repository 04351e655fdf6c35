import { createSocket } from "node:dgram";

/**
 * The lab's outside name server: it knows no name at all and says so at once. Docker's own resolver asks it for every
 * name it does not know, and does not answer the container at all when nobody answers it.
 *
 * Run as a program: `node nameserver.ts <address>`, UDP port 53.
 */
const socket = createSocket("udp4");
socket.on("message", (query, { address, port }) => {
  const answer = noSuchName(query);
  if (answer !== null) socket.send(answer, port, address);
});
socket.bind(53, process.argv[2]);

const HEADER_BYTES = 12;
const RESPONSE_RECURSION_AVAILABLE_NXDOMAIN = 0x8183;

/** RFC 1035 4.1: the header and the one question again, with the code 3 and no records. */
function noSuchName(query: Buffer): Buffer | null {
  if (query.length < HEADER_BYTES || query.readUInt16BE(4) !== 1) return null;
  const nameEnd = query.indexOf(0, HEADER_BYTES);
  const end = nameEnd + 1 + 4;
  if (nameEnd < 0 || end > query.length) return null;
  const answer = Buffer.from(query.subarray(0, end));
  answer.writeUInt16BE(RESPONSE_RECURSION_AVAILABLE_NXDOMAIN, 2);
  answer.fill(0, 6, HEADER_BYTES);
  return answer;
}
