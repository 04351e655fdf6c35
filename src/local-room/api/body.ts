import type { IncomingMessage } from "node:http";
import { requestBodyBytes } from "../limits.ts";

/** The raw body, or null when it is too large or the client went away. */
export async function readBody(request: IncomingMessage, maxBytes = requestBodyBytes): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      // The rest is read and dropped, so that the client sees the answer instead of a reset.
      if (size <= maxBytes) chunks.push(chunk);
    }
  } catch {
    return null;
  }
  return size > maxBytes ? null : Buffer.concat(chunks);
}

/** A multipart form, or null where it is malformed. */
export async function readForm(contentType: string, body: Buffer): Promise<FormData | null> {
  try {
    return await new Response(new Uint8Array(body), { headers: { "content-type": contentType } }).formData();
  } catch {
    return null;
  }
}
