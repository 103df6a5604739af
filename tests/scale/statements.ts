// Counts the statements that a client of PostgreSQL or MySQL sends, by their text, from the bytes
// of its connections (without TLS).
import type { Listener } from "../support/cut";

export type Tally = Map<string, number>;

function count(tally: Tally, text: string): void {
  tally.set(text, (tally.get(text) ?? 0) + 1);
}

/** Cuts a stream into packets: `length` says how long the first one is, header included. */
function packets(length: (bytes: Buffer) => number, each: (packet: Buffer) => void): Listener {
  let rest: Buffer = Buffer.alloc(0);
  return (bytes) => {
    rest = rest.length ? Buffer.concat([rest, bytes]) : bytes;
    for (;;) {
      const size = rest.length < 5 ? Infinity : length(rest);
      if (rest.length < size) return;
      each(rest.subarray(0, size));
      rest = rest.subarray(size);
    }
  };
}

const text = (bytes: Buffer, from: number): [string, number] => {
  const end = bytes.indexOf(0, from);
  return [bytes.toString("utf8", from, end), end + 1];
};

/** Messages: a letter and a length of 32 bits; the first one has no letter. */
export function postgres(tally: Tally): Listener {
  const named = new Map<string, string>();
  let begun = false;
  let bound = "";
  return packets(
    (bytes) => (begun ? 1 + bytes.readInt32BE(1) : bytes.readInt32BE(0)),
    (message) => {
      if (!begun) {
        begun = true;
        return;
      }
      const [first, next] = "PBQ".includes(String.fromCharCode(message[0]!))
        ? text(message, 5)
        : ["", 0];
      switch (String.fromCharCode(message[0]!)) {
        case "P":
          named.set(first, text(message, next)[0]);
          break;
        case "B":
          bound = text(message, next)[0];
          break;
        case "E":
          count(tally, named.get(bound) ?? "?");
          break;
        case "Q":
          count(tally, first);
          break;
      }
    },
  );
}

const COM_QUERY = 3;
const COM_STMT_EXECUTE = 23;

/** Packets: a length of 24 bits and a number, 0 for commands. Prepared ones have no text. */
export function mysql(tally: Tally): Listener {
  return packets(
    (bytes) => 4 + bytes.readUIntLE(0, 3),
    (packet) => {
      if (packet[3] !== 0) return;
      if (packet[4] === COM_QUERY) count(tally, packet.toString("utf8", 5));
      if (packet[4] === COM_STMT_EXECUTE) count(tally, "a prepared statement");
    },
  );
}
