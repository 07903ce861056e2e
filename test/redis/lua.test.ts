import { expect, it } from 'vitest';
import { LuaFactory } from 'wasmoon';
import { scriptTexts } from '../../src/backends/redis/scripts.ts';

// Servers have Lua 5.1 and tests of the protocol a later one.
it.each(Object.entries(scriptTexts))('%s is Lua of version 5.4 too', async (_name, text) => {
  const lua = await new LuaFactory().createEngine();
  try {
    lua.global.set('text', text);
    const code = 'local chunk, fault = load(text) return fault or "fine"';
    expect(await lua.doString(code)).toBe('fine');
  } finally {
    lua.global.close();
  }
});
