/**
 * Makes a module of a Lua file that exports its text, for Vite and Rolldown alike: so the scripts
 * are files that editors know, and yet part of whatever is bundled.
 */

import { readFileSync } from 'node:fs';

export interface LuaText {
  readonly name: string;
  load(id: string): { code: string; moduleType: 'js' } | null;
}

export function luaText(): LuaText {
  return {
    name: 'lua-text',
    load(id) {
      if (!id.endsWith('.lua')) return null;
      const text = JSON.stringify(readFileSync(id, 'utf8'));
      return { code: `export const text = ${text};`, moduleType: 'js' };
    },
  };
}
