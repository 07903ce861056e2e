/** The vectors can fail: each fault that is put into the scripts of Redis is noticed. */

import { beforeAll, describe, expect, it } from 'vitest';
import { LuaMachine } from '../sim/redis/lua.ts';
import { type ScriptName, scriptTexts } from '../src/backends/redis/scripts.ts';
import { explore, type World } from './explore.ts';
import { RedisEngine } from './redis-engine.ts';
import { replay } from './replay.ts';
import { sessionCountOf } from './worlds.ts';

interface Fault {
  readonly name: string;
  /** Stands once in each script that has it. */
  readonly find: string;
  readonly replace: string;
}

const faults: readonly Fault[] = [
  {
    name: 'a writer is granted beside a reader',
    find: 'return not front or not (takesAll(link) or takesAll(front))',
    replace: 'return not front or not takesAll(front)',
  },
  {
    name: 'a new set overtakes those that wait',
    find: "waits = demand('ZCARD', root .. 'w:' .. name) > 0",
    replace: 'waits = false',
  },
  {
    name: 'a cancelled writer lets no reader through',
    find: "try('ZREM', root .. 'w:' .. name, units .. id)\n",
    replace: "try('ZREM', root .. 'w:' .. name, units .. id)\n        isDirty[name] = true\n",
  },
  {
    name: 'sets that are granted together get their tokens in reverse',
    find: 'return tonumber(one) < tonumber(other) end',
    replace: 'return tonumber(one) > tonumber(other) end',
  },
  {
    name: 'a downgrade grants nothing',
    find: "if not isKept and (kind == 'P' or units == ALL) then\n      markDirty(name)",
    replace: "if not isKept and (kind == 'P' or units == ALL) then",
  },
  {
    name: 'a set that a stealing request goes before does not wait for it',
    find: "call('HINCRBY', root .. 'q:' .. id, 'pending', 1)",
    replace: '',
  },
  {
    name: 'the flag of a dead holder outlives its next holder',
    find: 'intact[#intact + 1] = name',
    replace: '',
  },
  {
    name: 'an observer of shared links ends with the first of them',
    find: "root .. 'o' .. ALL .. ':' .. name, front[2] or behind[2]",
    replace: "root .. 'o' .. ALL .. ':' .. name, behind[2]",
  },
  {
    name: 'a kept grant is not seen to be in the way of its own caller',
    find: "return demand('SMEMBERS', root .. 'k:' .. id)",
    replace: 'return {}',
  },
];

const small = { resourceCount: 2, setCountMax: 3 } as const;
const worlds: readonly World[] = [
  { ...small, died: true, parts: 'any', steals: true, observers: true },
  { ...small, setCountMax: 4, holding: true },
];

describe('test vectors notice that', () => {
  let lua: LuaMachine;
  let vectors: readonly string[];
  beforeAll(async () => {
    lua = await LuaMachine.create();
    vectors = worlds.map((world) => explore(world).vectors);
  });

  it.each(faults)('$name', (fault) => {
    const texts = scriptsWith(fault);
    const replayAll = (): void => {
      for (const [index, world] of worlds.entries()) {
        const options = { sessionCount: sessionCountOf(world), texts };
        replay(vectors[index] as string, new RedisEngine(lua, options));
      }
    };
    expect(replayAll).toThrow(/, after\n/);
  });
});

function scriptsWith({ name, find, replace }: Fault): Readonly<Record<ScriptName, string>> {
  let isFound = false;
  const texts = Object.entries(scriptTexts).map(([script, text]) => {
    const count = text.split(find).length - 1;
    if (count > 1) throw new Error(`"${name}": found ${count} times in ${script}`);
    isFound ||= count === 1;
    return [script, text.replace(find, () => replace)];
  });
  if (!isFound) throw new Error(`"${name}": found in no script`);
  return Object.fromEntries(texts) as Record<ScriptName, string>;
}
