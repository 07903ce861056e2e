/**
 * Tests that end badly, are tried again, or declare wrongly. Some fail on purpose: the test that
 * runs this file says which ones, and with which error.
 */

import { expect } from '@playwright/test';
import { test } from '../../../../src/test-runners/playwright.ts';
import { work } from '../../journal.ts';

const never = new Promise<void>(() => {});

test.describe('everything of one name', () => {
  test.use({ holds: { writes: 'db' } });

  test.describe('within another declaration', () => {
    test.use({ holds: { reads: 'db' } });
    test('takes its place', async () => work('takes its place', { reads: ['db'] }));
  });

  test.describe('and an annotation', { annotation: { type: 'writes', description: 'db' } }, () => {
    const annotation = { type: 'reads', description: 'db' };
    test('count once', { annotation }, async ({ grant }, { title }) => {
      expect(grant.signal.aborted).toBe(false);
      await work(title, { writes: ['db'] });
    });
  });

  test.describe('a hook that fails before', () => {
    test.beforeEach(() => Promise.reject(new Error('before each')));
    test('before', () => {});
  });

  test.describe('a hook that fails after', () => {
    test.afterEach(() => Promise.reject(new Error('after each')));
    test('after', async ({ grant: _ }, { title }) => work(title, { writes: ['db'] }));
  });

  test('is over', async () => {
    test.setTimeout(100);
    await never;
  });

  test.describe('attempts', () => {
    test.describe.configure({ retries: 1 });
    test('tried again', async ({ grant }, { retry, title }) => {
      await work(`${title}, attempt ${retry}`, { writes: ['db'] });
      expect(grant.token).toBeGreaterThan(0);
      expect(retry).toBe(1);
    });
  });

  test('skips itself', () => test.skip());

  for (const row of [1, 2, 3]) {
    test(`row ${row}`, async ({ grant: _ }, { title }) => work(title, { writes: ['db'] }));
  }
});

const annotation = { type: 'writes' };
test('an annotation without a name', { annotation }, () => {});

test.describe('a mistyped key', () => {
  test.use({ holds: { write: 'db' } as never });
  test('mistyped', () => {});
});
