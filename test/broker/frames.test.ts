import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, type Frame, FrameDecoder } from '../../src/backends/broker/wire/frames.ts';
import { readClientMessage } from '../../src/backends/broker/wire/messages.ts';

const seed = Number(process.env['KDS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const runs = { seed, numRuns: 300 };
const bytesMax = 4096;

/** What comes of bytes that are cut into chunks: frames, then perhaps a complaint. */
function decode(bytes: Buffer, cuts: readonly number[]): { frames: Frame[]; fault: unknown } {
  const decoder = new FrameDecoder(bytesMax);
  const frames: Frame[] = [];
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  let start = 0;
  for (const end of ends) {
    try {
      decoder.push(bytes.subarray(start, end), (frame) => void frames.push(frame));
    } catch (fault) {
      return { frames, fault };
    }
    start = end;
  }
  return { frames, fault: undefined };
}

const text = fc.string({ unit: 'binary', maxLength: 20 });
const loneSurrogates = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 })
  .map((units) => String.fromCharCode(...units));
const frame = fc.dictionary(
  fc.oneof(text, loneSurrogates),
  fc.oneof(text, loneSurrogates, fc.integer(), fc.boolean(), fc.constant(null), fc.array(text)),
  { maxKeys: 5, noNullPrototype: true },
);
const cuts = fc.array(fc.nat(10_000), { maxLength: 20 });

describe(`frames (KDS_SEED=${seed})`, () => {
  it('come out as they went in, however they are cut', () => {
    const property = fc.property(fc.array(frame, { maxLength: 8 }), cuts, (sent, at) => {
      const bytes = Buffer.from(sent.map(encodeFrame).join(''));
      const { frames, fault } = decode(bytes, at);
      expect(fault).toBe(undefined);
      expect(frames).toEqual(sent.map((each) => JSON.parse(JSON.stringify(each))));
    });
    fc.assert(property, runs);
  });

  it('keep every string apart, lone surrogates too', () => {
    const property = fc.property(loneSurrogates, cuts, (name, at) => {
      expect(decode(Buffer.from(encodeFrame({ name })), at).frames).toEqual([{ name }]);
    });
    fc.assert(property, runs);
  });

  it('are found in any bytes, with a ProtocolError and nothing else', () => {
    const line = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      frame.map((each) => encodeFrame(each)),
    );
    const property = fc.property(fc.array(line, { maxLength: 6 }), cuts, (lines, at) => {
      const bytes = Buffer.concat(lines.map((each) => Buffer.from(each as Uint8Array)));
      const { frames, fault } = decode(bytes, at);
      if (fault !== undefined) expect(fault).toMatchObject({ code: 'KDS_PROTOCOL' });
      for (const each of frames) expect(Array.isArray(each)).toBe(false);
      // However it is cut, the same comes of it.
      expect(decode(bytes, []).frames.length).toBeGreaterThanOrEqual(frames.length);
    });
    fc.assert(property, runs);
  });

  it('that are too long are refused before they have come to their end', () => {
    const decoder = new FrameDecoder(bytesMax);
    const none = (): never => {
      throw new Error('a frame was told of');
    };
    decoder.push(Buffer.alloc(bytesMax, 'x'), none);
    expect(() => decoder.push(Buffer.from('x'), none)).toThrow(/over the limit/);
  });

  it('are a message of a client, or a ProtocolError', () => {
    const verbs = ['acquire', 'try', 'settled', 'release', 'downgrade', 'abandon', 'cancel'];
    const more = ['query', 'end', 'session', 'close', 'reclaim', 'hello', 'other'];
    const value = fc.oneof(fc.anything(), fc.nat(5), fc.array(fc.nat(5)), fc.array(text));
    const keys = ['id', 'ids', 'parts', 'part', 'session', 'label', 'token'];
    const rest = [
      'timeoutMs',
      'locked',
      'steal',
      'holding',
      'queuePosition',
      'version',
      'resource',
      'pid',
    ];
    const message = fc.record(
      {
        do: fc.constantFrom(...verbs, ...more),
        ...Object.fromEntries([...keys, ...rest].map((key) => [key, value])),
      },
      { requiredKeys: ['do'] },
    );
    const property = fc.property(message, (each) => {
      try {
        expect(readClientMessage(each as Frame)).toBe(each);
      } catch (error) {
        expect(error).toMatchObject({ code: 'KDS_PROTOCOL' });
      }
    });
    fc.assert(property, { ...runs, numRuns: 2000 });
  });
});
