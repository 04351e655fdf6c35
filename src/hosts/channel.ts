import { Duplex } from "node:stream";
import type { ClientChannel } from "ssh2";

/**
 * An SSH channel as a socket that HTTP and TLS can use. ssh2's own channel ignores `destroy` until the far end agrees,
 * so a host that hangs could keep a request open; this one is gone at once.
 */
export function channelSocket(channel: ClientChannel, onGone: () => void = () => {}): Duplex {
  const socket = new Duplex({
    allowHalfOpen: true,
    read() {
      channel.resume();
    },
    write(chunk, _encoding, done) {
      if (!channel.writable)
        done(
          Object.assign(new Error("write after the channel closed"), {
            code: "EPIPE",
          }),
        );
      else channel.write(chunk, done);
    },
    final(done) {
      channel.end();
      done();
    },
    destroy(error, done) {
      channel.destroy();
      onGone();
      done(error);
    },
  });
  channel.on("data", (chunk: Buffer) => {
    if (!socket.destroyed && !socket.push(chunk)) channel.pause();
  });
  channel.on("error", (error: Error) => socket.destroy(error));
  const ended = () => {
    if (!socket.destroyed && !socket.readableEnded) socket.push(null);
  };
  channel.once("end", ended);
  channel.once("close", () => {
    onGone();
    if (socket.readableLength === 0) socket.destroy();
    else {
      ended();
      socket.end();
    }
  });
  return asSocket(socket);
}

/** What node:http calls on a socket and a plain stream lacks; keep-alive and delay belong to the connection below. */
function asSocket(stream: Duplex): Duplex {
  const same = () => stream;
  return Object.assign(stream, {
    setKeepAlive: same,
    setNoDelay: same,
    setTimeout: same,
    ref: same,
    unref: same,
  });
}
