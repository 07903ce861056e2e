/**
 * Commands as bytes: an array of strings, each with its length before it. So clients send them, and
 * so the server's append-only file keeps them.
 */

export interface Command {
  /** The name of the command, and its arguments. */
  readonly words: readonly Buffer[];
  readonly bytes: Buffer;
}

const star = 0x2a;
const dollar = 0x24;
const lineEnd = Buffer.from('\r\n');

/** Takes commands out of a stream, wherever that is cut into pieces. */
export class CommandReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Those that are whole by now. @throws Error for what is no command */
  read(chunk: Buffer): Command[] {
    const buffer = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const commands: Command[] = [];
    let at = 0;
    for (;;) {
      const command = commandAt(buffer, at);
      if (command === undefined) break;
      commands.push(command);
      at += command.bytes.length;
    }
    this.#rest = buffer.subarray(at);
    return commands;
  }

  /** What has come of the next one. */
  get restLength(): number {
    return this.#rest.length;
  }
}

/** Undefined if it is not all there. @throws Error if no command begins there */
export function commandAt(buffer: Buffer, start: number): Command | undefined {
  const head = countAt(buffer, start, star);
  if (head === undefined) return undefined;
  const words: Buffer[] = [];
  let at = head.end;
  for (let index = 0; index < head.count; index++) {
    const length = countAt(buffer, at, dollar);
    if (length === undefined) return undefined;
    const end = length.end + length.count;
    if (buffer.length < end + lineEnd.length) return undefined;
    words.push(buffer.subarray(length.end, end));
    at = end + lineEnd.length;
  }
  return { words, bytes: buffer.subarray(start, at) };
}

function countAt(
  buffer: Buffer,
  start: number,
  mark: number,
): { count: number; end: number } | undefined {
  if (start >= buffer.length) return undefined;
  if (buffer[start] !== mark) {
    const found = JSON.stringify(buffer.toString('latin1', start, start + 20));
    throw new Error(`${String.fromCharCode(mark)} is missing at ${start}: ${found}`);
  }
  const end = buffer.indexOf(lineEnd, start);
  if (end === -1) return undefined;
  return { count: Number(buffer.toString('latin1', start + 1, end)), end: end + lineEnd.length };
}

/** As a client would send it. */
export function commandBytes(...words: readonly string[]): Buffer {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join('')}`);
}
