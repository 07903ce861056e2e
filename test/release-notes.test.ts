/** What a release publishes beside the package: the section of its version in the changelog. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import manifest from '../package.json' with { type: 'json' };

const script = fileURLToPath(new URL('../.ci/release-notes.mjs', import.meta.url));

function notesOf(tag: string) {
  return spawnSync(process.execPath, [script, tag], { encoding: 'utf8' });
}

describe('the notes of a release', () => {
  it('are the section of the version in package.json', () => {
    const { status, stdout } = notesOf(`v${manifest.version}`);
    expect(status).toBe(0);
    expect(stdout.length).toBeGreaterThan(100);
    expect(stdout).not.toMatch(/^## /m);
  });

  it('are refused for a tag of another version', () => {
    const { status, stderr } = notesOf('v0.0.1');
    expect(status).toBe(1);
    expect(stderr).toContain('the tag is of version "0.0.1"');
  });
});
